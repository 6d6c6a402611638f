# SPDX-License-Identifier: Apache-2.0
"""The issuance ceremony: no certificate without its intent in the record first, no serial twice, no unlinted bytes."""

import hashlib
from collections.abc import Callable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from audit import Outcome as Told
from audit import Recorder, Wait
from core.clock import Clock
from core.errors import N_, TallygateError, Unavailable
from core.log import logger

from ..errors import (
    CertificateDiffers,
    ContentChanged,
    DraftSpent,
    IssuanceDenied,
    IssuerUnusable,
    KeyRefused,
    KeyUnusable,
    LintStopped,
    SubjectUnsuitable,
)
from ..hierarchy import Hierarchy
from ..models import Issued, IssueRequest, Preview, read_authority
from ..signer import Signer
from ..store import Outcome, Store
from ..x509 import (
    Algorithm,
    CertificateRequest,
    Draft,
    IssuerFacts,
    Locations,
    Profile,
    Subject,
    build,
    draw,
    profile,
    read_request,
    spelled,
)
from ..x509.lint import Finding, LintedDraft, Linter
from .branches import entry_of
from .handover import Handover
from .making import Making, carried, why
from .notes import Names, event, note
from .policy import IssuancePolicy, decide
from .subjects import Subjects

_log = logger(__name__)
COMPROMISED = N_("this key is known to be compromised")


