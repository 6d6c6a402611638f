# SPDX-License-Identifier: Apache-2.0
"""Who keeps a seal: the operator names the first, and from then on two change it, never one."""

import secrets
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Protocol

from audit import Event, Outcome, Recorder
from core.clock import Clock
from core.errors import NotFound, TallygateError
from core.identity import Identity
from directory.models import AGENCY_ADMINISTRATOR, Organisation, Person

from ..keeping import Act, Change, ChangeRefused, KeepingStore, NoSuchOrder, NotKeeper, Rule, SamePerson, State

LASTS = timedelta(days=1)


class People(Protocol):
    """The directory as far as keepers need it; strangers raise NotFound."""

    def person(self, subject: str) -> Person:
        """One person."""
        ...

    def person_by_username(self, username: str) -> Person:
        """One person by user name."""
        ...

    def organisation(self, identifier: str, /) -> Organisation:
        """One organisation."""
        ...


class Keepers:
    """Names, proposes and confirms."""

    def __init__(
        self,
        *,
        store: KeepingStore,
        people: People,
        recorder: Recorder,
        nudge: Callable[[], None],
        clock: Clock,
        # Mandate scope that lets a person use an organisation's seal.
        mandate: str,
    ) -> None:
        self._store = store
        self._people = people
        self._recorder = recorder
        self._nudge = nudge
        self._clock = clock
        self._mandate = mandate

    def name_first(self, organisation: str, usernames: Collection[str]) -> Rule:
        """The operator's word: these keep the seal, which nobody kept before.

        Raises:
            NotFound: the directory knows no such organisation or person.
            ChangeRefused: one of them does not belong to it, or there is none.
            KeepersNamed: it has keepers.
            RecordUnavailable: the intent has no receipt; nobody was named.
        """
        found = self._people.organisation(organisation)
        persons = [self._people.person_by_username(each) for each in usernames]
        if not persons or not all(self._belongs(each, found.id) for each in persons):
            raise ChangeRefused
        subjects = sorted({each.subject for each in persons})

        def event(outcome: Outcome) -> Event:
            return self._event("signature.keepers.changed", outcome, "", found.id, act="first", object_=found.id)

        self._recorder.record(event(Outcome.INTENDED))
        try:
            self._store.name_first(found.id, subjects, event(Outcome.SUCCESS))
        except TallygateError:
            self._recorder.record(event(Outcome.FAILURE))
            raise
        self._nudge()
        return self._store.rule(found.id)

    def concerning(self, subject: str) -> list[tuple[Rule, list[Change]]]:
        """The seals that a person keeps or administers, each with what waits for a second person."""
        mine = set(self._store.kept_by(subject))
        try:
            person = self._people.person(subject)
        except NotFound:
            return []
        if AGENCY_ADMINISTRATOR in person.roles and person.organisation:
            mine.add(person.organisation)
        changes = self._store.changes(mine, at=self._clock.now())
        return [(self._store.rule(each), [one for one in changes if one.organisation == each]) for each in sorted(mine)]

    def name(self, subject: str, *, chinese: bool) -> str:
        """What to call a person; the identifier where the directory does not say."""
        try:
            found = self._people.person(subject)
        except NotFound:
            return subject
        return (found.name_zh or found.name) if chinese else (found.name or found.name_zh)

    def propose(self, identity: Identity, organisation: str, act: Act, username: str = "") -> Change:
        """A change that another one has to confirm.

        Raises:
            NotKeeper: they neither keep nor administer this seal; recorded.
            ChangeRefused: there are no keepers yet, or it cannot be made.
        """
        rule = self._right(identity.subject, organisation)
        subject = self._about(rule, act, username)
        now = self._clock.now()
        change = Change(
            id=secrets.token_hex(16),
            organisation=organisation,
            act=act,
            subject=subject,
            by=identity.subject,
            session=identity.session,
            made_at=now,
            until=now + LASTS,
        )
        self._store.propose(change, self._told("signature.keepers.proposed", change, identity.subject))
        self._nudge()
        return change

    def confirm(self, identity: Identity, identifier: str) -> None:
        """Let a change take effect; on the record first.

        Raises:
            NoSuchOrder: there is none, or it does not concern them.
            SamePerson: they proposed it, or would make themselves a keeper; recorded.
            OrderOver: it was confirmed or withdrawn meanwhile, or its day is over.
            ChangeRefused: it cannot be made any more; it stays proposed.
            RecordUnavailable: the intent has no receipt; nothing was changed.
        """
        change = self._change(identity.subject, identifier)
        own = change.act is Act.ADD and change.subject == identity.subject
        if own or change.by == identity.subject or not identity.session or change.session == identity.session:
            self._refuse(identity.subject, change.organisation, change.id, code=SamePerson.code)
            raise SamePerson
        # Whoever proposed may have lost the right since, and whoever is to be a keeper may have left.
        self._right(change.by, change.organisation)
        if change.act is Act.ADD and not self._belongs(self._people.person(change.subject), change.organisation):
            raise ChangeRefused
        kind = "signature.keepers.changed"
        self._recorder.record(self._told(kind, change, identity.subject, outcome=Outcome.INTENDED))
        try:
            event = self._told(kind, change, identity.subject)
            self._store.end_change(change, State.MADE, at=self._clock.now(), event=event)
        except TallygateError:
            self._recorder.record(self._told(kind, change, identity.subject, outcome=Outcome.FAILURE))
            raise
        self._nudge()

    def withdraw(self, identity: Identity, identifier: str) -> None:
        """Take a proposed change away; whoever could confirm it or proposed it may.

        Raises:
            NoSuchOrder, OrderOver: as ``confirm``.
        """
        change = self._change(identity.subject, identifier)
        event = self._told("signature.keepers.withdrawn", change, identity.subject)
        self._store.end_change(change, State.WITHDRAWN, at=self._clock.now(), event=event)
        self._nudge()

    def _change(self, subject: str, identifier: str) -> Change:
        change = self._store.change(identifier)
        if not self._may(subject, self._store.rule(change.organisation)):
            raise NoSuchOrder
        return change

    def _right(self, subject: str, organisation: str) -> Rule:
        rule = self._store.rule(organisation)
        if not self._may(subject, rule):
            self._refuse(subject, organisation, organisation, code=NotKeeper.code)
            raise NotKeeper
        return rule

    def _may(self, subject: str, rule: Rule) -> bool:
        try:
            person = self._people.person(subject)
        except NotFound:
            return False
        administers = AGENCY_ADMINISTRATOR in person.roles and person.organisation == rule.organisation
        return person.enabled and (subject in rule.keepers or administers)

    def _about(self, rule: Rule, act: Act, username: str) -> str:
        if not rule.keepers:
            # The first are the operator's to name.
            raise ChangeRefused
        if act in {Act.TWO, Act.ONE}:
            return ""
        try:
            person = self._people.person_by_username(username)
        except NotFound as error:
            raise ChangeRefused from error
        if (person.subject in rule.keepers) is (act is Act.ADD):
            raise ChangeRefused
        if act is Act.ADD and not self._belongs(person, rule.organisation):
            raise ChangeRefused
        return person.subject

    def _belongs(self, person: Person, organisation: str) -> bool:
        today = self._clock.now().date()
        return person.enabled and (
            person.organisation == organisation
            or any(
                each.organisation == organisation and each.scope in {self._mandate, "all"} and each.until >= today
                for each in person.mandates
            )
        )

    def _refuse(self, subject: str, organisation: str, object_: str, *, code: str) -> None:
        self._recorder.record(
            Event(
                key=secrets.token_hex(16),
                type="signature.refused",
                outcome=Outcome.DENIED,
                at=self._clock.now(),
                source="signatures",
                subject=subject,
                object=object_,
                organisation=organisation,
                attributes={"code": code, "caller": "sign"},
            )
        )

    def _told(self, type_: str, change: Change, actor: str, *, outcome: Outcome = Outcome.SUCCESS) -> Event:
        return self._event(
            type_,
            outcome,
            change.subject,
            change.organisation,
            act=change.act.value,
            object_=change.id,
            actor=actor,
            by=change.by,
        )

    def _event(
        self,
        type_: str,
        outcome: Outcome,
        subject: str,
        organisation: str,
        *,
        act: str,
        object_: str,
        actor: str = "",
        by: str = "",
    ) -> Event:
        return Event(
            key=secrets.token_hex(16),
            type=type_,
            outcome=outcome,
            at=self._clock.now(),
            source="signatures",
            subject=subject,
            actor=actor,
            object=object_,
            organisation=organisation,
            attributes={"act": act, **({"proposed_by": by} if by else {})},
        )
