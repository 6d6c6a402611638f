# SPDX-License-Identifier: Apache-2.0
"""What a certificate is worth when its authority does not answer: what it signed before it fell silent, and left here.

First its OCSP answer, if one was made, then its issuer's revocation list. Each is believed only if it is signed by whom
it must be, is about this very certificate, and is no older than whoever asks allows. Both lie where the authority puts
them for everybody; whoever can write there can take a word away, and cannot say one.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from ..errors import StatusUnknown
from ..hierarchy import IssuingAuthority, PublicFolder
from ..models import CertificateStatus, Standing
from ..x509 import list_path
from ..x509.answers import PRESIGNED, Identifiers

LEEWAY = timedelta(seconds=5)
LONGEST_ANSWER, LONGEST_LIST = 16 * 1024, 64 * 1024 * 1024
_LIST_UNDERSTOOD = frozenset({ExtensionOID.CRL_NUMBER, ExtensionOID.AUTHORITY_KEY_IDENTIFIER})
_BAD = (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound, x509.DuplicateExtension)


class PublishedStatus:
    """Reads the folder beside the authority's socket; safe for threads."""

    def __init__(self, issuers: Callable[[], Iterable[IssuingAuthority]], *, folder: Path) -> None:
        self._issuers = issuers
        self._folder = folder
        # By authority: number of the file, list as it was verified.
        self._lists: dict[str, tuple[tuple[int, int], x509.CertificateRevocationList]] = {}

    @classmethod
    def load(cls, public: Path, *, folder: Path) -> Self:
        """For the authorities of a site's public folder; ``folder`` holds ``ocsp`` and ``crl``."""
        return cls(PublicFolder(public).issuers, folder=folder)

    def status(self, serial: str, *, authority: str, at: datetime, oldest: timedelta) -> CertificateStatus:
        """What a serial of an authority, by name, is worth; what is older than ``oldest`` says nothing.

        Raises:
            StatusUnknown: nothing that can be believed says anything.
        """
        issuer = next((each for each in self._issuers() if str(each.name) == authority and not each.withdrawn), None)
        if issuer is None:
            raise StatusUnknown
        number = int(serial, 16)
        for look in (self._by_answer, self._by_list):
            # What is broken, foreign or stale is as good as not there.
            with suppress(*_BAD, OSError):
                found = look(issuer, number, at, oldest)
                if found is not None:
                    return CertificateStatus(serial=serial, standing=found)
        raise StatusUnknown

    def _by_answer(self, issuer: IssuingAuthority, serial: int, at: datetime, oldest: timedelta) -> Standing | None:
        for hashed in PRESIGNED:
            question = Identifiers(issuer.certificate).question(serial, hashed)
            path = self._folder / "ocsp" / str(issuer.name) / b64encode(question.request).decode("ascii")
            content = _read(path, longest=LONGEST_ANSWER)
            if content is None:
                continue
            answer = ocsp.load_der_ocsp_response(content)
            if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                continue
            _answered_by(answer, issuer.certificate, at)
            (single,) = answer.responses
            asked = (question.name_hash, question.key_hash, serial)
            if (single.issuer_name_hash, single.issuer_key_hash, single.serial_number) != asked:
                continue
            if not _fresh(single.this_update_utc, single.next_update_utc, at, oldest):
                continue
            match single.certificate_status:
                case ocsp.OCSPCertStatus.GOOD:
                    return Standing.GOOD
                case ocsp.OCSPCertStatus.REVOKED:
                    return Standing.REVOKED
        return None

    def _by_list(self, issuer: IssuingAuthority, serial: int, at: datetime, oldest: timedelta) -> Standing | None:
        path = self._folder / list_path(str(issuer.name), 0).lstrip("/")
        found = self._list(issuer, path)
        if found is None or not _fresh(found.last_update_utc, found.next_update_utc, at, oldest):
            return None
        entry = found.get_revoked_certificate_by_serial_number(serial)
        return Standing.GOOD if entry is None else Standing.REVOKED

    def _list(self, issuer: IssuingAuthority, path: Path) -> x509.CertificateRevocationList | None:
        """The verified list; read again when its file is another."""
        try:
            seen = path.stat()
        except OSError:
            return None
        mark, name = (seen.st_ino, seen.st_mtime_ns), str(issuer.name)
        kept = self._lists.get(name)
        if kept is not None and kept[0] == mark:
            return kept[1]
        content = _read(path, longest=LONGEST_LIST)
        if content is None:
            return None
        crl = x509.load_der_x509_crl(content)
        key = issuer.certificate.public_key()
        # A delta or a list of some certificates alone says nothing of the others.
        whole = {each.oid for each in crl.extensions} <= _LIST_UNDERSTOOD or not any(
            each.critical for each in crl.extensions
        )
        if crl.issuer != issuer.certificate.subject or not whole or not crl.is_signature_valid(key):  # type: ignore[arg-type]  # a key it cannot use raises
            return None
        self._lists[name] = mark, crl
        return crl


def _read(path: Path, *, longest: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            content = file.read(longest + 1)
    except OSError:
        return None
    return content if len(content) <= longest else None


def _fresh(since: datetime, until: datetime | None, at: datetime, oldest: timedelta) -> bool:
    return until is not None and since - LEEWAY <= at <= until and at - since <= oldest


def _answered_by(answer: ocsp.OCSPResponse, issuer: x509.Certificate, at: datetime) -> None:
    """See that the issuer's own delegate signed (RFC 6960 section 4.2.2.2).

    Raises:
        ValueError, InvalidSignature: it did not.
    """
    (signer,) = answer.certificates
    signer.verify_directly_issued_by(issuer)
    uses = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if ExtendedKeyUsageOID.OCSP_SIGNING not in uses:
        raise ValueError("no delegate")
    if not signer.not_valid_before_utc - LEEWAY <= at <= signer.not_valid_after_utc:
        raise ValueError("a delegate of another time")
    key, hashed = signer.public_key(), answer.signature_hash_algorithm
    if hashed is None:
        raise ValueError("signed in a way that is not known here")
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(hashed))
    elif isinstance(key, rsa.RSAPublicKey):
        key.verify(answer.signature, answer.tbs_response_bytes, padding.PKCS1v15(), hashed)
    else:
        raise ValueError("signed by a key that is not known here")  # noqa: TRY004 - the answer is wrong, not its type
