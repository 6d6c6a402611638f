# SPDX-License-Identifier: Apache-2.0
"""The part of an administrator's verbs that programs use (SCIM): whole lists, groups, and letting go for good."""

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..errors import AlreadyGiven, NoSuchPerson, NoSuchRole, TooBroad, TooManyPeople
from ..models import LONGEST_NAME, Person
from ..models_powers import Role
from ..scim import MOST_COUNTED, user_filter
from .scoping import Scoped

_PAGE = 400
MOST_CHANGED = 1000
"""Members that one request may let join or leave: each is a recorded grant."""
_THERE = "(!(&(tallyReleased=TRUE)(tallyEnabled=FALSE)))"


class Programs(Scoped):
    """Each verb within the administrator's part."""

    def user(self, subject: str) -> Person:
        """One person, unless programs let them go.

        Raises:
            NoSuchPerson: nobody, nobody of the branch, or somebody who was let go.
        """
        person = self.person(subject)
        if person.released and not person.enabled:
            raise NoSuchPerson
        return person

    def users_filter(self, text: str) -> str:
        """The LDAP filter of a client's filter, without those who were let go.

        Raises:
            BadFilter: it is none.
        """
        return f"(&{_THERE}{user_filter(text, self._groups_fitting)})" if text else _THERE

    def all_where(self, where: str, *, most: int = MOST_COUNTED) -> list[Person]:
        """Everybody of the own part whom a filter of our own making finds, in order of register number.

        Raises:
            TooBroad: more than can be counted.
        """
        found: list[Person] = []
        for person in self._walk(where):
            found.append(person)
            if len(found) > most:
                raise TooBroad
        return found

    def members(self, role: str, *, most: int = MOST_COUNTED) -> list[Person]:
        """Everybody of the own part who has a role today.

        Raises:
            TooManyPeople: more than can be told at once.
        """
        found: list[Person] = []
        after = ""
        while True:
            page = self._writer.standings.reaches(role, after=after, limit=_PAGE, within=self.scope())
            found += page.items
            if len(found) > most:
                raise TooManyPeople
            if not page.after:
                return found
            after = page.after

    def release(self, subject: str, *, reason: str) -> None:
        """Let somebody go, at once, and let programs find them no longer; their entry stays for the record.

        May be repeated: an interrupted one has shut them out and is finished by the next.

        Raises:
            BeyondScope: they hold a role of the whole site.
            OwnRole: nobody lets themselves go.
        """
        person = self.user(self._own(subject))
        self._writer.employing.leave(person.subject, actor=self._subject, reason=reason)
        self._writer.profiles.release(person.subject, actor=self._subject)

    def add_group(self, title: str) -> Role:
        """Enter a role that gives nothing yet, called after its title.

        Raises:
            BeyondScope: not the directory's administrator.
            AlreadyGiven: there is one of that name.
        """
        self._only_everything()
        name = re.sub(r"[^a-z0-9]+", "-", title.lower())[:LONGEST_NAME].strip("-")
        # A title in another script makes no name.
        name = name or f"role-{secrets.token_hex(6)}"
        if any(each.title == title for each in self._writer.standings.roles()):
            raise AlreadyGiven
        self._writer.structure.add_role(name, title=title, actor=self._subject)
        return self._writer.standings.role(name)

    def rename_group(self, name: str, title: str) -> None:
        """As ``Structure.rename_role``.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        self._writer.structure.rename_role(name, title, actor=self._subject)

    def regroup(self, name: str, *, joins: Iterable[str], leaves: Iterable[str], reason: str) -> None:
        """Let people join and leave a role, one recorded grant each; stops at the first that is refused.

        Raises:
            TooManyPeople: more than one request may change.
            BeyondScope: not the directory's administrator.
            OwnRole, DutiesConflict, RoleFromPost: as for each alone.
        """
        joining, leaving = list(joins), list(leaves)
        if not joining and not leaving:
            return
        self._only_everything()
        if len(joining) + len(leaving) > MOST_CHANGED:
            raise TooManyPeople
        for subject in leaving:
            self._writer.withdraw_role(subject, name, actor=self._subject, reason=reason)
        for subject in joining:
            self._writer.grant_role(self.user(subject).subject, name, actor=self._subject, reason=reason)

    def remove_group(self, name: str, *, reason: str) -> None:
        """Withdraw a role from everybody who was granted it, then remove it.

        Raises:
            BeyondScope: not the directory's administrator, or the site cannot do without it.
            StillInUse: a post carries it.
            NoSuchRole: there is none.
        """
        self._only_everything()
        if name not in {each.name for each in self._writer.standings.roles()}:
            raise NoSuchRole(role=name[:LONGEST_NAME])
        self._writer.structure.may_remove_role(name)
        held = [person.subject for person in self.members(name)]
        self.regroup(name, joins=(), leaves=held, reason=reason)
        self._writer.structure.remove_role(name, actor=self._subject)

    def _walk(self, where: str) -> Iterator[Person]:
        scope, after = self.scope(), ""
        while True:
            page = self._directory.people_where(where, after=after, limit=_PAGE, within=scope)
            yield from page.items
            if not page.after:
                return
            after = page.after

    def _groups_fitting(self, fits: Callable[[Mapping[str, Any]], bool]) -> list[str]:
        standings = self._writer.standings
        return [
            standings.group_name(each.name)
            for each in standings.roles()
            if fits({"value": each.name, "display": each.name, "type": "direct"})
        ]
