# SPDX-License-Identifier: Apache-2.0
"""The verbs of bulk enrolment: look a table through, agree to it, issue it line by line, tell what became of it.

An agreement is a grant: its intent is in the published record before it is stored. Lines are issued in batches by one
process at a time; what an attempt that died has made is found by what the authority stored before it signed, so that a
line is finished or begun anew, and never both.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from audit import Event, Outcome, Recorder, Wait
from audit.models import Attribute
from core.clock import Clock
from core.errors import N_, NotFound, TallygateError, Unavailable
from core.log import logger

from ...errors import (
    AlreadyRevoked,
    BulkOver,
    ContentChanged,
    FileRefused,
    IssuanceDenied,
    KeyUnusable,
    LineRefused,
    NotForThisOfficer,
    NotOffered,
    WeaklyProofed,
)
from ...models import Certificate, Issued, IssueRequest, Reason, State
from ...service import CertificateAuthority, ManyRecorder
from ...service.notes import event, note
from ...store import Store
from ...x509 import PROFILES, Profile, SubjectKind
from ..models import Approval
from ..service import ACTOR, OFFICER, At, People
from .models import Job, JobState, Line, LineState, Row, digest_of
from .store import Jobs, reason_of

_log = logger(__name__)

BATCH = 64
"""Lines that share a transaction and a checkpoint; so many seals at most are open when a process dies."""
MOST_WAITING = 100
"""Jobs that officers have not decided."""
_MOST_UNSENT = 4_000
"""Records that may wait for the log before the next batch; no more can be lost of the outbox's place than there is."""
_HELD = (State.SIGNED, State.DELIVERED)


def _offered(profile: Profile) -> bool:
    return profile.subject is SubjectKind.DEVICE and OFFICER in profile.requesters


OFFERED = tuple(name for name, each in PROFILES.items() if _offered(each))
"""The profiles of devices that officers may have made."""


class Both(Recorder, ManyRecorder, Protocol):
    """A recorder of one event and of many."""


