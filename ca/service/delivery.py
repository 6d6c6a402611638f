# SPDX-License-Identifier: Apache-2.0
"""Closes a key that was made here so that one device alone opens it, and vouches for where it came from."""

import threading
from pathlib import Path

from cryptography import x509

from core.clock import Clock

from ..errors import KeyUnusable
from ..models import IssueRequest, Standing, serial_hex
from ..signer import DeliverySigner
from ..signer.keys import encode_key, write_private
from ..store import Store
from ..x509 import Algorithm, generate
from ..x509.deliveries import ContentCipher, attributes_of, enveloped, package, signed_package
from ..x509.signing import algorithm_identifier
from .authority import CertificateAuthority, self_request

_ACTOR = "role:ca"


class KeyDelivery:
    """Holds the certificate of the EST server as whoever made keys; a new one past half its life, or when it fell."""

    def __init__(self, *, authority: CertificateAuthority, store: Store, clock: Clock, path: Path, host: str) -> None:
        self._authority = authority
        self._store = store
        self._clock = clock
        self._path = path
        self._host = host
        self._lock = threading.Lock()

    def enclose(self, private: bytes, *, recipient: x509.Certificate, cipher: ContentCipher) -> bytes:
        """ContentInfo with EnvelopedData around the signed package of a PKCS #8 key; DER.

        Raises:
            TypeError: the recipient's key decrypts nothing.
            TallygateError: the server has no certificate, and none can be made now.
        """
        signer = self._signer()
        packaged = package(private)
        attributes = attributes_of(packaged)
        whole = signed_package(
            packaged,
            attributes,
            signer.deliver(attributes),
            algorithm_identifier(signer.certificate.public_key()),
            (signer.certificate, *signer.chain),
        )
        return enveloped(whole, recipient, cipher)

    def _signer(self) -> DeliverySigner:
        with self._lock:
            try:
                found = DeliverySigner.load(self._path)
                if self._lasts(found.certificate):
                    return found
            except KeyUnusable:
                # The first one, or a file that somebody spoilt.
                pass
            key = generate(Algorithm.P256)
            issued = self._authority.issue(
                IssueRequest(
                    profile="server",
                    csr=self_request(key),
                    subject=self._path.stem,
                    actor=_ACTOR,
                    actor_roles=frozenset({_ACTOR}),
                    hosts=(self._host,),
                )
            )
            write_private(self._path, encode_key(key) + issued.certificate + issued.chain)
            return DeliverySigner.load(self._path)

    def _lasts(self, certificate: x509.Certificate) -> bool:
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        stored = self._store.standing(serial_hex(certificate.serial_number))
        good = stored is not None and stored.standing is Standing.GOOD
        return good and self._clock.now() < begins + (ends - begins) / 2
