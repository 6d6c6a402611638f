# SPDX-License-Identifier: Apache-2.0
"""What one administrator may see and do: all of it, or what belongs to the own agency and everything below it.

The desk has no other way to the directory and its writer, so that no page can forget to ask.

| verb                           | directory administrator | agency administrator                                   |
| ------------------------------ | ----------------------- | ------------------------------------------------------ |
| see people, devices            | all                     | those of the branch; others are not there              |
| see organisations              | all                     | those of the branch                                    |
| disable, enable people         | all                     | those of the branch who hold no role of the whole site |
| disable, enable devices        | all                     | those of the branch                                    |
| import                         | all                     | civil servants, devices and agencies of the branch     |
| grant and withdraw roles       | yes                     | no                                                     |
| settle what nobody recorded    | yes                     | no                                                     |
"""

from datetime import date

from ..errors import BeyondScope, NoSuchDevice, NoSuchPerson
from ..imports import ImportReport
from ..models import (
    ADMINISTRATOR,
    AGENCY_ADMINISTRATOR,
    EVERYWHERE,
    ROLES,
    Device,
    Organisation,
    Page,
    Person,
    Scope,
)
from .unrecorded import Unrecorded
from .writing import DirectoryWriter


class Administration:
    """For one request; ``roles`` are those the gateway vouches for."""

    def __init__(self, writer: DirectoryWriter, *, subject: str, roles: frozenset[str]) -> None:
        self._writer = writer
        self._directory = writer.directory
        self._subject = subject
        self.everything = ADMINISTRATOR in roles

    def scope(self) -> Scope:
        """The part of the directory, as the directory itself says now.

        Raises:
            NoSuchPerson: the administrator is not in the directory.
            DirectoryUnavailable: it does not answer; only whoever has everything can go on then.
        """
        if self.everything:
            return EVERYWHERE
        own = self._directory.person(self._subject)
        if not (own.enabled and AGENCY_ADMINISTRATOR in own.roles and own.organisation):
            return Scope()
        return self._directory.branch(own.organisation)

    def people(self, text: str = "", *, after: str = "", limit: int) -> Page[Person]:
        """As ``Directory.people``."""
        return self._directory.people(text, after=after, limit=limit, within=self.scope())

    def organisations(self, text: str = "", *, after: str = "", limit: int) -> Page[Organisation]:
        """As ``Directory.organisations``."""
        return self._directory.organisations(text, after=after, limit=limit, within=self.scope())

    def devices(self, text: str = "", *, after: str = "", limit: int) -> Page[Device]:
        """As ``Directory.devices``."""
        return self._directory.devices(text, after=after, limit=limit, within=self.scope())

    def person(self, subject: str) -> Person:
        """One person.

        Raises:
            NoSuchPerson: nobody, or nobody of the branch.
        """
        person = self._directory.person(subject)
        if not self.scope().holds(person.organisation):
            raise NoSuchPerson
        return person

    def organisation(self, identifier: str) -> Organisation:
        """One organisation, for its name; names of organisations are no secret."""
        return self._directory.organisation(identifier)

    def may_change(self, person: Person) -> bool:
        """Whether this administrator may disable and enable somebody whom they may see."""
        return self.everything or not person.roles & set(ROLES)

    def disable_person(self, subject: str, *, reason: str) -> None:
        """As the writer's verb.

        Raises:
            BeyondScope: they hold a role of the whole site.
        """
        self._writer.disable_person(self._own(subject), actor=self._subject, reason=reason)

    def enable_person(self, subject: str, *, reason: str) -> None:
        """As the writer's verb.

        Raises:
            BeyondScope: they hold a role of the whole site.
        """
        self._writer.enable_person(self._own(subject), actor=self._subject, reason=reason)

    def grant_role(self, subject: str, role: str, *, reason: str, until: date | None = None) -> None:
        """As the writer's verb.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        self._writer.grant_role(subject, role, actor=self._subject, reason=reason, until=until)

    def withdraw_role(self, subject: str, role: str) -> None:
        """As the writer's verb.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        self._writer.withdraw_role(subject, role, actor=self._subject)

    def disable_device(self, identifier: str) -> None:
        """As the writer's verb."""
        self._writer.disable_device(self._own_device(identifier), actor=self._subject)

    def enable_device(self, identifier: str) -> None:
        """As the writer's verb."""
        self._writer.enable_device(self._own_device(identifier), actor=self._subject)

    def import_csv(self, data: bytes) -> ImportReport:
        """As the writer's verb; what is not of the branch is refused with its line."""
        return self._writer.import_csv(data, actor=self._subject, within=self.scope())

    def import_ldif(self, data: bytes) -> ImportReport:
        """As the writer's verb; what is not of the branch is refused with its line."""
        return self._writer.import_ldif(data, actor=self._subject, within=self.scope())

    @property
    def unrecorded(self) -> Unrecorded:
        """What nobody recorded.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        return self._writer.unrecorded

    def _only_everything(self) -> None:
        if not self.everything:
            raise BeyondScope

    def _own(self, subject: str) -> str:
        # Whoever has everything is not asked for the person, so that taking away works while the server is down.
        if not self.everything and not self.may_change(self.person(subject)):
            raise BeyondScope
        return subject

    def _own_device(self, identifier: str) -> str:
        if not self.everything and not self.scope().holds(self._directory.device(identifier).organisation):
            raise NoSuchDevice
        return identifier