class Bulk:
    """Everything bulk enrolment needs, by keyword; ``begin`` is called when there is something to issue."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        certificates: Store,
        authority: CertificateAuthority,
        directory: People,
        recorder: Both,
        clock: Clock,
        nudge: Callable[[], None] = lambda: None,
        begin: Callable[[], None] = lambda: None,
    ) -> None:
        self._jobs = jobs
        self._certificates = certificates
        self._authority = authority
        self._directory = directory
        self._recorder = recorder
        self._clock = clock
        self._nudge = nudge
        self.begin = begin

    def ask(self, rows: Sequence[Row], *, profile: str, asker: str, reference: str, name: str) -> Job:
        """Look a table through and keep it; nothing is issued before officers agree.

        Raises:
            NotOffered: such certificates are not made so.
            FileRefused: too many jobs wait already.
            Unavailable: the directory or the record is away; nothing was kept.
        """
        if profile not in OFFERED:
            raise NotOffered
        if self._jobs.count_waiting() >= MOST_WAITING:
            raise FileRefused(why=N_("too many tables wait for a decision already"), line=0)
        lines = self._looked_through(rows, profile=profile, asker=asker)
        counts = Counter(each.state for each in lines)
        now, usable = self._clock.now(), counts[LineState.READY] > 0
        job = Job(
            id=secrets.token_hex(16),
            profile=profile,
            asker=asker,
            reference=reference,
            name=name,
            # Where no line can be used, there is nothing to agree to.
            state=JobState.WAITING if usable else JobState.DONE,
            digest=digest_of(profile, lines),
            at=now,
            counts=dict(counts),
            closed=None if usable else now,
            closed_by="" if usable else ACTOR,
        )
        said = self._event("ca.bulk.asked", job, asker, {"digest": job.digest, "lines": len(lines)})
        self._jobs.add(job, lines, note(said))
        self._nudge()
        return self._jobs.get(job.id)

    def job(self, identifier: str) -> Job:
        """One job.

        Raises:
            NoSuchBulk: there is none.
        """
        return self._jobs.get(identifier)

    def newest(self, *, before: int = 0) -> tuple[list[Job], int]:
        """The newest first, and where the next page begins."""
        return self._jobs.newest(before=before)

    def lines(self, identifier: str, *, after: int = 0, limit: int = 200) -> list[Line]:
        """Lines of one job in their order."""
        return self._jobs.lines(identifier, after=after, limit=limit)

    def all_lines(self, identifier: str) -> Iterator[Line]:
        """Every line of one job."""
        return self._jobs.all_lines(self._jobs.get(identifier).id)

    def certificates(self, identifier: str) -> Iterator[tuple[Line, Certificate]]:
        """What was issued, line by line."""
        for each in self.all_lines(identifier):
            if each.serial:
                yield each, self._authority.certificate(each.serial)

    def counting(self, job: Job) -> list[Approval]:
        """The approvals that count by what the directory says of the officers now."""
        return [
            each
            for each in job.standing
            if each.digest == job.digest
            and each.assurance >= PROFILES[job.profile].assurance
            and not self._obstacle(each.officer, job)
        ]

    def approve(self, identifier: str, at: At, *, digest: str) -> Job:
        """Agree to exactly what ``digest`` stands for; the last officer's word has it issued.

        Raises:
            BulkOver: it runs already, or was cancelled, or another officer was faster.
            NotForThisOfficer: no officer, bound to an organisation whose device it names, or agreed already.
            ContentChanged: it is not what the officer saw.
            IssuanceDenied: the policies say no.
            RecordUnavailable: the approval is not on the record, so there is none.
        """
        job = self._jobs.get(identifier)
        if job.state is not JobState.WAITING or not job.counts.get(LineState.READY):
            raise BulkOver
        self._check_officer(at, job)
        if job.digest != digest or digest != digest_of(job.profile, self._jobs.all_lines(identifier)):
            raise ContentChanged
        counting = self.counting(job)
        if any(each.officer == at.officer for each in counting):
            self._refused(at, job, "one-officer-twice")
            raise NotForThisOfficer(why="one-officer-twice")
        self._allowed(job, at)
        needed = PROFILES[job.profile].approvals
        enough = len(counting) + 1 >= needed
        said: dict[str, Attribute] = {"digest": digest, "number": len(counting) + 1, "needed": needed}
        intent = self._event("ca.bulk.approved", job, at.officer, said, outcome=Outcome.INTENDED)
        self._recorder.record(intent, wait=Wait.PUBLISHED)
        # State after this line: the record knows that this officer agrees. Without the next the job is as before, and
        # the officer may agree again.
        self._jobs.approve(
            identifier,
            Approval(officer=at.officer, digest=digest, at=self._clock.now(), assurance=at.assurance, zone=at.zone),
            enough=enough,
            seen=[each.officer for each in job.standing],
            void=[each.officer for each in job.standing if each not in counting],
            note=note(self._event("ca.bulk.approved", job, at.officer, said)),
        )
        self._nudge()
        if enough:
            self.begin()
        return self._jobs.get(identifier)

    def cancel(self, identifier: str, *, by: str) -> None:
        """End a job that does not run yet, by whoever asked or by an officer.

        Raises:
            BulkOver: it runs, or has ended.
        """
        job = self._jobs.get(identifier)
        said = self._event("ca.bulk.cancelled", job, by, {})
        self._jobs.cancel(identifier, by=by, at=self._clock.now(), note=note(said))
        self._nudge()

    def running(self) -> list[str]:
        """The jobs that have lines to issue, oldest first."""
        return self._jobs.running()

    def recover(self) -> None:
        """Take every attempt for dead; only for whoever knows that no other process is at work."""
        self._jobs.let_go("", others=True)

    def step(self, identifier: str) -> int:
        """Issue one batch; returns how many lines it took, 0 when nothing is left to begin.

        Raises:
            Unavailable: not now; these lines are as before.
        """
        if self._certificates.outbox.standing().waiting > _MOST_UNSENT:
            raise Unavailable
        holder = secrets.token_hex(16)
        job = self._jobs.get(identifier)
        lines = self._jobs.take(identifier, holder, limit=BATCH)
        if not lines:
            return 0
        try:
            officers = self.counting(job)
            if len({each.officer for each in officers}) < PROFILES[job.profile].approvals:
                self._back(job, officers)
                return 0
            ended = self._ended(job, lines, officers)
            for serial in self._jobs.settle(identifier, holder, ended):
                # This attempt slept so long that the line was begun anew; of two certificates one is worth nothing.
                _log.warning("issued_twice", job=identifier, serial=serial)
                self._supersede(serial)
        finally:
            self._jobs.let_go(holder)
        if len(ended) < len(lines):
            raise Unavailable
        return len(lines)

    def finish(self, identifier: str) -> bool:
        """End a job of which every line has ended; False if it is not so."""
        job = self._jobs.get(identifier)
        counts: dict[str, Attribute] = {
            "issued": job.counts.get(LineState.ISSUED, 0),
            "refused": job.counts.get(LineState.REFUSED, 0),
        }
        done = self._jobs.finish(
            identifier, at=self._clock.now(), note=note(self._event("ca.bulk.done", job, ACTOR, counts))
        )
        if done:
            self._nudge()
        return done

    def _looked_through(self, rows: Sequence[Row], *, profile: str, asker: str) -> list[Line]:
        wishes = [
            IssueRequest(profile=profile, csr=each.csr, subject=each.device, actor=asker, hosts=each.hosts)
            for each in rows
            if each.refusal is None
        ]
        previews = iter(self._authority.preview_all(wishes))
        lines: list[Line] = []
        for each in rows:
            line = Line(number=each.number, device=each.device, csr=each.csr, hosts=each.hosts)
            seen = each.refusal or next(previews)
            if isinstance(seen, TallygateError):
                lines.append(_refused(line, seen))
            else:
                lines.append(replace(line, name=seen.name, key_hash=seen.key_hash, digest=seen.digest))
        return _unlike(lines)

    def _ended(self, job: Job, lines: Sequence[Line], officers: Sequence[Approval]) -> dict[int, str | TallygateError]:
        ended: dict[int, str | TallygateError] = {}
        for each in lines:
            if each.attempts and (serial := self._left_behind(job, each)):
                ended[each.number] = serial
        wanted = [each for each in lines if each.number not in ended]
        last = officers[-1]
        wishes = [
            IssueRequest(
                profile=job.profile,
                csr=each.csr,
                subject=each.device,
                hosts=each.hosts,
                actor=last.officer,
                actor_roles=frozenset({OFFICER}),
                approved_by=tuple(one.officer for one in officers),
                registration=job.id,
                expected=each.digest,
                assurance=last.assurance,
                zone=last.zone,
            )
            for each in wanted
        ]
        for each, made in zip(wanted, self._authority.issue_all(wishes, self._recorder), strict=True):
            if isinstance(made, Issued):
                ended[each.number] = made.serial
            elif isinstance(made, (Unavailable, KeyUnusable)):
                # Neither the device's fault nor the line's: it is tried again.
                _log.warning("bulk_line_postponed", job=job.id, line=each.number, code=made.code)
            else:
                ended[each.number] = made
        return ended

    def _left_behind(self, job: Job, line: Line) -> str:
        """What an earlier attempt made; one that may or may not have been signed is revoked and counts for nothing."""
        begun = max((each.at for each in job.standing), default=job.at)
        found, _ = self._certificates.certificates(key_hash=line.key_hash)
        for each in found:
            if (each.subject, each.profile) != (line.device, job.profile) or each.created < begun:
                continue
            if each.state in _HELD and not self._jobs.has(each.serial):
                return each.serial
            if each.state is State.INTENDED:
                self._supersede(each.serial)
        return ""

    def _supersede(self, serial: str) -> None:
        with suppress(AlreadyRevoked):
            self._authority.revoke(serial, reason=Reason.SUPERSEDED, actor=ACTOR)

    def _back(self, job: Job, counting: Sequence[Approval]) -> None:
        void = [each.officer for each in job.standing if each not in counting]
        said = self._event("ca.bulk.returned", job, ACTOR, {}, outcome=Outcome.FAILURE)
        with suppress(BulkOver):
            self._jobs.wait_again(job.id, void=void, note=note(said))
        self._nudge()

    def _check_officer(self, at: At, job: Job) -> None:
        why = self._obstacle(at.officer, job)
        if why:
            self._refused(at, job, why)
            raise NotForThisOfficer(why=why)
        if at.assurance < PROFILES[job.profile].assurance:
            raise WeaklyProofed

    def _obstacle(self, officer: str, job: Job) -> str:
        """Why this officer has no say here, by what the directory knows now; empty if there is nothing."""
        try:
            person = self._directory.person(officer)
        except NotFound:
            return "role-lost"
        if not person.enabled or OFFICER not in person.roles:
            return "role-lost"
        bound = {each.organisation for each in person.mandates}
        if bound and any(self._owner(each) in bound for each in self._jobs.all_lines(job.id)):
            return "own-organisation"
        return ""

    def _owner(self, line: Line) -> str:
        try:
            return self._directory.device(line.device).organisation
        except NotFound:
            return ""

    def _allowed(self, job: Job, at: At) -> None:
        """Ask once before the approval; each line is asked about again before it is signed."""
        first = next(each for each in self._jobs.all_lines(job.id) if each.state is LineState.READY)
        wish = IssueRequest(
            profile=job.profile,
            csr=first.csr,
            subject=first.device,
            actor=at.officer,
            actor_roles=frozenset({OFFICER}),
            assurance=at.assurance,
            zone=at.zone,
        )
        verdict = self._authority.verdict(wish)
        if not verdict.allowed:
            self._refused(at, job, " ".join(verdict.reasons))
            raise IssuanceDenied(reasons=", ".join(verdict.reasons))

    def _refused(self, at: At, job: Job, reasons: str) -> None:
        """Recorded before it is told."""
        said: dict[str, Attribute] = {"reasons": reasons}
        self._recorder.record(self._event("ca.bulk.refused", job, at.officer, said, outcome=Outcome.DENIED))

    def _event(
        self,
        kind: str,
        job: Job,
        actor: str,
        attributes: Mapping[str, Attribute],
        *,
        outcome: Outcome = Outcome.SUCCESS,
    ) -> Event:
        clear = {"profile": job.profile, **attributes}
        return event(kind, outcome, at=self._clock.now(), actor=actor, serial=job.id, attributes=clear)


def _unlike(lines: Sequence[Line]) -> list[Line]:
    """Of lines for one device or one key none is right: nobody can tell which was meant."""
    ready = [each for each in lines if each.state is LineState.READY]
    devices, keys = Counter(each.device for each in ready), Counter(each.key_hash for each in ready)
    found: list[Line] = []
    for each in lines:
        if each.state is not LineState.READY:
            found.append(each)
        elif devices[each.device] > 1:
            found.append(_refused(each, LineRefused(why=N_("another line is for the same device"))))
        elif keys[each.key_hash] > 1:
            found.append(_refused(each, LineRefused(why=N_("another line is for the same key"))))
        else:
            found.append(each)
    return found


def _refused(line: Line, error: TallygateError) -> Line:
    code, message, _ = reason_of(error)
    parameters = {name: str(value)[:200] for name, value in error.parameters.items()}
    return replace(line, state=LineState.REFUSED, code=code, message=message, parameters=parameters)
