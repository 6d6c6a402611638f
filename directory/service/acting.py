# SPDX-License-Identifier: Apache-2.0
"""What one program has of the directory, for one request; what was not written down is refused and recorded.

A program never has more than an agency's administrator: no roles, no groups, nobody who holds a role of the whole site,
nobody outside its organisations.
"""

from typing import Any

from ..errors import BeyondScope, ProgramNotLet
from ..imports import ImportReport
from ..models import Page, Person, Scope
from ..models_powers import Role
from ..scim import NewUser
from ..systems import Doing, Program
from .administration import Administration
from .writing import DirectoryWriter


class ProgramAdministration(Administration):
    """As an administrator of these organisations, with leave for some of the verbs."""

    def __init__(self, writer: DirectoryWriter, program: Program) -> None:
        super().__init__(writer, subject=program.client, roles=frozenset())
        self._program = program
        self._scope: Scope | None = None

    def scope(self) -> Scope:
        """Its organisations with everything below them, as the directory says now."""
        if self._scope is None:
            branches = [self._directory.branch(each) for each in self._program.organisations]
            self._scope = Scope(organisations=frozenset().union(*(each.organisations for each in branches)))
        return self._scope

    def user(self, subject: str) -> Person:
        """As an administrator's, with leave to read."""
        self._let(Doing.READ)
        return super().user(subject)

    def people_where(self, where: str, *, after: str, limit: int) -> Page[Person]:
        """As an administrator's, with leave to read."""
        self._let(Doing.READ)
        return super().people_where(where, after=after, limit=limit)

    def all_where(self, where: str, **more: Any) -> list[Person]:
        """As an administrator's, with leave to read."""
        self._let(Doing.READ)
        return super().all_where(where, **more)

    def roles(self) -> list[Role]:
        """As an administrator's, with leave to read."""
        self._let(Doing.READ)
        return super().roles()

    def enter_user(self, of: NewUser) -> tuple[str, ImportReport]:
        """As an administrator's, with leave to enter."""
        self._let(Doing.ENTER)
        return super().enter_user(of)

    def change_user(self, subject: str, *, active: bool | None = None, reason: str, **names: str | None) -> None:
        """As an administrator's, with leave for what changes."""
        held = self.user(subject)
        if any(each is not None and each != getattr(held, key) for key, each in names.items()):
            self._let(Doing.CHANGE)
        if active not in (None, held.enabled):
            self._let(Doing.SWITCH)
        super().change_user(subject, active=active, reason=reason, **names)

    def release(self, subject: str, *, reason: str) -> None:
        """As an administrator's, with leave to let go."""
        self._let(Doing.RELEASE)
        super().release(subject, reason=reason)

    def _own(self, subject: str) -> str:
        if not self.may_change(self.person(subject)):
            self._writer.enrolling.refuse(self._program.client, "touch somebody with a role of the whole site")
            raise BeyondScope
        return subject

    def _only_everything(self) -> None:
        self._writer.enrolling.refuse(self._program.client, "change groups")
        raise BeyondScope

    def _let(self, doing: Doing) -> None:
        if doing not in self._program.doings:
            self._writer.enrolling.refuse(self._program.client, doing)
            raise ProgramNotLet
