# SPDX-License-Identifier: Apache-2.0
"""Whose history an administrator may see, and how much of it.

| entry                         | directory administrator | agency administrator                                |
| ----------------------------- | ----------------------- | --------------------------------------------------- |
| people                        | all                     | of the branch; without what is sealed of those who  |
|                               |                         | hold a role of the whole site                       |
| what happened elsewhere       | all                     | that it happened, no more                           |
| organisations, posts, devices | all                     | of the branch                                       |
| roles, services               | all                     | all; nothing is sealed there                        |
"""

from dataclasses import dataclass, replace

from ..errors import NoSuchDepartment, NoSuchDevice, NoSuchOrganisation, NoSuchPost
from ..histories import RECORDED_AS, Change, Kind
from ..models import Device, Organisation, Person, Scope, identifier_of
from ..models_powers import Department, Post
from .scoping import Scoped

_HIDDEN = "evidence"
"""Numbers of papers that an identity was vetted by: for the whole directory's administrators."""


_MISSING = {
    Kind.ORGANISATION: NoSuchOrganisation,
    Kind.DEPARTMENT: NoSuchDepartment,
    Kind.POST: NoSuchPost,
    Kind.DEVICE: NoSuchDevice,
}


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """One entry whose history may be seen."""

    kind: Kind
    identifier: str
    # None for what has no entry to be named after: roles and services have their short names.
    named: Person | Organisation | Department | Post | Device | None
    # Whether what is sealed may be opened too.
    opens: bool
    within: Scope

    @property
    def recorded_as(self) -> str:
        """How the record is asked."""
        return RECORDED_AS.get(self.kind, "subject")

    def seen(self, change: Change) -> Change:
        """What of one change this administrator may see."""
        if not self.is_within(change):
            return replace(change, attributes={}, sealed={}, actor="")
        if self.within.everything or not change.sealed:
            return change
        return replace(change, sealed={name: value for name, value in change.sealed.items() if name != _HIDDEN})

    def is_within(self, change: Change) -> bool:
        """Whether it happened in the administrator's part; what names no place belongs to the entry."""
        return self.within.everything or not change.organisation or self.within.holds(change.organisation)


class Remembering(Scoped):
    """For one request."""

    def remembered(self, kind: Kind, identifier: str) -> Remembered:
        """An entry of the own part.

        Raises:
            NoSuchPerson, NoSuchOrganisation, NoSuchDepartment, NoSuchPost, NoSuchDevice: none, or none of the branch.
        """
        scope, standings = self.scope(), self._writer.standings
        named: Person | Organisation | Department | Post | Device | None = None
        opens, place = True, ""
        if kind is Kind.PERSON:
            named = self.person(identifier)
            opens, identifier = self.may_change(named), named.subject
        elif kind in (Kind.ROLE, Kind.SERVICE):
            identifier = identifier_of(identifier)
        else:
            if kind is Kind.ORGANISATION:
                named = self._directory.organisation(identifier)
                place = named.id
            elif kind is Kind.DEVICE:
                named = self._directory.device(identifier)
                place = named.organisation
            else:
                named = standings.post(identifier) if kind is Kind.POST else standings.department(identifier)
                place = named.organisation
            identifier = named.id
            if not scope.holds(place):
                raise _MISSING[kind]
        return Remembered(kind=kind, identifier=identifier, named=named, opens=opens, within=scope)

    def called(self, subject: str) -> str:
        """What somebody who changed something is called; empty for nobody, and while nobody can be asked."""
        return self._directory.called(subject)
