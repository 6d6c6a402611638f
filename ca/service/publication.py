# SPDX-License-Identifier: Apache-2.0
"""Revocation lists and OCSP answers: public facts, made from what is stored and recorded nowhere."""

from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from core.clock import Clock
from core.errors import Unavailable

from ..config import CASettings
from ..errors import IssuerUnusable, NoSuchCertificate, NoSuchIssuer
from ..models import ROOT, Certificate, Standing, serial_hex
from ..signer import Signer
from ..store import KeptList, Store
from ..x509.lists import Withdrawn, draft_answer, draft_crl, read_question

_TRIES = 5


class Publication:
    """What anybody may ask."""

    def __init__(
        self,
        *,
        store: Store,
        signer: Signer,
        clock: Clock,
        issuers: Mapping[str, x509.Certificate],
        settings: CASettings,
        public: Path,
        ready: Callable[[], None],
    ) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._issuers = dict(issuers)
        self._settings = settings
        self._public = public
        self._ready = ready

    def authority(self, issuer: str) -> bytes:
        """The own certificate of an issuer or the root, DER.

        Raises:
            NoSuchIssuer: there is none.
        """
        if issuer == ROOT:
            return x509.load_pem_x509_certificate(_read(root_certificate(self._public))).public_bytes(Encoding.DER)
        return self._issuer(issuer).public_bytes(Encoding.DER)

    def crl(self, issuer: str) -> bytes:
        """The present list, DER: the stored one, or a new one if something changed or half its life is over.

        The root's is what the last ceremony left.

        Raises:
            NoSuchIssuer: there is none.
            NotReconciled: a new one may lack what the record knows to be revoked.
            IssuerUnusable: other processes keep publishing first.
        """
        if issuer == ROOT:
            return _read(root_list(self._public))
        certificate = self._issuer(issuer)
        for _ in range(_TRIES):
            kept, revision = self._store.newest_list(issuer)
            now = self._clock.now()
            if kept and kept.revision == revision and now < kept.made + self._settings.crl_lifetime / 2:
                return kept.der
            self._ready()
            # Rises even where the tables are a restored copy that knows an older number (RFC 5280 section 5.2.3).
            number = max((kept.number if kept else 0) + 1, int(now.timestamp()))
            fresh = self._make(issuer, certificate, number)
            if self._store.keep_list(issuer, fresh):
                return fresh.der
        raise IssuerUnusable

    def ocsp(self, issuer: str, unverified: bytes) -> bytes:
        """Answer one request, DER; whatever cannot be read is answered "malformed request".

        While the tables may be older than the record, everything else is answered "try later".

        Raises:
            NoSuchIssuer: there is none.
        """
        certificate = self._issuer(issuer)
        question = read_question(unverified, certificate)
        if question is None:
            return _unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        if not question.ours:
            return _unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        try:
            self._ready()
        except Unavailable:
            return _unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
        found = self._find(issuer, question.serial)
        now = self._clock.now()
        builder = draft_answer(
            question,
            responder=self._signer.responder(issuer).certificate,
            subject=found.standing if found else Standing.UNKNOWN,
            withdrawn=_withdrawn(found),
            at=now,
            until=now + self._settings.ocsp_lifetime,
        )
        return self._signer.answer(builder, issuer=issuer)

    def _find(self, issuer: str, serial: int) -> Certificate | None:
        try:
            found = self._store.certificate(serial_hex(serial))
        except NoSuchCertificate:
            return None
        return found if found.issuer == issuer else None

    def _make(self, issuer: str, certificate: x509.Certificate, number: int) -> KeptList:
        now = self._clock.now()
        life = self._settings.crl_lifetime
        # Two periods of looking back: a revocation is on a list at least once even if the certificate expires.
        entries, revision = self._store.withdrawn(issuer, alive_after=now - 2 * life)
        until = min(now + life, certificate.not_valid_after_utc)
        builder = draft_crl(certificate, number=number, entries=entries, at=now, until=until)
        der = self._signer.crl(builder, issuer=issuer)
        return KeptList(number=number, revision=revision, made=now, until=until, der=der)

    def _issuer(self, name: str) -> x509.Certificate:
        found = self._issuers.get(name)
        if found is None:
            raise NoSuchIssuer
        return found


def root_certificate(public: Path) -> Path:
    """Where a ceremony leaves the root's certificate."""
    return public / "root.pem"


def root_list(public: Path) -> Path:
    """Where a ceremony leaves the root's revocation list."""
    return public / "root.crl"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NoSuchIssuer from error


def _withdrawn(found: Certificate | None) -> Withdrawn | None:
    if found is None or found.changed is None or found.standing not in (Standing.SUSPENDED, Standing.REVOKED):
        return None
    return Withdrawn(serial=int(found.serial, 16), standing=found.standing, at=found.changed, reason=found.reason)


def _unsuccessful(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
