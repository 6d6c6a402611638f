# SPDX-License-Identifier: Apache-2.0
"""The part of an administrator's verbs that is about outside workers.

| verb                            | directory administrator | administrator of the agency whose portal it is |
| ------------------------------- | ----------------------- | ---------------------------------------------- |
| see who is engaged, ask, renew  | for any portal          | for the portals of the branch                  |
| approve                         | what another one asked  | no                                             |
| refuse, end                     | any                     | those of the branch's portals                  |
"""

from datetime import date

from ..contracts import Contract
from ..errors import NoSuchGrant, NoSuchRole
from ..models import Person
from ..models_powers import CONTRACTOR, Grant
from .scoping import Scoped


class Engaging(Scoped):
    """As the verbs of ``Contracting``, each within the administrator's part."""

    def contract_roles(self) -> list[str]:
        """Roles that bind an account to a portal which is the administrator's business."""
        standings = self._writer.standings
        known = [role.name for role in standings.roles() if role.name.startswith(CONTRACTOR)]
        if self.everything:
            return known
        scope = self.scope()
        own = {f"{CONTRACTOR}{offer.portal}" for offer in standings.offers() if scope.holds(offer.organisation)}
        return [name for name in known if name in own]

    def contractors(self) -> list[tuple[Person, Grant]]:
        """Who is engaged."""
        return self._writer.contracting.running(self.contract_roles())

    def contracts_waiting(self) -> list[tuple[Person, Contract]]:
        """What was asked for and nobody decided."""
        return self._writer.contracting.waiting(self.contract_roles())

    def contract_days(self) -> int:
        """How long a contract lasts at most."""
        return self._writer.giving.contractor_days

    def today(self) -> date:
        """The day that counts for all of them."""
        return self._writer.standings.today()

    def ask_contract(self, username: str, role: str, *, until: date | None, reason: str) -> Contract:
        """As ``Contracting.ask``, by user name.

        Raises:
            NoSuchRole: none, or one of somebody else's portal.
        """
        self._own_contract(role)
        subject = self._directory.person_by_username(username.strip()).subject
        return self._writer.contracting.ask(subject, role, until=until, actor=self._subject, reason=reason)

    def approve_contract(self, identifier: str) -> Contract:
        """As ``Contracting.approve``.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        return self._writer.contracting.approve(identifier, actor=self._subject)

    def refuse_contract(self, identifier: str, *, reason: str) -> None:
        """As ``Contracting.refuse``.

        Raises:
            NoSuchGrant: none, or about somebody else's portal.
        """
        if self._writer.contracting.contract(identifier).role not in self.contract_roles():
            raise NoSuchGrant
        self._writer.contracting.refuse(identifier, actor=self._subject, reason=reason)

    def end_contract(self, subject: str, role: str, *, reason: str) -> None:
        """As ``Contracting.end``.

        Raises:
            NoSuchRole: none, or one of somebody else's portal.
        """
        self._own_contract(role)
        self._writer.contracting.end(subject, role, actor=self._subject, reason=reason)

    def _own_contract(self, role: str) -> None:
        if role not in self.contract_roles():
            raise NoSuchRole(role=role[:64])
