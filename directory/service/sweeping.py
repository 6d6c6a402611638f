# SPDX-License-Identifier: Apache-2.0
"""One change for many people: told line by line before it is made, made line by line, and reported line by line.

Each line is a verb of its own with every rule and record of that verb, so a refusal stops nobody else. What is done
already is told as done: after a crash the same list is given again, and only the rest is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum

from core.errors import N_, TallygateError

from ..errors import BadName, NoSuchPerson, OwnRole, RoleNotForCitizens, TooManyPeople
from ..models import LONGEST_NAME, Person, PersonKind
from ..models_powers import USUAL_DAYS, Grant
from ..powers import Facts, Preview, preview
from .deeds import reasoned
from .staffing import Staffing

MOST = 500
"""Lines at a time; a longer list is given in parts."""
CLASH = N_("the two roles must be kept apart")


class Sweep(StrEnum):
    """What can be done to many at once."""

    DISABLE = "disable"
    ENABLE = "enable"
    GRANT = "grant"
    WITHDRAW = "withdraw"
    LEAVE = "leave"


@dataclass(frozen=True, kw_only=True)
class Line:
    """What the change is, or was, for one person."""

    # As it was given.
    name: str
    person: Person | None = None
    change: Preview = field(default_factory=Preview)
    # Why not, as a catalogue key; empty if it can be, or was, made.
    refused: str = ""
    # It is so already.
    done: bool = False


class Sweeping(Staffing):
    """Within the administrator's part; a role is the directory administrator's to give and to take."""

    def would_sweep(self, act: Sweep, names: Sequence[str], *, role: str = "") -> list[Line]:
        """What the change would be for each of these, by user name or identifier; changes nothing.

        Raises:
            TooManyPeople: too many lines.
            NoSuchRole: there is none of that name.
            BeyondScope: a role, and not the directory's administrator.
        """
        if len(names) > MOST:
            raise TooManyPeople
        if act in (Sweep.GRANT, Sweep.WITHDRAW):
            self._only_everything()
            self._writer.standings.role(role)
        return [self._would(act, name, role) for name in dict.fromkeys(names)]

    def sweep(self, act: Sweep, names: Sequence[str], *, role: str = "", reason: str) -> list[Line]:
        """Make it so, and tell for each whether it is.

        Raises:
            NoReason, TooManyPeople, NoSuchRole, BeyondScope: nothing was done.
        """
        told = reasoned(reason)
        made = []
        for line in self.would_sweep(act, names, role=role):
            if line.person is None or line.refused or line.done:
                made.append(line)
                continue
            try:
                self._make(act, line.person.subject, role, told)
            except TallygateError as error:
                made.append(replace(line, refused=error.message))
            else:
                made.append(replace(line, done=True))
        return made

    def _would(self, act: Sweep, name: str, role: str) -> Line:
        try:
            person = self._called(name)
            if act is not Sweep.DISABLE and person.subject == self._subject.lower():
                # Only told: the verb itself refuses, and records who tried.
                return Line(name=name, refused=OwnRole.message)
            self._own(person.subject)
            before = self._writer.standings.facts_of(person)
            after = self._after(act, before, role)
        except TallygateError as error:
            return Line(name=name[:LONGEST_NAME], refused=error.message)
        found = preview(before, after, self._writer.standings.today())
        refused = CLASH if act in (Sweep.GRANT, Sweep.ENABLE) and found.clash else ""
        return Line(name=name, person=person, change=found, refused=refused, done=after == before)

    def _called(self, name: str) -> Person:
        try:
            found = self._directory.person_by_username(name)
        except NoSuchPerson:
            found = self._directory.person(name)
        if not self.scope().holds(found.organisation):
            raise NoSuchPerson
        return found

    def _after(self, act: Sweep, before: Facts, role: str) -> Facts:
        person, today = before.person, self._writer.standings.today()
        if act in (Sweep.DISABLE, Sweep.LEAVE):
            off = replace(person, enabled=False)
            return replace(before, person=off) if act is Sweep.DISABLE else Facts(person=off)
        if act is Sweep.ENABLE:
            return replace(before, person=replace(person, enabled=True))
        if act is Sweep.WITHDRAW:
            return replace(before, grants=tuple(each for each in before.grants if each.role != role))
        if person.kind is not PersonKind.CIVIL_SERVANT:
            raise RoleNotForCitizens
        if any(each.role == role and not each.is_over(today) for each in before.grants):
            return before
        given = Grant(
            id="", holder=person.subject, role=role, since=today, until=today + timedelta(days=USUAL_DAYS)
        )  # fmt: skip
        roles = {**before.roles, role: self._writer.standings.role(role)}
        return replace(before, grants=(*before.grants, given), roles=roles)

    def _make(self, act: Sweep, subject: str, role: str, reason: str) -> None:
        if act is Sweep.DISABLE:
            self._writer.disable_person(subject, actor=self._subject, reason=reason)
        elif act is Sweep.ENABLE:
            self._writer.enable_person(subject, actor=self._subject, reason=reason)
        elif act is Sweep.LEAVE:
            self._writer.employing.leave(subject, actor=self._subject, reason=reason)
        elif act is Sweep.GRANT:
            self._writer.grant_role(subject, role, actor=self._subject, reason=reason)
        else:
            self._writer.withdraw_role(subject, role, actor=self._subject, reason=reason)


def names_in(text: str) -> list[str]:
    """User names or identifiers, one at the beginning of each line, as a table or a list has them.

    Raises:
        BadName: a line cannot be read.
    """
    found: list[str] = []
    for line in text.replace("\r", "\n").split("\n"):
        name = line.partition(",")[0].strip().strip('"').strip("\ufeff")
        if not name or (not found and name.lower() in ("username", "id")):
            continue
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise BadName
        found.append(name)
    return found
