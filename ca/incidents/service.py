# SPDX-License-Identifier: Apache-2.0
"""The verbs of incidents: preview, propose, approve, withdraw, pause, go on, stop; and what their pages show.

A preview fixes the list. One officer proposes it, another agrees to exactly its digest, and only then `running` acts.
What is issued later and would be selected too is counted and shown, and is never touched by that incident.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from core.clock import Clock
from core.errors import N_, Conflict, NotFound
from directory import Person

from ..config import IncidentSettings
from ..errors import (
    IncidentChanged,
    IncidentOver,
    NoSuchIncident,
    NotForThisOfficer,
    NothingSelected,
    SelectorRefused,
    TooMuchSelected,
)
from ..store import Note
from ..store import Store as Certificates
from ..store.tables import seconds
from ..x509 import PROFILES, SubjectKind
from . import notes
from .models import BEGUN, Act, Chosen, Incident, Notice, Plan, Progress, Stage, Summary
from .store import Step, Store

OFFICER = "ra-officer"
OPERATOR = "role:app"
"""The operator on the machine itself, who proposes by the command line."""
LONGEST_TEXT = 2000
SHOWN_UNKNOWN = 20
MOST_SINCE = 1000
"""What would be selected too by now is counted up to here."""
_KINDS = {
    SubjectKind.ORGANISATION: "organisation",
    SubjectKind.DEVICE: "device",
    SubjectKind.MACHINE: "infrastructure",
}


class People(Protocol):
    """The directory as far as incidents look into it; strangers raise NotFound."""

    def person(self, subject: str) -> Person:
        """One person."""
        ...


class Traces(Protocol):
    """Who led to which certificate, as registration, ACME and EST know; composed where all of them are known."""

    def of_officer(self, officer: str) -> Iterable[str]:
        """Serials of what came of an officer's approvals, grants and enrolments."""
        ...

    def of_account(self, account: str) -> Iterable[str]:
        """Serials of what an ACME account ordered, named by itself or by its grant."""
        ...