class Issuance:
    """Everything the ceremony needs, by keyword."""

    def __init__(
        self,
        *,
        store: Store,
        signer: Signer,
        recorder: Recorder,
        clock: Clock,
        subjects: Subjects,
        policies: Sequence[IssuancePolicy],
        hierarchy: Hierarchy,
        origin: str,
        oid_base: str,
        instance: int,
        shards: int,
        nudge: Callable[[], None],
        check_key: Callable[[CertificateRequest], None] = lambda _: None,
        ready: Callable[[], None] = lambda: None,
        lint: Callable[[Sequence[bytes]], Sequence[Sequence[Finding]]] | None = None,
    ) -> None:
        self._store = store
        self._signer = signer
        self._linter = Linter(signer.seal, elsewhere=lint)
        self._recorder = recorder
        self._clock = clock
        self._subjects = subjects
        self._policies = tuple(policies)
        self._hierarchy = hierarchy
        self._origin = origin
        self._oid_base = oid_base
        self._instance = instance
        self._shards = shards
        self._nudge = nudge
        self._check_key = check_key
        self._ready = ready
        self._handover = Handover()

    def issue(self, request: IssueRequest) -> Issued:
        """The ceremony, whole.

        Raises:
            TallygateError: nothing was issued. Only if the process died between steps 8 and 10 may bytes exist that
                nobody was given; that serial stays "possibly issued": visible, revocable and never good.
        """
        # 0. The record knows of no certificate that the tables do not know.
        self._ready()

        # 1. What is asked for: profile, key, and proof that the requester holds it.
        # 2. Who it is for: what the directory says of an enabled subject, nothing the requester says.
        # 3. Whether it may be: every policy, asked here even if somebody asked before.
        # 4. Draw a serial.
        making = self._examine(request)

        # 5. Lint the real bytes under a throw-away key. A failure leaves nothing but the record of it.
        linted = self._lint(making)

        # 6. Take serial and key, and keep the bytes about to be signed, in one transaction: a duplicate, a key that is
        # compromised or somebody else's, or a dead database stops here, before any signature. From here on the serial
        # can be found and revoked whatever happens. State: intended. The reaper keeps what stays here as "possibly
        # issued".
        self._intend(making, linted)
        try:
            # 7. The intent goes into the published record. No receipt, no signature.
            self._recorder.record(making.intended(linted, at=self._clock.now()), wait=Wait.PUBLISHED)
            # 8. Spend the lint token at the only holder of the key.
            certificate = self._signer.certificate(linted, issuer=making.issuer.name)
        except (Unavailable, DraftSpent, KeyUnusable) as error:
            # The key was not touched. Whether the record holds the intent may be unknown; the outcome says enough.
            self._signer.seal.forget(linted)
            self._abandon(making, error)
            raise

        # 9. The signed bytes are the linted, stored and recorded ones; anything else never leaves this process.
        self._compare(making, linted, certificate)

        # 10. Store certificate and outcome in one transaction; the relay brings the outcome to the record.
        # State: signed.
        self._keep(making, linted, certificate.public_bytes(Encoding.DER))

        # 11. Hand it over. A failure from here on loses nothing: the certificate can be fetched by its serial. That it
        # was handed over is stored with the next issuance, or by housekeeping: a commit for that alone is a sync.
        return self._handed_over(making, certificate)

    def preview(self, request: IssueRequest) -> Preview:
        """What would be issued now; nobody is asked whether it may be, and nothing is kept.

        Raises:
            TallygateError: the request or its key cannot be used, or the directory says no.
        """
        return self._previewed(request, self._subjects)

    def _previewed(self, request: IssueRequest, subjects: Subjects) -> Preview:
        kind = profile(request.profile)
        asked = read_request(request.csr, keys=frozenset(kind.keys))
        return preview(request, kind, asked, subjects.of(kind, request))

    def settle(self) -> None:
        """Store what was handed over and not yet said so."""
        with self._handover.taken() as delivered:
            if delivered:
                self._store.deliver(delivered)

    def usable(self) -> list[str]:
        """Issuing authorities that can sign now: what a root took back, or what has ended, makes nothing any more."""
        now = self._clock.now()
        return [
            name
            for name, each in self._hierarchy.issuers.items()
            if not each.withdrawn
            and each.certificate.not_valid_before_utc <= now < each.certificate.not_valid_after_utc
        ]

    def _examine(self, request: IssueRequest, subjects: Subjects | None = None) -> Making:
        subjects, subject = subjects or self._subjects, None
        try:
            kind = profile(request.profile)
            asked = read_request(request.csr, keys=frozenset(kind.keys))
            self._check_key(asked)
            subject = subjects.of(kind, request)
            verdict = decide(self._policies, request, kind)
            if not verdict.allowed:
                raise IssuanceDenied(reasons=", ".join(verdict.reasons))
            issuer = self._issuer(kind, request, asked)
            if request.expected and preview(request, kind, asked, subject).digest != request.expected:
                raise ContentChanged
        except TallygateError as error:
            self._refused(request, error, subject)
            raise
        number = draw(self._instance)
        return Making(
            request=request,
            kind=kind,
            asked=asked,
            subject=subject,
            verdict=verdict,
            issuer=issuer,
            names=self._names(request, subject, subjects),
            number=number,
            shard=self._shard(number),
        )

    def _names(self, request: IssueRequest, subject: Subject, subjects: Subjects | None = None) -> Names:
        subjects = subjects or self._subjects
        return Names(subject=subject.name, actor=subjects.acting(request.actor, request.subject))

    def _intend(self, making: Making, linted: LintedDraft) -> None:
        try:
            self._store.intend(making.intent(linted, at=self._clock.now()))
        except TallygateError as error:
            self._signer.seal.forget(linted)
            if isinstance(error, KeyRefused):
                self._refused(making.request, error, making.subject)
            raise

    def _compare(self, making: Making, linted: LintedDraft, certificate: x509.Certificate) -> None:
        if certificate.tbs_certificate_bytes != linted.tbs:
            _log.critical("signed_bytes_differ", serial=making.serial)
            raise CertificateDiffers

    def _outcome(self, making: Making, linted: LintedDraft, der: bytes) -> Outcome:
        """What is stored after the signature; a key that was reported as compromised meanwhile is revoked already."""
        at = self._clock.now()
        return Outcome(
            serial=making.serial,
            der=der,
            note=note(making.issued(linted, der, at=at)),
            if_blocked=note(making.revoked(at=at)),
            at=at,
            shown=entry_of(making.kind, making.request.subject),
        )

    def _keep(self, making: Making, linted: LintedDraft, der: bytes) -> None:
        with self._handover.taken() as delivered:
            good = self._store.signed([self._outcome(making, linted, der)], delivered=delivered)
        self._nudge()
        if making.serial not in good:
            raise KeyRefused(why=COMPROMISED)

    def _handed_over(self, making: Making, certificate: x509.Certificate) -> Issued:
        self._handover.add(making.serial)
        return Issued(
            serial=making.serial,
            certificate=certificate.public_bytes(Encoding.PEM),
            chain=making.issuer.certificate.public_bytes(Encoding.PEM),
        )

    def _shard(self, serial: int) -> int:
        """Which list the certificate names for good: by its serial, whose last bits are random."""
        return serial % self._shards + 1

    def _issuer(self, kind: Profile, request: IssueRequest, asked: CertificateRequest) -> IssuerFacts:
        """Who signs: the newest generation of the authority, of the hierarchy that the subject's key belongs to.

        A delegate's request names the very generation it will answer for.
        """
        wanted = read_authority(request.issuer or kind.issuers[0])
        if wanted is None or wanted.kind not in kind.issuers or (not request.issuer and len(kind.issuers) > 1):
            raise SubjectUnsuitable(why=N_("this issuing authority does not make such certificates"))
        ml_dsa = asked.algorithm == Algorithm.ML_DSA_65.value
        if kind.no_check:
            name = str(wanted) if wanted.ml_dsa is ml_dsa and str(wanted) in self.usable() else ""
        else:
            at = self._clock.now()
            name = self._hierarchy.newest(wanted.kind, kind, oid_base=self._oid_base, at=at, ml_dsa=ml_dsa)
        if not name or (request.issuer and not kind.no_check and request.issuer not in (wanted.kind, name)):
            raise IssuerUnusable
        return IssuerFacts(name=name, certificate=self._hierarchy.issuers[name].certificate)

    def _lint(self, making: Making) -> LintedDraft:
        try:
            return self._linter.lint(self._draft(making))
        except TallygateError as error:
            self._unlinted(making, error)
            raise

    def _draft(self, making: Making) -> Draft:
        issuer = making.issuer
        return build(
            profile=making.kind,
            issuer=issuer,
            subject=making.subject,
            request=making.asked,
            serial=making.number,
            locations=Locations.under(self._origin, issuer.name, shard=making.shard),
            oid_base=self._oid_base,
            at=self._clock.now(),
            above=(self._hierarchy.issuers[issuer.name].root.certificate,),
        )

    def _unlinted(self, making: Making, error: TallygateError) -> None:
        if isinstance(error, LintStopped):
            _log.error("lint_stopped", profile=making.kind.name, finding=error.parameters["finding"])
        self._refused(making.request, error, making.subject)

    def _refused(self, request: IssueRequest, error: TallygateError, subject: Subject | None) -> None:
        refusal = event(
            "ca.certificate.refused",
            Told.DENIED,
            at=self._clock.now(),
            subject=request.subject,
            actor=request.actor,
            attributes={"code": error.code, "profile": request.profile[:32], **carried(request), **why(error)},
            names=self._names(request, subject) if subject else Names(),
        )
        self._store.outbox_put(note(refusal))
        self._nudge()

    def _abandon(self, making: Making, error: TallygateError) -> None:
        try:
            self._store.abandon(making.serial, note(making.abandoned(error.code, at=self._clock.now())))
        except Unavailable:
            # The row stays intended; the reaper reports it.
            _log.warning("abandon_failed", serial=making.serial)


def preview(request: IssueRequest, kind: Profile, asked: CertificateRequest, subject: Subject) -> Preview:
    """What a certificate would say, for officers to agree to."""
    names, alternatives = spelled(kind, subject)
    return Preview(
        profile=kind.name,
        subject=request.subject,
        organisation=request.organisation,
        name=subject.name,
        csr_hash=hashlib.sha256(request.csr).hexdigest(),
        key_hash=asked.key_hash,
        algorithm=asked.algorithm,
        names=names,
        alternatives=alternatives,
        validity_days=kind.validity_days,
        until=subject.until.date().isoformat() if subject.until else "",
    )
