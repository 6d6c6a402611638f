# SPDX-License-Identifier: Apache-2.0
"""What part of the directory one administrator has, asked of the directory itself each time."""

from ..errors import BeyondScope, NoSuchDevice, NoSuchOrganisation, NoSuchPerson
from ..models import ADMINISTRATOR, AGENCY_ADMINISTRATOR, EVERYWHERE, ROLES, Person, Scope
from .writing import DirectoryWriter


class Scoped:
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

    def person(self, subject: str) -> Person:
        """One person.

        Raises:
            NoSuchPerson: nobody, or nobody of the branch.
        """
        person = self._directory.person(subject)
        if not self.scope().holds(person.organisation):
            raise NoSuchPerson
        return person

    def may_change(self, person: Person) -> bool:
        """Whether this administrator may disable and enable somebody whom they may see."""
        return self.everything or not person.roles & set(ROLES)

    def _own_organisation(self, identifier: str) -> None:
        if not self.scope().holds(identifier):
            raise NoSuchOrganisation

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
