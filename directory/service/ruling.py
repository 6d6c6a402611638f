# SPDX-License-Identifier: Apache-2.0
"""The rules about duties that a site adds to the three powers: written, struck out, and what they find.

A rule counts for every grant from its commit on. Whoever holds both already is not touched: they are listed, for
somebody to decide which of the two goes.
"""

from collections.abc import Iterable

from ..duties import MOST_ROLES, MOST_RULES, Rule, Rulebook
from ..errors import BadName, NoSuchGrant, TooManyPeople
from ..models import Person
from ..models_powers import LONGEST_TEXT
from .deeds import Deed, Deeds, listed, reasoned

FEWEST = 2


class Ruling:
    """The verbs; safe to share between threads."""

    def __init__(self, deeds: Deeds, book: Rulebook) -> None:
        self._deeds = deeds
        self._book = book

    def rules(self) -> list[Rule]:
        """Every rule of the site's own, by name."""
        return self._book.rules()

    def add(self, name: str, roles: Iterable[str], *, actor: str, reason: str) -> str:
        """Let nobody hold two of these roles from now on; returns the rule's identifier.

        Raises:
            BadName: the name cannot stand, or it is about fewer than two roles.
            TooManyPeople: about more roles, or of more rules, than can be read before each grant.
            NoSuchRole, NoReason: as it says.
        """
        told, called, held = reasoned(reason), name.strip(), frozenset(roles)
        if not called or len(called) > LONGEST_TEXT or not called.isprintable() or len(held) < FEWEST:
            raise BadName
        if len(held) > MOST_ROLES or len(self._book.rules()) >= MOST_RULES:
            raise TooManyPeople
        for role in held:
            self._deeds.standings.role(role)
        made = Rule(id=self._deeds.new_id(), name=called, roles=held, by=actor, reason=told)
        with self._deeds.alone():
            # A rule takes possibilities away: it counts from the commit that its record is in, or not at all.
            deed = self._deed("directory.duties.parted", made, reason=told)
            self._deeds.strike(lambda connection: self._book.add(connection, made), deed, actor=actor)
        return made.id

    def remove(self, identifier: str, *, actor: str, reason: str) -> None:
        """Let people hold these roles together again, from now on.

        Raises:
            NoSuchGrant: there is no such rule.
            OwnRole: whoever does it holds one of these roles; the attempt is recorded.
            NoReason: as it says.
        """
        told = reasoned(reason)
        found = next((rule for rule in self._book.rules() if rule.id == identifier), None)
        if found is None:
            raise NoSuchGrant
        own = self._own(actor)
        if own is not None and own.roles & found.roles:
            self._deeds.not_oneself(own, actor, act="allow")
        with self._deeds.alone():
            # On record before anybody may hold both.
            self._deeds.give([], self._deed("directory.duties.joined", found, reason=told), actor=actor)
            self._book.remove(identifier)

    def _own(self, actor: str) -> Person | None:
        return self._deeds.standings.directory.person(actor) if actor else None

    def _deed(self, kind: str, rule: Rule, *, reason: str) -> Deed:
        return Deed(
            kind=kind,
            subject=rule.id,
            attributes={"roles": listed(rule.roles)},
            sealed={"name": rule.name, "reason": reason},
        )
