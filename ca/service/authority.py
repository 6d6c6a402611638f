# SPDX-License-Identifier: Apache-2.0
"""The verbs of the certificate authority in one place, composed from its three crafts."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from audit import Outcome, Recorder
from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from ..config import CASettings
from ..errors import KeyUnusable, NoSuchCertificate
from ..hierarchy import Hierarchy, PublicFolder
from ..models import (
    Certificate,
    CertificateStatus,
    Issued,
    IssueRequest,
    Preview,
    Reason,
    Standing,
    State,
    read_authority,
    read_serial,
)
from ..signer import KeyFolder, Signer
from ..store import AnswerFolder, Store, Together
from ..x509 import Algorithm, Blocklist, SigningKey, algorithm_for, generate, profile
from ..x509.lint import Finding
from .answering import Answer, Answering
from .batches import Answer as Made
from .batches import Batches, ManyRecorder
from .blocking import Blocking
from .notes import Names, event, note
from .policy import EnoughOfficers, IssuancePolicy, RequesterRules, Verdict, decide
from .publication import Publication, Published
from .standing import StandingChanges
from .subjects import DirectorySource, Subjects

_log = logger(__name__)

NOTHING_LISTED = Blocklist()

RENEW_BEFORE = timedelta(days=30)
"""An OCSP delegate is replaced when less than this is left of it."""


class CertificateAuthority:
    """Issues, withdraws and tells; every collaborator comes by keyword.

    ``ready`` raises while the tables may be older than the record. ``nudge`` is called after every commit that put a
    record in the outbox. ``lint`` finds elsewhere what is wrong with many drafts. ``directory`` may be absent at a
    site's birth, when only machines are certified.
    """

    def __init__(
        self,
        *,
        store: Store,
        keys: KeyFolder,
        folder: PublicFolder,
        recorder: Recorder,
        clock: Clock,
        settings: CASettings,
        directory: DirectorySource | None,
        domain: str,
        origin: str,
        oid_base: str,
        public: Path,
        answers: Path,
        policies: Sequence[IssuancePolicy] = (),
        nudge: Callable[[], None] = lambda: None,
        ready: Callable[[], None] = lambda: None,
        listed: Blocklist = NOTHING_LISTED,
        lint: Callable[[Sequence[bytes]], Sequence[Sequence[Finding]]] | None = None,
        codes: Callable[[str], str] = lambda _organisation: "",
    ) -> None:
        self._store = store
        self._keys = keys
        self._folder = folder
        self._read = folder.hierarchy()
        # Everybody's here, and changed for all at once.
        self._hierarchy = hierarchy = Hierarchy(self._read.roots.values(), self._read.issuers.values())
        issuers = _certificates(hierarchy)
        self._clock = clock
        self._settings = settings
        self._nudge = nudge
        self._ready = ready
        self._policies = (RequesterRules(), *policies)
        self._signer = Signer(keys=keys, issuers=issuers)
        self._blocking = Blocking(store=store, clock=clock, listed=listed, nudge=nudge)
        subjects = Subjects(
            directory=directory,
            country=settings.country,
            domain=domain,
            clock=clock,
            others=settings.acme.domains,
            networks=settings.acme.networks,
            codes=codes,
        )
        self._issuance = Batches(
            check_key=self._blocking.check,
            store=store,
            signer=self._signer,
            recorder=recorder,
            clock=clock,
            subjects=subjects,
            policies=(EnoughOfficers(), *self._policies),
            hierarchy=hierarchy,
            origin=origin,
            oid_base=oid_base,
            instance=settings.instance,
            shards=settings.crl_shards,
            nudge=nudge,
            ready=ready,
            lint=lint,
        )
        self._answering = Answering(
            store=store,
            signer=self._signer,
            clock=clock,
            issuers=issuers,
            settings=settings,
            files=AnswerFolder(answers),
            ready=ready,
        )
        self._changes = StandingChanges(
            store=store,
            recorder=recorder,
            clock=clock,
            nudge=nudge,
            ready=ready,
            forget=self._answering.withdraw,
            acting=subjects.acting,
        )
        self._publication = Publication(
            store=store,
            signer=self._signer,
            clock=clock,
            issuers=issuers,
            settings=settings,
            public=public,
            origin=origin,
            ready=ready,
        )

    @property
    def issuers(self) -> tuple[str, ...]:
        """Every issuing authority, all generations: each publishes and answers until it has ended."""
        return tuple(self._hierarchy.issuers)

    def check(self) -> None:
        """Whether the authority can work.

        Raises:
            Unavailable: its tables do not answer, or may be older than the record.
            KeyUnusable: a delegate is missing.
        """
        self._store.check()
        self._ready()
        for issuer in self.issuers:
            self._signer.responder(issuer)

    def refresh(self) -> bool:
        """Take up what a ceremony left since: another generation, another root, a root's newer list.

        Returns whether there was something; its delegate and lists are then for housekeeping to make. An authority
        whose key cannot be used is not taken up, nor anything with it; and none that is known is ever let go, for
        somebody has to tell what its certificates are worth.
        """
        read = self._folder.hierarchy()
        if read is self._read:
            return False
        self._read = read
        known, found = _certificates(self._hierarchy), _certificates(read)
        if any(found.get(name) != certificate for name, certificate in known.items()):
            _log.error("authority_gone", known=sorted(known), found=sorted(found))
            return False
        try:
            self._signer.know(found)
        except KeyUnusable as error:
            _log.error("authority_without_key", exc_info=error)
            return False
        self._answering.know(found)
        self._publication.know(found)
        # Last, for from here on the newest generation issues.
        self._hierarchy.roots, self._hierarchy.issuers = read.roots, read.issuers
        _log.info("authorities_read", issuers=sorted(found), roots=sorted(read.roots))
        return True

    def issue(self, request: IssueRequest) -> Issued:
        """See ``Issuance.issue``."""
        return self._issuance.issue(request)

    def issue_all(self, requests: Sequence[IssueRequest], recorder: ManyRecorder) -> list[Made]:
        """See ``Batches.issue_all``."""
        return self._issuance.issue_all(requests, recorder)

    def preview(self, request: IssueRequest) -> Preview:
        """See ``Issuance.preview``."""
        return self._issuance.preview(request)

    def preview_all(self, requests: Sequence[IssueRequest]) -> list[Preview | TallygateError]:
        """See ``Batches.preview_all``."""
        return self._issuance.preview_all(requests)

    def verdict(self, request: IssueRequest) -> Verdict:
        """What everybody but the number of officers says to a request, before it is approved.

        Raises:
            UnknownProfile: there is no such kind.
        """
        return decide(self._policies, request, profile(request.profile))

    def revoke(
        self, serial: str, *, reason: Reason, actor: str, caller: str = "", together: Together | None = None
    ) -> None:
        """See ``StandingChanges.revoke``."""
        self._changes.revoke(serial, reason=reason, actor=actor, caller=caller, together=together)

    def suspend(
        self, serial: str, *, actor: str, caller: str = "", because: str = "", together: Together | None = None
    ) -> None:
        """See ``StandingChanges.suspend``."""
        self._changes.suspend(serial, actor=actor, caller=caller, because=because, together=together)

    def release(self, serial: str, *, actor: str, caller: str = "") -> None:
        """See ``StandingChanges.release``."""
        self._changes.release(serial, actor=actor, caller=caller)

    def settle(self) -> None:
        """See ``Issuance.settle``."""
        self._issuance.settle()

    def sweep(self) -> int:
        """See ``StandingChanges.sweep``."""
        return self._changes.sweep()

    def block_key(self, key_hash: str, *, actor: str) -> int:
        """Never certify a key again, by the SHA-256 of its subjectPublicKeyInfo, and revoke all that was made for it.

        Returns how many were revoked.
        """
        self._blocking.block(key_hash, actor=actor)
        return self._changes.sweep()

    def certified(self, key_hash: str) -> list[Certificate]:
        """The newest certificates that were made for a key, whatever they are worth."""
        found, _ = self._store.certificates(key_hash=key_hash)
        return found

    def block_listed(self) -> int:
        """See ``Blocking.block_listed``; the sweep does the rest."""
        return self._blocking.block_listed()

    def certificate(self, serial: str) -> Certificate:
        """One serial.

        Raises:
            NoSuchCertificate: never used.
        """
        return self._store.certificate(read_serial(serial))

    def chained(self, certificate: Certificate) -> bytes:
        """The certificate and its issuer's, PEM.

        Raises:
            NoSuchCertificate: nothing was signed.
        """
        if not certificate.der:
            raise NoSuchCertificate
        own = x509.load_der_x509_certificate(certificate.der).public_bytes(Encoding.PEM)
        return own + self._hierarchy.issuers[certificate.issuer].certificate.public_bytes(Encoding.PEM)

    def expired(self, certificate: Certificate) -> bool:
        """Whether its last second is over."""
        return self._clock.now() >= certificate.not_after + timedelta(seconds=1)

    def certificates(self, subject: str, *, before: int = 0, limit: int = 50) -> tuple[list[Certificate], int]:
        """The newest certificates of one subject, and where the next page begins (0: no more)."""
        return self._store.certificates(subject=subject, before=before, limit=limit)

    def named(self, name: str, *, before: int = 0, limit: int = 50) -> tuple[list[Certificate], int]:
        """The newest certificates whose common name begins so (all for an empty name)."""
        return self._store.certificates(name=name, before=before, limit=limit)

    def status(self, serial: str) -> CertificateStatus:
        """What one serial is worth; never raises for a serial that was never used.

        Raises:
            NotReconciled: the record may know better.
        """
        self._ready()
        digits = read_serial(serial)
        try:
            found = self._store.certificate(digits)
        except NoSuchCertificate:
            return CertificateStatus(serial=digits, standing=Standing.UNKNOWN)
        return CertificateStatus(
            serial=digits,
            standing=found.standing,
            issuer=found.issuer,
            profile=found.profile,
            subject=found.subject,
            not_after=found.not_after,
        )

    def authority(self, issuer: str) -> bytes:
        """See ``Publication.authority``."""
        return self._publication.authority(issuer)

    def crl(self, issuer: str, shard: int = 0, *, delta: bool = False) -> Published:
        """See ``Publication.crl``."""
        return self._publication.crl(issuer, shard, delta=delta)

    def shards(self, issuer: str) -> range:
        """See ``Publication.shards``."""
        return self._publication.shards(issuer)

    def publish(self, issuer: str) -> None:
        """Bring every list of an issuer up to date; raises what ``Publication.crl`` raises."""
        for shard in self.shards(issuer):
            self._publication.crl(issuer, shard)
            if self._publication.has_delta(shard):
                self._publication.crl(issuer, shard, delta=True)

    @property
    def roots(self) -> tuple[str, ...]:
        """Every root, all generations."""
        return tuple(self._hierarchy.roots)

    @property
    def whole_deltas(self) -> bool:
        """Whether an issuer's whole list has a delta."""
        return self._publication.has_delta(0)

    def ocsp(self, issuer: str, unverified: bytes) -> Answer:
        """See ``Answering.answer``."""
        return self._answering.answer(issuer, unverified)

    def look_after_answers(self) -> int:
        """See ``Answering.look``."""
        return self._answering.look()

    def renew_answers(self) -> int:
        """See ``Answering.renew``."""
        return self._answering.renew()

    def reap(self) -> int:
        """Settle issuances that died: a bare reservation is abandoned, an intent stays as possibly issued.

        Each is reported once. Returns how many.
        """
        stale = self._store.stale(self._clock.now() - self._settings.issuance_timeout)
        for found in stale:
            if found.state is State.RESERVED:
                self._store.abandon(found.serial, None)
                continue
            report = event(
                "ca.certificate.abandoned",
                Outcome.FAILURE,
                at=self._clock.now(),
                subject=found.subject,
                serial=found.serial,
                attributes={"issuer": found.issuer, "profile": found.profile, "possibly_issued": True},
                names=Names(subject=found.name),
            )
            self._store.reap(found.serial, note(report))
            _log.warning("possibly_issued", serial=found.serial)
        if stale:
            self._nudge()
        return len(stale)

    def renew_responders(self) -> int:
        """Issue a new OCSP delegate for every issuer whose present one is missing or ends soon; returns how many."""
        made = 0
        for issuer in self._issuance.usable():
            if not self._responder_lasts(issuer):
                self.renew_responder(issuer)
                made += 1
        return made

    def renew_responder(self, issuer: str) -> Issued:
        """Issue a new OCSP delegate for one issuer, with a key of its hierarchy.

        Raises:
            TallygateError: as ``issue``; the old delegate answers on.
        """
        name = read_authority(issuer)
        key = generate(Algorithm.ML_DSA_65 if name and name.ml_dsa else Algorithm.P256)
        request = IssueRequest(
            profile="ocsp",
            csr=self_request(key),
            subject=f"ocsp-{issuer}",
            actor="role:ca",
            actor_roles=frozenset({"role:ca"}),
            issuer=issuer,
        )
        issued = self.issue(request)
        self._keys.keep_responder(issuer, key, issued.certificate)
        return issued

    def _responder_lasts(self, issuer: str) -> bool:
        try:
            ends = self._keys.responder(issuer).certificate.not_valid_after_utc
        except KeyUnusable:
            return False
        # A delegate cannot outlive its issuer; replacing it again and again would not help.
        last = self._hierarchy.issuers[issuer].certificate.not_valid_after_utc
        return ends > self._clock.now() + RENEW_BEFORE or ends == last


def _certificates(hierarchy: Hierarchy) -> dict[str, x509.Certificate]:
    return {name: each.certificate for name, each in hierarchy.issuers.items()}


def self_request(key: SigningKey) -> bytes:
    """A certificate request for a key this process made; DER. Its empty name is never read."""
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return csr.sign(key, algorithm_for(key)).public_bytes(Encoding.DER)
