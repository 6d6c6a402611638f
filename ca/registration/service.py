# SPDX-License-Identifier: Apache-2.0
"""The verbs of registration: ask, prove, approve, deny, withdraw; and issue when everybody has agreed.

An approval is a grant: its intent is in the published record before it is stored. Ending a request takes away and
commits with its record. An approved request is issued by one attempt at a time; an attempt that died is found again by
what the authority stored before it signed, so that it is finished or revoked before another begins.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from audit import Event, Outcome, Recorder, Wait
from audit.models import Attribute
from core.clock import Clock
from core.errors import NotFound, TallygateError, Unavailable
from core.log import logger
from directory import Device, Organisation, Person

from ..errors import (
    AlreadyRevoked,
    AskedTooOften,
    ContentChanged,
    EvidenceMissing,
    IssuanceDenied,
    NoSuchRequest,
    NotForThisOfficer,
    NotOffered,
    RequestOver,
    WeaklyProofed,
)
from ..models import IssueRequest, Preview, Reason, State
from ..service import CertificateAuthority
from ..service.notes import Names, event, note
from ..store import Store
from ..x509 import PROFILES, Hosts, Profile, SubjectKind
from .models import Approval, Asked, Evidence, Offer, Stage, Wish
from .store import Ending, Requests

_log = logger(__name__)

OFFICER = "ra-officer"
ACTOR = "role:ca"
MOST_OPEN = 5
"""Undecided requests of one person."""
ATTEMPT = timedelta(minutes=5)
"""After this long an attempt at issuing is taken for dead; longer than `CASettings.issuance_timeout`."""
LONGEST_TEXT = 200
_SEALS = frozenset({"seal", "all"})


class People(Protocol):
    """The directory as far as registration looks into it; strangers raise NotFound."""

    def person(self, subject: str) -> Person:
        """One person."""
        ...

    def organisation(self, identifier: str, /) -> Organisation:
        """One organisation."""
        ...

    def device(self, identifier: str, /) -> Device:
        """One device."""
        ...


@dataclass(frozen=True, kw_only=True)
class At:
    """The officer at the desk, as the gateway or the side door vouched for."""

    officer: str
    assurance: int
    zone: str


class Registration:
    """Everything registration needs, by keyword; ``nudge`` is called after commits with a record in the outbox."""

    def __init__(
        self,
        *,
        requests: Requests,
        certificates: Store,
        authority: CertificateAuthority,
        directory: People,
        recorder: Recorder,
        clock: Clock,
        lifetime: timedelta,
        nudge: Callable[[], None] = lambda: None,
    ) -> None:
        self._requests = requests
        self._certificates = certificates
        self._authority = authority
        self._directory = directory
        self._recorder = recorder
        self._clock = clock
        self._lifetime = lifetime
        self._nudge = nudge

    def offers(self, subject: str) -> list[Offer]:
        """What a person may ask for: for oneself, and for organisations by mandate."""
        person, today = self._directory.person(subject), self._clock.now().date()
        found = [
            Offer(profile=name, subject=subject)
            for name, kind in PROFILES.items()
            if _by_officers(kind) and (kind.subject is SubjectKind.PERSON or kind.subject.value == person.kind.value)
        ]
        for mandate in person.mandates:
            if mandate.until < today:
                continue
            named = self._directory.organisation(mandate.organisation)
            called = named.name_zh or named.name
            found += [
                Offer(profile=name, subject=subject, organisation=mandate.organisation, name=called)
                if kind.subject is SubjectKind.REPRESENTATIVE
                else Offer(profile=name, subject=mandate.organisation, name=called)
                for name, kind in PROFILES.items()
                if _by_officers(kind)
                and (
                    kind.subject is SubjectKind.REPRESENTATIVE
                    or (kind.subject is SubjectKind.ORGANISATION and mandate.scope in _SEALS)
                )
            ]
        return list({each.key: each for each in found}.values())

    def ask(self, *, asker: str, offer: str, csr: bytes) -> Asked:
        """A person asks for one of their `offers`.

        Raises:
            NotOffered: it is none of them.
            AskedTooOften: too many of this person's requests are undecided.
            AlreadyAsked: an open request is for the same key.
            TallygateError: the request or its key cannot be used, or the directory says no; see
                ``CertificateAuthority.preview``.
        """
        wanted = next((each for each in self.offers(asker) if each.key == offer), None)
        if wanted is None:
            raise NotOffered
        if self._requests.count_open(asker) >= MOST_OPEN:
            raise AskedTooOften
        person = self._directory.person(asker)
        wish = Wish(
            profile=wanted.profile, csr=csr, subject=wanted.subject, asker=asker, organisation=wanted.organisation
        )
        proofing = person.proofing
        if proofing.level < PROFILES[wanted.profile].assurance or proofing.date is None:
            return self._keep(*self._drafted(wish))
        # A registrar has proved this person's identity as surely as the certificate will say.
        said = f"{proofing.level}, {proofing.date.isoformat()} {proofing.evidence}".strip()[:LONGEST_TEXT]
        return self._keep(*self._drafted(wish, evidence=Evidence.DIRECTORY, reference=said))

    def ask_at_desk(self, wish: Wish, at: At, *, evidence: Evidence, reference: str) -> Asked:
        """An officer asks for somebody whose identity the officer proved; that is the officer's approval as well.

        Where the profile demands no other officer, it is issued at once.

        Raises:
            TallygateError: as ``ask`` and ``approve``; what was asked for by then stays in the queue.
        """
        if not _by_officers(PROFILES.get(wish.profile)):
            raise NotOffered
        asked, digest = self._drafted(wish, evidence=evidence, reference=reference, by=at.officer)
        self._check_officer(at, asked, "ask")
        self._allowed(asked, at, "ask")
        return self.approve(self._keep(asked, digest).id, at, digest=digest)

    def ask_as_device(self, *, device: str, profile: str, csr: bytes, reference: str) -> Asked:
        """A device that proved itself asks for itself; the newest of the same request, or else one that is made now.

        Raises:
            NotOffered: officers make no such certificates, or none for devices.
            AskedTooOften: too many of its requests are undecided.
            AlreadyAsked: another open request is for the same key.
            TallygateError: as ``ask``.
        """
        for asked in self._requests.of(device):
            lapsed = asked.stage in (Stage.EXPIRED, Stage.WITHDRAWN)
            if (asked.profile, asked.csr) == (profile, csr) and not lapsed:
                return asked
        kind = PROFILES.get(profile)
        if kind is None or kind.subject is not SubjectKind.DEVICE or not _by_officers(kind):
            raise NotOffered
        if self._requests.count_open(device) >= MOST_OPEN:
            raise AskedTooOften
        wish = Wish(profile=profile, csr=csr, subject=device, asker=device)
        return self._keep(*self._drafted(wish, evidence=Evidence.DIRECTORY, reference=reference))

    def request(self, identifier: str) -> Asked:
        """One request, for an officer.

        Raises:
            NoSuchRequest: there is none.
        """
        return self._requests.get(identifier)

    def own(self, identifier: str, asker: str) -> Asked:
        """One request, for whoever asked.

        Raises:
            NoSuchRequest: there is none, or it is somebody else's, which is not said.
        """
        found = self._requests.get(identifier)
        if found.asker != asker:
            raise NoSuchRequest
        return found

    def asked_by(self, asker: str) -> list[Asked]:
        """The newest of one person."""
        return self._requests.of(asker)

    def waiting(self) -> int:
        """How many requests wait for officers."""
        return self._requests.count((Stage.ASKED, Stage.EVIDENCE, Stage.APPROVED_ONCE, Stage.APPROVED))

    def queue(self, stages: tuple[Stage, ...], *, after: int = 0) -> tuple[list[Asked], int]:
        """Oldest first, and where the next page begins."""
        return self._requests.queue(stages, after=after)

    def preview(self, asked: Asked) -> Preview:
        """What would be issued now.

        Raises:
            TallygateError: nothing would; see ``CertificateAuthority.preview``.
        """
        return self._authority.preview(_request_of(asked))

    def counting(self, asked: Asked, preview: Preview) -> list[Approval]:
        """The approvals that count for these bytes and by what the directory says of the officers now."""
        return [
            each
            for each in asked.standing
            if each.digest == preview.digest
            and each.assurance >= PROFILES[asked.profile].assurance
            and not self._obstacle(each.officer, asked)
        ]

    def prove(self, identifier: str, at: At, *, evidence: Evidence, reference: str) -> None:
        """Say by what the holder's identity was proved.

        Raises:
            RequestOver: it is decided, or evidence is on file.
            NotForThisOfficer: one's own, or an organisation's one is bound to.
        """
        asked = self._open(identifier)
        self._check_officer(at, asked, "prove")
        self._recorder.record(
            self._event("ca.request.proved", asked, at.officer, {"evidence": evidence.value}, reference=reference)
        )
        self._requests.prove(identifier, evidence=evidence, reference=reference, by=at.officer)

    def approve(self, identifier: str, at: At, *, digest: str) -> Asked:
        """Agree to exactly what ``digest`` stands for; the last officer's word has it issued.

        Raises:
            RequestOver: it is decided, over, or another officer was faster.
            EvidenceMissing: nobody has proved the holder's identity.
            NotForThisOfficer: one's own request, an organisation's one is bound to, or agreed already.
            ContentChanged: what would be issued is not what the officer saw.
            IssuanceDenied: the policies say no.
            RecordUnavailable: the approval is not on the record, so there is none.
            TallygateError: approved, but not issued; see ``CertificateAuthority.issue``.
        """
        asked = self._open(identifier)
        if asked.evidence is None:
            raise EvidenceMissing
        self._check_officer(at, asked, "approve")
        preview = self.preview(asked)
        if preview.digest != digest:
            raise ContentChanged
        counting = self.counting(asked, preview)
        if any(each.officer == at.officer for each in counting):
            self._refused(at, asked, "approve", "one-officer-twice")
            raise NotForThisOfficer(why="one-officer-twice")
        self._allowed(asked, at, "approve")
        needed = PROFILES[asked.profile].approvals
        enough = len(counting) + 1 >= needed
        said: dict[str, Attribute] = {"digest": digest, "number": len(counting) + 1, "needed": needed}
        intent = self._event("ca.request.approved", asked, at.officer, said, outcome=Outcome.INTENDED)
        self._recorder.record(intent, wait=Wait.PUBLISHED)
        # State after this line: the record knows that this officer agrees. Without the next the request is as before,
        # and the officer may agree again.
        self._requests.approve(
            identifier,
            Approval(officer=at.officer, digest=digest, at=self._clock.now(), assurance=at.assurance, zone=at.zone),
            stage=Stage.APPROVED if enough else Stage.APPROVED_ONCE,
            seen=[each.officer for each in asked.standing],
            void=[each.officer for each in asked.standing if each not in counting],
            note=note(self._event("ca.request.approved", asked, at.officer, said)),
        )
        self._nudge()
        if enough:
            # State: approved. From here on whoever comes next, housekeeping at the latest, issues it.
            self.issue(identifier)
        return self._requests.get(identifier)

    def deny(self, identifier: str, at: At, *, reason: str) -> None:
        """End a request with a reason that whoever asked may read.

        Raises:
            RequestOver: it is decided already.
            NotForThisOfficer: one's own, or an organisation's one is bound to.
        """
        asked = self._open(identifier)
        self._check_officer(at, asked, "deny")
        self._end(asked, "ca.request.denied", Stage.DENIED, by=at.officer, reason=reason)

    def withdraw(self, identifier: str, asker: str) -> None:
        """Take one's own request back.

        Raises:
            NoSuchRequest: it is not one's own.
            RequestOver: it is decided already.
        """
        self._end(self.own(identifier, asker), "ca.request.withdrawn", Stage.WITHDRAWN, by=asker)

    def issue(self, identifier: str) -> None:
        """Have the certificate of an approved request made, unless another attempt is under way.

        Raises:
            Unavailable: not now; it stays approved and is tried again.
            TallygateError: not so; it is back with the officers, and their approvals count no more.
        """
        holder, now = secrets.token_hex(16), self._clock.now()
        if not self._requests.claim(identifier, holder, now=now, until=now + ATTEMPT):
            return
        asked = self._requests.get(identifier)
        try:
            serial = self._left_behind(asked) or self._made(asked)
        except Unavailable:
            self._requests.let_go(identifier, holder)
            raise
        except TallygateError as error:
            said = self._event("ca.request.returned", asked, ACTOR, {"code": error.code}, outcome=Outcome.FAILURE)
            void = [each.officer for each in asked.standing]
            self._requests.reopen(identifier, holder, failure=error.code, void=void, note=note(said))
            self._nudge()
            raise
        if not self._requests.issued(identifier, holder, serial, at=self._clock.now()):
            # This attempt slept so long that another was made; of two certificates the later is worth nothing.
            _log.warning("issued_twice", request=identifier, serial=serial)
            with suppress(AlreadyRevoked):
                self._authority.revoke(serial, reason=Reason.SUPERSEDED, actor=ACTOR)

    def tidy(self) -> int:
        """End what is over and issue what is approved; returns how many.

        Raises:
            Unavailable: the rest waits for the next round.
        """
        over = self._requests.lapsed(self._clock.now())
        for asked in over:
            with suppress(RequestOver):
                self._end(asked, "ca.request.expired", Stage.EXPIRED, by=ACTOR)
        approved, _ = self._requests.queue((Stage.APPROVED,))
        for asked in approved:
            try:
                self.issue(asked.id)
            except Unavailable:
                raise
            except TallygateError as error:
                _log.warning("request_returned", request=asked.id, code=error.code)
        return len(over) + len(approved)

    def _drafted(
        self, wish: Wish, *, evidence: Evidence | None = None, reference: str = "", by: str = ""
    ) -> tuple[Asked, str]:
        """The request as it would be kept, and the digest of what would be issued."""
        now = self._clock.now()
        asked = Asked(
            id=secrets.token_hex(16),
            stage=Stage.EVIDENCE if evidence else Stage.ASKED,
            profile=wish.profile,
            subject=wish.subject,
            organisation=wish.organisation,
            asker=wish.asker,
            csr=wish.csr,
            at=now,
            expires=now + self._lifetime,
            evidence=evidence,
            reference=reference,
            evidence_by=by,
        )
        preview = self.preview(asked)
        return replace(asked, name=preview.name, key_hash=preview.key_hash), preview.digest

    def _keep(self, asked: Asked, digest: str) -> Asked:
        said = {"digest": digest, "evidence": asked.evidence.value if asked.evidence else ""}
        self._recorder.record(self._event("ca.request.asked", asked, asked.asker, said, reference=asked.reference))
        return self._requests.add(asked)

    def _open(self, identifier: str) -> Asked:
        asked = self._requests.get(identifier)
        if not asked.open:
            raise RequestOver
        if asked.expires <= self._clock.now():
            self._end(asked, "ca.request.expired", Stage.EXPIRED, by=ACTOR)
            raise RequestOver
        return asked

    def _end(self, asked: Asked, kind: str, stage: Stage, *, by: str, reason: str = "") -> None:
        ending = Ending(stage=stage, by=by, at=self._clock.now(), reason=reason)
        self._requests.close(asked.id, ending, note(self._event(kind, asked, by, {}, reason=reason)))
        self._nudge()

    def _check_officer(self, at: At, asked: Asked, act: str) -> None:
        """May this officer have a say at all? What is refused is recorded first."""
        why = self._obstacle(at.officer, asked)
        if why:
            self._refused(at, asked, act, why)
            raise NotForThisOfficer(why=why)
        if at.assurance < PROFILES[asked.profile].assurance:
            raise WeaklyProofed

    def _refused(self, at: At, asked: Asked, act: str, reasons: str) -> None:
        said: dict[str, Attribute] = {"act": act, "reasons": reasons}
        self._recorder.record(self._event("ca.request.refused", asked, at.officer, said, outcome=Outcome.DENIED))

    def _obstacle(self, officer: str, asked: Asked) -> str:
        """Why this officer has no say here, by what the directory knows now; empty if there is nothing."""
        # Who asks at the desk proves the holder's identity with it; whoever asks for oneself does not.
        at_desk = asked.asker == asked.evidence_by
        if officer == asked.subject or (officer == asked.asker and not at_desk):
            return "own-request"
        try:
            person = self._directory.person(officer)
        except NotFound:
            return "role-lost"
        if not person.enabled or OFFICER not in person.roles:
            return "role-lost"
        concerned = {asked.subject, asked.organisation, self._owner(asked)} - {""}
        if any(each.organisation in concerned for each in person.mandates):
            return "own-organisation"
        return ""

    def _owner(self, asked: Asked) -> str:
        if PROFILES[asked.profile].subject is not SubjectKind.DEVICE:
            return ""
        return self._directory.device(asked.subject).organisation

    def _allowed(self, asked: Asked, at: At, act: str) -> None:
        wish = replace(
            _request_of(asked),
            actor=at.officer,
            actor_roles=frozenset({OFFICER}),
            assurance=at.assurance,
            zone=at.zone,
        )
        verdict = self._authority.verdict(wish)
        if not verdict.allowed:
            self._refused(at, asked, act, " ".join(verdict.reasons))
            raise IssuanceDenied(reasons=", ".join(verdict.reasons))

    def _left_behind(self, asked: Asked) -> str:
        """What an earlier attempt made; one that may or may not have been signed is revoked and counts for nothing."""
        begun = max((each.at for each in asked.standing), default=asked.at)
        found, _ = self._certificates.certificates(key_hash=asked.key_hash)
        for each in found:
            if (each.subject, each.profile) != (asked.subject, asked.profile) or each.created < begun:
                continue
            if self._requests.has(each.serial):
                # The same key was certified at an earlier request.
                continue
            if each.state in (State.SIGNED, State.DELIVERED):
                return each.serial
            if each.state is State.INTENDED:
                with suppress(AlreadyRevoked):
                    self._authority.revoke(each.serial, reason=Reason.SUPERSEDED, actor=ACTOR)
        return ""

    def _made(self, asked: Asked) -> str:
        preview = self.preview(asked)
        counting = self.counting(asked, preview)
        if len({each.officer for each in counting}) < PROFILES[asked.profile].approvals:
            raise ContentChanged
        last = counting[-1]
        wish = replace(
            _request_of(asked),
            actor=last.officer,
            actor_roles=frozenset({OFFICER}),
            approved_by=tuple(each.officer for each in counting),
            registration=asked.id,
            expected=preview.digest,
            assurance=last.assurance,
            zone=last.zone,
        )
        return self._authority.issue(wish).serial

    def _event(
        self,
        kind: str,
        asked: Asked,
        actor: str,
        attributes: Mapping[str, Attribute],
        *,
        outcome: Outcome = Outcome.SUCCESS,
        reference: str = "",
        reason: str = "",
    ) -> Event:
        clear = {"profile": asked.profile, **{name: value for name, value in attributes.items() if value != ""}}
        made = event(
            kind,
            outcome,
            at=self._clock.now(),
            subject=asked.subject,
            actor=actor,
            serial=asked.id,
            attributes=clear,
            names=Names(subject=asked.name),
        )
        if not made.subject:
            # Nothing can be sealed that belongs to no person.
            return made
        more = {"reference": reference, "reason": reason}
        return replace(made, sealed={**made.sealed, **{name: text for name, text in more.items() if text}})


def _by_officers(profile: Profile | None) -> bool:
    """Whether it is made at officers' wish, and names no hosts."""
    return profile is not None and OFFICER in profile.requesters and profile.hosts is Hosts.NONE


def _request_of(asked: Asked) -> IssueRequest:
    return IssueRequest(
        profile=asked.profile,
        csr=asked.csr,
        subject=asked.subject,
        organisation=asked.organisation,
        actor=asked.asker,
    )
