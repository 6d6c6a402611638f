# SPDX-License-Identifier: Apache-2.0
"""Letting programs keep a part of the directory, and ending that.

A program is known by the token that the sign-on gave it alone (client credentials), bound to a key. That gets it to the
door. What stands here says what it may do behind it: by default nothing.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date, timedelta

from audit import Outcome

from ..errors import BadDays, BadName, BadRight, NoSuchOrganisation, NoSuchProgram, ProgramNotLet
from ..systems import Doing, Program, Roster
from ..systems.models import CLIENT
from .deeds import Deed, Deeds, reasoned

MOST_ORGANISATIONS = 8
LONGEST_DAYS = 366
"""Days for which a program is let in at most, so that somebody says again that it is needed."""
ENDED, REPLACED = "ended", "replaced"


class Enrolling:
    """The verbs of the directory's administrator; safe to share between threads."""

    def __init__(self, deeds: Deeds, roster: Roster) -> None:
        self._deeds = deeds
        self._roster = roster

    def all(self) -> list[Program]:
        """Every program that was let in, by name."""
        return self._roster.all()

    def let(
        self,
        client: str,
        *,
        organisations: Iterable[str],
        doings: Iterable[str],
        until: date,
        actor: str,
        reason: str,
    ) -> Program:
        """Let a program do exactly this in these organisations and below, whatever it was let do before.

        Raises:
            BadName: no client of the sign-on could be called so.
            NoSuchOrganisation: one is none, or none is named, or too many are.
            BadRight: nothing at all, or something unknown, or something else without reading.
            BadDays: it would be over already, or last for more than a year.
            NoReason: none was given.
        """
        told = reasoned(reason)
        if not CLIENT.match(client):
            raise BadName
        try:
            wanted = frozenset(map(Doing, doings))
        except ValueError as error:
            raise BadRight from error
        if Doing.READ not in wanted:
            raise BadRight
        today = self._deeds.standings.today()
        if not today <= until <= today + timedelta(days=LONGEST_DAYS):
            raise BadDays
        named = sorted(set(organisations))
        if not 1 <= len(named) <= MOST_ORGANISATIONS:
            raise NoSuchOrganisation
        found = tuple(self._deeds.standings.directory.organisation(each).id for each in named)
        made = Program(client=client, organisations=found, doings=wanted, until=until, by=actor, reason=told)
        with self._deeds.alone():
            # What it had goes first: at no moment has it more than the record says.
            self._strike(client, "", REPLACED, actor)
            self._deeds.give([], _deed("directory.program.let", made, reason=told), actor=actor)
            self._roster.add(made)
        return made

    def end(self, client: str, *, actor: str, reason: str = "", because: str = "") -> None:
        """Let a program do nothing any more; its next request is refused.

        Raises:
            NoSuchProgram: it is not let do anything.
        """
        if not self._strike(client, reason, because, actor):
            raise NoSuchProgram

    def end_due(self) -> None:
        """End what is over."""
        today = self._deeds.standings.today()
        for each in self._roster.all():
            if each.until < today:
                with suppress(NoSuchProgram):
                    self.end(each.client, actor="", because=ENDED)

    def program(self, client: str) -> Program:
        """What a program may do today.

        Raises:
            ProgramNotLet: nothing; the attempt is recorded.
        """
        found = self._roster.one(client)
        if found is None or found.until < self._deeds.standings.today():
            self.refuse(client, "enter the directory")
            raise ProgramNotLet
        return found

    def refuse(self, client: str, act: str) -> None:
        """Put on record what a program wished in vain."""
        deed = Deed(kind="directory.program.refused", subject=client, attributes={"act": act})
        self._deeds.say(deed, Outcome.DENIED, actor=client)

    def _strike(self, client: str, reason: str, because: str, actor: str) -> bool:
        deed = Deed(
            kind="directory.program.ended",
            subject=client,
            attributes={"because": because} if because else {},
            sealed={"reason": reason},
        )
        return self._deeds.strike(lambda connection: self._roster.remove(connection, client), deed, actor=actor)


def _deed(kind: str, of: Program, *, reason: str) -> Deed:
    attributes = {
        "rights": " ".join(sorted(of.doings)),
        "scope": " ".join(of.organisations),
        "until": of.until.isoformat(),
    }
    return Deed(kind=kind, subject=of.client, attributes=attributes, sealed={"reason": reason})
