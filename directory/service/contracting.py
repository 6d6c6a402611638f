# SPDX-License-Identifier: Apache-2.0
"""Accounts of outside workers: one administrator asks, another one approves, and the end shuts the account out.

Nothing that waits opens anything. A renewal is a request as the first one was.
"""

from datetime import date

from audit import Outcome
from core.errors import TallygateError

from ..contracts import Board, Contract, ContractState
from ..errors import AlreadyGiven, DecidedAlready, NoSuchGrant, NoSuchRole
from ..models import Person
from ..models_powers import CONTRACTOR, Grant
from .deeds import Deed, Deeds, reasoned
from .giving import Giving


class Contracting:
    """The verbs; safe to share between threads."""

    def __init__(self, deeds: Deeds, giving: Giving, board: Board) -> None:
        self._deeds = deeds
        self._standings = deeds.standings
        self._giving = giving
        self.board = board

    def ask(self, subject: str, role: str, *, until: date | None, actor: str, reason: str) -> Contract:
        """Ask for an account's access to one portal, or for a later last day.

        Raises:
            OwnRole: nobody asks for themselves; the attempt is recorded.
            NoSuchPerson, NoSuchRole: there is none, or it binds nobody to a portal.
            ContractorTerms: as of the grant that would follow.
            BadDays: the last day is over.
            AlreadyGiven: something of this account waits already.
            NoReason: as it says.
            RecordUnavailable: nothing was asked for.
        """
        if not role.startswith(CONTRACTOR):
            raise NoSuchRole(role=role[:64])
        self._standings.role(role)
        self._deeds.another(actor, subject, act="grant", role=role)
        told = reasoned(reason)
        facts = self._standings.facts(subject)
        last = self._giving.contract(facts, role, until)
        made = Contract(
            id=self._deeds.new_id(), subject=facts.person.subject, role=role, until=last, reason=told, by=actor,
            day=self._standings.today(),
        )  # fmt: skip
        self._say("directory.contract.asked", facts.person, made, actor=actor)
        if not self.board.keep(made):
            raise AlreadyGiven
        return made

    def approve(self, identifier: str, *, actor: str) -> Contract:
        """Let it be, as another administrator than the one who asked.

        Raises:
            NoSuchGrant: there is none of this identifier.
            DecidedAlready: it does not wait.
            OwnRole, TwoAdministrators: it is about whoever approves, or they asked; the attempt is recorded.
            ContractorTerms, BadDays: it can no longer be; refuse it.
        """
        found = self._waiting(identifier)
        person = self._standings.directory.person(found.subject)
        self._deeds.two(found.by, actor, person, act="grant", role=found.role)
        waits = (ContractState.WAITING, ContractState.GRANTING)
        if not self.board.move(found.id, *waits, to=ContractState.GRANTING, second=actor):
            raise DecidedAlready
        try:
            self._giving.grant_role(
                found.subject, found.role, actor=actor, reason=found.reason, until=found.until, first=found.by
            )
        except TallygateError:
            self.board.move(found.id, ContractState.GRANTING, to=ContractState.WAITING, second="")
            raise
        self.board.move(found.id, ContractState.GRANTING, to=ContractState.GRANTED, second=actor)
        return found

    def refuse(self, identifier: str, *, actor: str, reason: str) -> None:
        """Let it not be, as whoever decides, or as whoever asked and thinks better of it.

        Raises:
            NoSuchGrant, DecidedAlready, NoReason: as it says.
        """
        told, found = reasoned(reason), self._waiting(identifier)
        person = self._standings.directory.person(found.subject)
        self._say("directory.contract.refused", person, found, actor=actor, reason=told)
        if not self.board.move(found.id, ContractState.WAITING, to=ContractState.REFUSED, second=actor):
            raise DecidedAlready

    def end(self, subject: str, role: str, *, actor: str, reason: str) -> None:
        """End a contract now: the account is disabled, then bound to nothing. One person is enough for it.

        Raises:
            NoReason: as it says.
            OwnRole: nobody ends their own.
            NoSuchGrant: there is none.
            Pending: recorded; the server follows.
        """
        told = reasoned(reason)
        if not any(grant.holder == subject for grant in self._standings.granted(role)):
            raise NoSuchGrant
        self._deeds.another(actor, subject, act="withdraw", role=role)
        self._giving.withdraw_role(subject, role, actor=actor, reason=told)

    def running(self, roles: list[str]) -> list[tuple[Person, Grant]]:
        """Accounts that are bound by these roles, whose end is next first."""
        found = sorted(
            (grant for role in roles for grant in self._standings.granted(role)), key=lambda each: each.until
        )
        return [(self._standings.directory.person(grant.holder), grant) for grant in found]

    def waiting(self, roles: list[str]) -> list[tuple[Person, Contract]]:
        """What waits about these roles."""
        found = [each for each in self.board.waiting() if each.role in roles]
        return [(self._standings.directory.person(each.subject), each) for each in found]

    def contract(self, identifier: str) -> Contract:
        """One request.

        Raises:
            NoSuchGrant: there is none of this identifier.
        """
        found = self.board.contract(identifier)
        if found is None:
            raise NoSuchGrant
        return found

    def _waiting(self, identifier: str) -> Contract:
        found = self.contract(identifier)
        if found.state not in (ContractState.WAITING, ContractState.GRANTING):
            raise DecidedAlready
        return found

    def _say(self, kind: str, person: Person, of: Contract, *, actor: str, reason: str = "") -> None:
        deed = Deed(
            kind=kind,
            subject=person.subject,
            attributes={"role": of.role, "until": of.until.isoformat(), "first": of.by},
            sealed=self._deeds.about(person, actor, reason or of.reason),
        )
        self._deeds.say(deed, Outcome.SUCCESS, actor=actor)