class Incidents:
    """The verbs; every collaborator comes by keyword.

    ``address`` says where the public page of an incident is. ``nudge`` is called after commits with a record in the
    outbox, ``wake`` when there is work.
    """

    def __init__(
        self,
        *,
        store: Store,
        certificates: Certificates,
        traces: Traces,
        directory: People,
        clock: Clock,
        settings: IncidentSettings,
        address: Callable[[str], str],
        nudge: Callable[[], None] = lambda: None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.address = address
        self._store = store
        self._certificates = certificates
        self._traces = traces
        self._directory = directory
        self._clock = clock
        self._settings = settings
        self._nudge = nudge
        self._wake = wake

    def preview(self, plan: Plan, *, by: str) -> Incident:
        """Find what is selected and fix the list; no certificate is touched.

        Raises:
            SelectorRefused: the plan contradicts itself.
            TooMuchSelected: more than the site allows at once.
        """
        now = self._clock.now()
        _check(plan, now)
        made = Incident(
            id=secrets.token_hex(16),
            stage=Stage.PREVIEW,
            plan=plan,
            opener=by,
            created=now,
            expires=now + self._settings.preview_lifetime,
            horizon=self._store.candidates.horizon(),
        )
        self._store.incidents.begin(made)
        try:
            fixed = self._fix(made)
        except Conflict:
            self._store.items.drop(made.id)
            raise
        kept = self._store.incidents.fix(fixed, notes.about("previewed", fixed, at=now, actor=by, whole=True))
        self._nudge()
        return kept

    def incident(self, identifier: str) -> Incident:
        """One incident.

        Raises:
            NoSuchIncident: there is none, or its preview is not whole.
        """
        found = self._store.incidents.get(identifier)
        if not found.digest:
            raise NoSuchIncident
        return found

    def public(self, identifier: str) -> Incident:
        """One incident, for anybody.

        Raises:
            NoSuchIncident: there is none, or nobody has agreed to it.
        """
        found = self.incident(identifier)
        if found.stage not in BEGUN:
            raise NoSuchIncident
        return found

    def incidents(self, *, before: int = 0) -> tuple[list[Incident], int]:
        """Newest first, and where the next page begins."""
        return self._store.incidents.listed(before=before)

    def listed(self, identifier: str, *, after: int = 0, limit: int = 50) -> tuple[list[Chosen], int]:
        """A page of the exact list, and where the next one begins."""
        return self._store.items.listed(identifier, after=after, limit=limit)

    def progress(self, incident: Incident) -> Progress:
        """How many certificates came to what."""
        return self._store.items.progress(incident.id)

    def notices(self, serials: Sequence[str]) -> dict[str, Notice]:
        """What holders of these certificates are told."""
        return self._store.items.notices(serials)

    def since(self, incident: Incident) -> int:
        """How many were issued since the preview and would be selected too; counted up to `MOST_SINCE`.

        A file names its certificates, so nothing is ever added to it.
        """
        if "serials" in incident.plan.selected:
            return 0
        seen: set[str] = set()
        for page in self._matching(incident.plan, after=incident.horizon, until=self._store.candidates.horizon()):
            seen |= {each.serial for each in page}
            if len(seen) >= MOST_SINCE:
                return MOST_SINCE
        return len(seen)

    def propose(self, identifier: str, *, by: str, digest: str) -> Incident:
        """Put a preview to another officer.

        Raises:
            NotForThisOfficer: it is somebody else's preview, or about one's own acts.
            IncidentChanged: the digest is another's.
            NothingSelected: its list is empty.
            IncidentOver: it is proposed already, or its time is over.
        """
        incident = self._early(identifier, Stage.PREVIEW)
        self._admit(incident, by, "propose", "not-ones-preview" if by != incident.opener else "")
        self._agrees(incident, digest)
        if not incident.size:
            raise NothingSelected
        now = self._clock.now()
        step = Step.to(Stage.PROPOSED, Stage.PREVIEW, expires=seconds(now + self._settings.proposal_lifetime))
        return self._step(incident, step, notes.about("proposed", incident, at=now, actor=by, whole=True))

    def approve(self, identifier: str, *, by: str, digest: str) -> Incident:
        """Agree to exactly what the digest stands for; it begins at once.

        Raises:
            NotForThisOfficer: one's own incident, one about one's own acts, or its author is no officer any more;
                recorded.
            IncidentChanged: the digest is another's.
            IncidentOver: it was decided, or its time or its deadline is over.
        """
        incident = self._early(identifier, Stage.PROPOSED)
        self._admit(incident, by, "approve", "own-incident" if by == incident.opener else "")
        if incident.opener != OPERATOR and self._obstacle(incident, incident.opener):
            self._refuse(incident, by, "approve", "author-lost-role")
        self._agrees(incident, digest)
        now = self._clock.now()
        if incident.plan.deadline and incident.plan.deadline <= now:
            raise IncidentOver
        step = Step.to(Stage.RUNNING, Stage.PROPOSED, approver=by, approved=seconds(now))
        more = {"opener": incident.opener}
        done = self._step(incident, step, notes.about("approved", incident, at=now, actor=by, more=more, whole=True))
        self._wake()
        return done

    def withdraw(self, identifier: str, *, by: str, why: str = "") -> Incident:
        """End an incident that has not begun: its author's change of mind, or another officer's no.

        Raises:
            NotForThisOfficer: the officer is none, or it is about the officer's own acts; recorded.
            IncidentOver: it has begun or ended.
        """
        incident = self.incident(identifier)
        self._admit(incident, by, "withdraw")
        now = self._clock.now()
        step = Step.to(Stage.WITHDRAWN, Stage.PREVIEW, Stage.PROPOSED, closed_by=by, why=why[:200], ended=seconds(now))
        return self._step(incident, step, notes.about("withdrawn", incident, at=now, actor=by, whole=True))

    def pause(self, identifier: str, *, by: str) -> Incident:
        """Have it stand still; what is under way ends first.

        Raises:
            NotForThisOfficer: as ``withdraw``.
            IncidentOver: it is not under way.
        """
        incident = self.incident(identifier)
        self._admit(incident, by, "pause")
        more = {"done": self.progress(incident).done}
        note = notes.about("paused", incident, at=self._clock.now(), actor=by, more=more)
        return self._step(incident, Step.to(Stage.PAUSED, Stage.RUNNING, Stage.WAITING), note)

    def resume(self, identifier: str, *, by: str) -> Incident:
        """Have it go on.

        Raises:
            NotForThisOfficer: as ``withdraw``.
            IncidentOver: it is not paused.
        """
        incident = self.incident(identifier)
        self._admit(incident, by, "resume")
        more = {"done": self.progress(incident).done}
        note = notes.about("resumed", incident, at=self._clock.now(), actor=by, more=more)
        done = self._step(incident, Step.to(Stage.RUNNING, Stage.PAUSED), note)
        self._wake()
        return done

    def stop(self, identifier: str, *, by: str, why: str = "") -> Incident:
        """End it for good; what was done is done.

        Raises:
            NotForThisOfficer: as ``withdraw``.
            IncidentOver: it is not under way.
        """
        incident = self.incident(identifier)
        self._admit(incident, by, "stop")
        now = self._clock.now()
        note = notes.about("stopped", incident, at=now, actor=by, more={"done": self.progress(incident).done})
        values: dict[str, Any] = {"closed_by": by, "why": why[:200], "ended": seconds(now)}
        return self._step(incident, Step.to(Stage.STOPPED, Stage.RUNNING, Stage.WAITING, Stage.PAUSED, **values), note)

    def tidy(self) -> int:
        """End previews and proposals whose time is over, and throw their lists away; returns how many."""
        over = self._store.incidents.lapsed(self._clock.now())
        for incident in over:
            now = self._clock.now()
            note = notes.about("expired", incident, at=now, actor=notes.ACTOR)
            step = Step.to(Stage.EXPIRED, Stage.PREVIEW, Stage.PROPOSED, ended=seconds(now))
            self._step(incident, step, note)
            self._store.items.drop(incident.id)
        return len(over)

    def _fix(self, made: Incident) -> Incident:
        profiles: Counter[str] = Counter()
        issuers: Counter[str] = Counter()
        size = possibly = 0
        for page in self._matching(made.plan, until=made.horizon):
            fresh = set(self._store.items.add(made.id, page))
            for each in page:
                if each.serial not in fresh:
                    continue
                fresh.discard(each.serial)
                size += 1
                profiles[each.profile] += 1
                issuers[each.issuer] += 1
                possibly += each.possibly_issued
            if size > self._settings.most:
                raise TooMuchSelected(most=self._settings.most)
        kinds: Counter[str] = Counter()
        for name, many in profiles.items():
            kinds[_kind(name)] += many
        given = made.plan.selector.serials or frozenset()
        unknown = sorted(given - self._store.candidates.known(given))
        summary = Summary(
            profiles=dict(profiles),
            issuers=dict(issuers),
            kinds=dict(kinds),
            possibly_issued=possibly,
            unknown=len(unknown),
            unknown_first=tuple(unknown[:SHOWN_UNKNOWN]),
            left_out=len(given) - len(unknown) - size if given else 0,
        )
        digest = made.plan.digest(self._store.items.serials(made.id))
        return replace(made, size=size, digest=digest, summary=summary)

    def _matching(self, plan: Plan, *, after: int = 0, until: int) -> Any:
        selector = plan.selector
        named: frozenset[str] | None = selector.serials
        if selector.account:
            ordered = frozenset(self._traces.of_account(selector.account))
            named = ordered if named is None else named & ordered
        of_officer = frozenset(self._traces.of_officer(selector.officer)) if selector.officer else frozenset()
        return self._store.candidates.matching(
            selector, at=self._clock.now(), after=after, until=until, named=named, of_officer=of_officer
        )

    def _early(self, identifier: str, stage: Stage) -> Incident:
        incident = self.incident(identifier)
        if incident.stage is not stage or incident.expires <= self._clock.now():
            raise IncidentOver
        return incident

    def _agrees(self, incident: Incident, digest: str) -> None:
        if not secrets.compare_digest(digest.encode(), incident.digest.encode()):
            raise IncidentChanged

    def _admit(self, incident: Incident, by: str, verb: str, why: str = "") -> None:
        """Let an officer in office have a say, who is not the one it is about."""
        why = why or self._obstacle(incident, by)
        if why:
            self._refuse(incident, by, verb, why)

    def _refuse(self, incident: Incident, by: str, verb: str, why: str) -> None:
        self._record(notes.refused(incident, at=self._clock.now(), actor=by, verb=verb, why=why))
        raise NotForThisOfficer(why=why)

    def _record(self, note: Note) -> None:
        self._certificates.outbox_put(note)
        self._nudge()

    def _obstacle(self, incident: Incident, officer: str) -> str:
        """Why somebody has no say here, by what the directory knows now; empty if there is nothing."""
        if officer == OPERATOR:
            return ""
        if officer == incident.plan.selector.officer:
            return "own-acts"
        try:
            person = self._directory.person(officer)
        except NotFound:
            return "role-lost"
        return "" if person.enabled and OFFICER in person.roles else "role-lost"

    def _step(self, incident: Incident, step: Step, note: Note) -> Incident:
        done = self._store.incidents.step(incident.id, step, note)
        self._nudge()
        return done


def _check(plan: Plan, now: datetime) -> None:
    """Whether a plan can be carried out.

    Raises:
        SelectorRefused: it contradicts itself.
    """
    ends = plan.act is Act.RENEW_THEN_REVOKE
    if ends is (plan.deadline is None):
        raise SelectorRefused(why=N_("only who asks to renew and then revokes has a deadline"))
    if plan.deadline and plan.deadline <= now:
        raise SelectorRefused(why=N_("the deadline is over"))
    if not plan.text.strip() and not plan.text_zh.strip():
        raise SelectorRefused(why=N_("holders are told nothing"))
    if max(len(plan.text), len(plan.text_zh)) > LONGEST_TEXT:
        raise SelectorRefused(why=N_("the explanation is too long"))
    for name in plan.selector.profiles:
        if name not in PROFILES:
            raise SelectorRefused(why=N_("there is no such profile"))


def _kind(name: str) -> str:
    found = PROFILES.get(name)
    return _KINDS.get(found.subject, "person") if found else "infrastructure"
