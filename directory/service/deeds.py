# SPDX-License-Identifier: Apache-2.0
"""How the verbs about posts, roles and grants are recorded and done: one shape for all of them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn

from audit import Event, Outcome, new_key
from audit.models import Attribute
from core.clock import Clock
from core.errors import TallygateError

from ..errors import DutiesConflict, NoReason, NotMigrated, OwnRole, TooManyPeople, TwoAdministrators
from ..ldap import Tree, changes
from ..ldap.changes import Change
from ..models import Person
from ..models_powers import LONGEST_REASON, last_days_text
from ..powers import Facts, clash, ever, named
from ..store import Store, Striking
from .entering import new_id
from .events import event
from .journal import Journal
from .standings import Standings

_LONGEST_ATTRIBUTE = 400


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One event that a change is recorded by, without its outcome."""

    kind: str
    subject: str = ""
    organisation: str = ""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    sealed: Mapping[str, str] = field(default_factory=dict)


class Deeds:
    """What all verbs that give and take need."""

    def __init__(self, *, standings: Standings, journal: Journal, store: Store, tree: Tree, clock: Clock) -> None:
        self.standings = standings
        self.tree = tree
        self._journal = journal
        self._store = store
        self._clock = clock
        self._is_ready = False

    @contextmanager
    def alone(self, *, migrating: bool = False) -> Iterator[None]:
        """Hold the right to make changes, so that what was read stays true.

        Raises:
            NotMigrated: the tree is of an earlier release and has no place for it.
            DirectoryUnavailable: something is unfinished and cannot be finished now.
        """
        with self._journal.alone():
            self._is_ready = self._is_ready or not self.standings.missing_branches()
            if not (self._is_ready or migrating):
                raise NotMigrated
            yield

    def now(self) -> datetime:
        """The time."""
        return self._clock.now()

    def number(self) -> int:
        """The next register number."""
        return self._store.numbers(1)[0]

    def new_id(self) -> str:
        """A random identifier."""
        return new_id()

    def give(self, series: Iterable[Change], deed: Deed, *more: Deed, actor: str) -> None:
        """Record the intent, make the changes, record the outcome of ``deed`` and of whatever follows from it."""
        key = new_key()
        intent, done, failed = (
            self._event(deed, outcome, actor=actor, operation=key)
            for outcome in (Outcome.INTENDED, Outcome.SUCCESS, Outcome.FAILURE)
        )
        followed = tuple(self._event(each, Outcome.SUCCESS, actor=actor, operation=key) for each in more)
        self._journal.grant(key, tuple(series), intent=intent, outcomes=(*followed, done), failure=failed)

    def take(self, series: Iterable[Change], deed: Deed, *more: Deed, actor: str) -> None:
        """Commit with the records, then make the changes. Only inside ``alone``."""
        key = new_key()
        first, *rest = (self._event(each, Outcome.SUCCESS, actor=actor, operation=key) for each in (deed, *more))
        self._journal.take_away_alone(tuple(series), first, *rest)

    def strike(self, act: Striking, deed: Deed, *, actor: str) -> bool:
        """Let something go that stands in a table of ours, in one transaction with its record; whether it stood."""
        return self._journal.strike(act, self._event(deed, Outcome.SUCCESS, actor=actor, operation=new_key()))

    def say(self, deed: Deed, outcome: Outcome, *, actor: str) -> None:
        """Record something before it is shown or refused.

        Raises:
            RecordUnavailable: no receipt; it must not be shown.
        """
        self._journal.refuse(self._event(deed, outcome, actor=actor, operation=""))

    def another(self, actor: str, subject: str, **said: str) -> None:
        """See that nobody gives anything to themselves, or takes it; who tries is recorded.

        Raises:
            OwnRole: they are the same.
            NoSuchPerson: and there is nobody of that name.
        """
        if actor.lower() == subject.lower():
            self._refuse(OwnRole, self.standings.directory.person(subject), actor=actor, said=said)

    def two(self, first: str, actor: str, person: Person, **said: str) -> None:
        """See that one administrator asked and another one decides, about somebody else; who tries is recorded.

        Raises:
            OwnRole: it is about whoever decides.
            TwoAdministrators: nobody asked, or whoever decides did.
        """
        if actor.lower() == person.subject:
            self._refuse(OwnRole, person, actor=actor, said=said)
        if not first or first.lower() == actor.lower():
            self._refuse(TwoAdministrators, person, actor=actor, said=said)

    def not_oneself(self, person: Person, actor: str, **said: str) -> None:
        """Refuse what somebody would gain by a post or role that they hold.

        Raises:
            OwnRole: always.
        """
        self._refuse(OwnRole, person, actor=actor, said=said)

    def apart(self, after: Facts, *, actor: str, **said: str) -> None:
        """See that duties stay apart over everything that is held or will be; who tries otherwise is recorded.

        Raises:
            DutiesConflict: they would not.
        """
        if clash({*ever(after, self.standings.today()), *after.person.roles}, self.standings.apart()):
            self._refuse(DutiesConflict, after.person, actor=actor, said=said)

    def about(self, person: Person, actor: str, reason: str = "") -> dict[str, str]:
        """The sealed part of what concerns a person: both names, and why."""
        acting = self.standings.directory.called(actor) if actor and actor.lower() != person.subject else ""
        return {"name": person.name_zh or person.name, "actor_name": acting, "reason": reason}

    def settled(self, before: Facts, after: Facts) -> list[Change]:
        """The changes that make memberships follow from ``after`` where they followed from ``before``.

        The last days come first: nobody is a member for a moment without them. What has ended since goes too. A
        membership from before there were grants follows from nothing and stays as it is.
        """
        person = after.person
        was, wanted = named(before), self.standings.expected(after)
        held = self.standings.materialised(person.subject)
        dn = self.tree.person(person.subject)
        leave = [role for role in sorted(was - wanted.keys()) if role in held]
        join = [role for role in sorted(wanted.keys()) if role not in held]
        kept = {role: day for role, day in held.items() if role not in was}
        days, old = last_days_text({**kept, **wanted}), self.standings.last_days(person.subject)
        made = [changes.last_days(dn, days, before=old)] if days != old else []
        made += [changes.member(self.tree.role(role), dn, joins=False) for role in leave]
        return made + [changes.member(self.tree.role(role), dn, joins=True) for role in join]

    def _refuse(self, why: type[TallygateError], person: Person, *, actor: str, said: Mapping[str, str]) -> NoReturn:
        deed = Deed(
            kind="directory.power.refused",
            subject=person.subject,
            attributes={**said, "code": why.code},
            sealed=self.about(person, actor),
        )
        by = person.subject if actor.lower() == person.subject else actor or "role:directory"
        self._journal.refuse(self._event(deed, Outcome.DENIED, actor=by, operation=""))
        raise why

    def _event(self, deed: Deed, outcome: Outcome, *, actor: str, operation: str) -> Event:
        return event(
            deed.kind,
            outcome,
            self._clock.now(),
            subject=deed.subject,
            actor=actor,
            operation=operation,
            organisation=deed.organisation,
            attributes=deed.attributes,
            sealed=deed.sealed,
        )


def reasoned(reason: str) -> str:
    """A reason that can be kept.

    Raises:
        NoReason: there is none, or it is too long or holds control characters.
    """
    told = reason.strip()
    if not told or len(told) > LONGEST_REASON or not told.isprintable():
        raise NoReason
    return told


def listed(roles: Iterable[str]) -> str:
    """Names of roles as one attribute of an event.

    Raises:
        TooManyPeople: it has no room for them.
    """
    text = " ".join(sorted(roles))
    if len(text) > _LONGEST_ATTRIBUTE:
        raise TooManyPeople
    return text
