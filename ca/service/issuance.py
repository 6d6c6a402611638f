# SPDX-License-Identifier: Apache-2.0
"""The issuance ceremony: no certificate without its intent in the record first, no serial twice, no unlinted bytes."""

import hashlib
import secrets
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.serialization import Encoding

from audit import Event, Outcome, Recorder, Wait
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
from ..models import Issued, IssueRequest, Preview, Reason, read_authority, serial_hex
from ..signer import Signer
from ..store import Intent, Store
from ..x509 import (
    Algorithm,
    CertificateRequest,
    IssuerFacts,
    LintedDraft,
    Linter,
    Locations,
    Profile,
    Subject,
    build,
    draw,
    profile,
    read_request,
    spelled,
)
from .branches import entry_of
from .handover import Handover
from .notes import Names, commitment, event, note
from .policy import IssuancePolicy, Verdict, decide
from .subjects import Subjects

_log = logger(__name__)


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
    ) -> None:
        self._store = store
        self._signer = signer
        self._linter = Linter(signer.seal)
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
        kind, asked, subject, verdict, issuer = self._examine(request)
        names = self._names(request, subject)

        # 4. Draw a serial.
        number = draw(self._instance)
        serial = serial_hex(number)

        # 5. Lint the real bytes under a throw-away key. A failure leaves nothing but the record of it.
        linted = self._lint(request, kind=kind, issuer=issuer, subject=subject, asked=asked, number=number)

        # 6. Take serial and key, and keep the bytes about to be signed, in one transaction: a duplicate, a key that is
        # compromised or somebody else's, or a dead database stops here, before any signature. From here on the serial
        # can be found and revoked whatever happens. State: intended. The reaper keeps what stays here as "possibly
        # issued".
        key = secrets.token_bytes(32)
        self._intend(request, linted, serial=serial, subject=subject, key_hash=asked.key_hash, key=key)
        try:
            # 7. The intent goes into the published record. No receipt, no signature.
            self._recorder.record(
                event(
                    "ca.certificate.intended",
                    Outcome.INTENDED,
                    at=self._clock.now(),
                    subject=request.subject,
                    actor=request.actor,
                    serial=serial,
                    decision=verdict.decision,
                    policy=verdict.version,
                    attributes={
                        **_facts(request, linted, commitment(key, linted.tbs)),
                        "shard": self._shard(number),
                    },
                    names=names,
                ),
                wait=Wait.PUBLISHED,
            )
            # 8. Spend the lint token at the only holder of the key.
            certificate = self._signer.certificate(linted, issuer=issuer.name)
        except (Unavailable, DraftSpent, KeyUnusable) as error:
            # The key was not touched. Whether the record holds the intent may be unknown; the outcome says enough.
            self._signer.seal.forget(linted)
            self._abandon(request, serial, error, names)
            raise

        # 9. The signed bytes are the linted, stored and recorded ones; anything else never leaves this process.
        if certificate.tbs_certificate_bytes != linted.tbs:
            _log.critical("signed_bytes_differ", serial=serial)
            raise CertificateDiffers

        # 10. Store certificate and outcome in one transaction; the relay brings the outcome to the record.
        # State: signed.
        der = certificate.public_bytes(Encoding.DER)
        outcome = event(
            "ca.certificate.issued",
            Outcome.SUCCESS,
            at=self._clock.now(),
            subject=request.subject,
            actor=request.actor,
            serial=serial,
            decision=verdict.decision,
            policy=verdict.version,
            attributes={**_facts(request, linted, commitment(key, linted.tbs)), "certificate": commitment(key, der)},
            names=names,
        )
        self._keep(request, serial, der, outcome, Names(subject=subject.name))

        # 11. Hand it over. A failure from here on loses nothing: the certificate can be fetched by its serial. That it
        # was handed over is stored with the next issuance, or by housekeeping: a commit for that alone is a sync.
        self._handover.add(serial)
        return Issued(
            serial=serial,
            certificate=certificate.public_bytes(Encoding.PEM),
            chain=issuer.certificate.public_bytes(Encoding.PEM),
        )

    def preview(self, request: IssueRequest) -> Preview:
        """What would be issued now; nobody is asked whether it may be, and nothing is kept.

        Raises:
            TallygateError: the request or its key cannot be used, or the directory says no.
        """
        kind = profile(request.profile)
        asked = read_request(request.csr, keys=frozenset(kind.keys))
        return preview(request, kind, asked, self._subjects.of(kind, request))

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

    def _examine(self, request: IssueRequest) -> tuple[Profile, CertificateRequest, Subject, Verdict, IssuerFacts]:
        subject = None
        try:
            kind = profile(request.profile)
            asked = read_request(request.csr, keys=frozenset(kind.keys))
            self._check_key(asked)
            subject = self._subjects.of(kind, request)
            verdict = decide(self._policies, request, kind)
            if not verdict.allowed:
                raise IssuanceDenied(reasons=", ".join(verdict.reasons))
            issuer = self._issuer(kind, request, asked)
            if request.expected and preview(request, kind, asked, subject).digest != request.expected:
                raise ContentChanged
        except TallygateError as error:
            self._refused(request, error, subject)
            raise
        return kind, asked, subject, verdict, issuer

    def _names(self, request: IssueRequest, subject: Subject) -> Names:
        return Names(subject=subject.name, actor=self._subjects.acting(request.actor, request.subject))

    def _intend(
        self, request: IssueRequest, linted: LintedDraft, *, serial: str, subject: Subject, key_hash: str, key: bytes
    ) -> None:
        draft = linted.draft
        intent = Intent(
            serial=serial,
            issuer=draft.issuer.name,
            profile=draft.profile.name,
            subject=request.subject,
            actor=request.actor,
            at=self._clock.now(),
            name=subject.name,
            not_before=draft.not_before,
            not_after=draft.not_after,
            key_hash=key_hash,
            tbs=linted.tbs,
            commitment_key=key,
            shard=self._shard(draft.serial),
        )
        try:
            self._store.intend(intent)
        except TallygateError as error:
            self._signer.seal.forget(linted)
            if isinstance(error, KeyRefused):
                self._refused(request, error, subject)
            raise

    def _keep(self, request: IssueRequest, serial: str, der: bytes, outcome: Event, names: Names) -> None:
        """Store what was signed, unless its key was reported as compromised meanwhile: then it is revoked already."""
        at = self._clock.now()
        revoked = event(
            "ca.certificate.revoked",
            Outcome.SUCCESS,
            at=at,
            subject=request.subject,
            actor="role:ca",
            serial=serial,
            attributes={**_carried(request), "reason": Reason.KEY_COMPROMISE.value, "profile": request.profile},
            names=names,
        )
        with self._handover.taken() as delivered:
            good = self._store.signed(
                serial,
                der,
                note(outcome),
                if_blocked=note(revoked),
                at=at,
                delivered=delivered,
                shown=entry_of(profile(request.profile), request.subject),
            )
        self._nudge()
        if not good:
            raise KeyRefused(why=N_("this key is known to be compromised"))

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

    def _lint(
        self,
        request: IssueRequest,
        *,
        kind: Profile,
        issuer: IssuerFacts,
        subject: Subject,
        asked: CertificateRequest,
        number: int,
    ) -> LintedDraft:
        try:
            draft = build(
                profile=kind,
                issuer=issuer,
                subject=subject,
                request=asked,
                serial=number,
                locations=Locations.under(self._origin, issuer.name, shard=self._shard(number)),
                oid_base=self._oid_base,
                at=self._clock.now(),
                above=(self._hierarchy.issuers[issuer.name].root.certificate,),
            )
            return self._linter.lint(draft)
        except TallygateError as error:
            if isinstance(error, LintStopped):
                _log.error("lint_stopped", profile=kind.name, finding=error.parameters["finding"])
            self._refused(request, error, subject)
            raise

    def _refused(self, request: IssueRequest, error: TallygateError, subject: Subject | None) -> None:
        refusal = event(
            "ca.certificate.refused",
            Outcome.DENIED,
            at=self._clock.now(),
            subject=request.subject,
            actor=request.actor,
            attributes={"code": error.code, "profile": request.profile[:32], **_carried(request), **_why(error)},
            names=self._names(request, subject) if subject else Names(),
        )
        self._store.outbox_put(note(refusal))
        self._nudge()

    def _abandon(self, request: IssueRequest, serial: str, error: TallygateError, names: Names) -> None:
        ending = event(
            "ca.certificate.abandoned",
            Outcome.FAILURE,
            at=self._clock.now(),
            subject=request.subject,
            actor=request.actor,
            serial=serial,
            attributes={"code": error.code, "profile": request.profile, **_carried(request)},
            names=names,
        )
        try:
            self._store.abandon(serial, note(ending))
        except Unavailable:
            # The row stays intended; the reaper reports it.
            _log.warning("abandon_failed", serial=serial)


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


def _why(error: TallygateError) -> dict[str, str | int | bool]:
    """Which rules said no: an officer who asks for a certificate of their own stands out by them."""
    reasons = str(error.parameters["reasons"]).replace(", ", " ") if isinstance(error, IssuanceDenied) else ""
    return {"reasons": reasons} if reasons else {}


def _facts(request: IssueRequest, linted: LintedDraft, committed: str) -> dict[str, str | int | bool]:
    return {
        **_carried(request),
        "issuer": linted.draft.issuer.name,
        "profile": linted.draft.profile.name,
        "not_after": linted.draft.not_after.isoformat(),
        "commitment": committed,
    }


def _carried(request: IssueRequest) -> dict[str, str]:
    carried = {"caller": request.caller, "request": request.registration}
    return {name: value for name, value in carried.items() if value}
