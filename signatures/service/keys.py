# SPDX-License-Identifier: Apache-2.0
"""The keys of the seals: one file each, 0600, made here, never leaving this role."""

import os
import secrets
from pathlib import Path
from threading import Lock

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ..errors import SealUnusable
from ..models import Seal
from ..pades.cms import KeyMismatch, KeySigner


class SealKeys:
    """A folder of keys; each is loaded once and held."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[str, KeySigner] = {}
        self._lock = Lock()

    def make(self, organisation: str) -> tuple[str, bytes]:
        """A new key: the name of its file, and a request (PKCS #10, PEM) that proves its possession."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        # A name of its own for every key: a renewal that dies midway leaves the old seal untouched.
        name = f"{organisation}.{secrets.token_hex(4)}.pem"
        descriptor = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(file.fileno())
        request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
        return name, request.public_bytes(Encoding.PEM)

    def signer(self, seal: Seal) -> KeySigner:
        """The signer of one seal.

        Raises:
            SealUnusable: its key is gone or belongs to another certificate.
        """
        with self._lock:
            known = self._loaded.get(seal.serial)
            if known is None:
                known = self._loaded[seal.serial] = self._load(seal)
            return known

    def drop(self, seal: Seal) -> None:
        """Destroy the key of a seal that was never used."""
        with self._lock:
            self._loaded.pop(seal.serial, None)
        (self._folder / seal.key).unlink(missing_ok=True)

    def _load(self, seal: Seal) -> KeySigner:
        try:
            key = load_pem_private_key((self._folder / seal.key).read_bytes(), None)
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise SealUnusable
            return KeySigner(key=key, certificate=seal.certificate.encode(), chain=seal.chain.encode())
        except (OSError, ValueError, KeyMismatch) as error:
            raise SealUnusable from error
