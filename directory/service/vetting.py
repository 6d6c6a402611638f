# SPDX-License-Identifier: Apache-2.0
"""The identity proofing desk: one officer vets, a second one agrees where the rules ask for two, and every level ends.

A level counts at once, for every reader of the tree. When it ends it is taken away by the house, and what a session may
do follows from the tree and the feed.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

from audit import Outcome

from ..errors import BadName, DecidedAlready, NoSuchGrant, NotEnoughEvidence, SecondOfficer
from ..ldap import names
from ..ldap.changes import Change, Verb
from ..ldap.entries import time
from ..models import EVERYWHERE, Page, Person, Proofing, Scope
from ..models_powers import LONGEST_TEXT
from ..vetting import LEVELS, Board, Evidence, Terms, Vetting, VettingState, Way, carries, family_names
from .deeds import Deed, Deeds, reasoned
from .letters import Letters

PAGE = 100
HIGHEST = max(LEVELS)


class Vetters:
    """The verbs; safe to share between threads."""

    def __init__(self, deeds: Deeds, board: Board, *, letters: Letters, terms: Terms) -> None:
        self._deeds = deeds
        self._standings = deeds.standings
        self.board = board
        self.terms = terms
        self._letters = letters
        # The day on which everybody whose proofing ends soon was last written to, by this process.
        self._told: date | None = None

    def vet(
        self, subject: str, *, level: int, way: Way, kinds: Iterable[Evidence], reference: str, actor: str
    ) -> Vetting:
        """Record a vetting; it counts at once, or when a second officer agrees.

        Raises:
            OwnRole: nobody vets themselves; the attempt is recorded.
            NoSuchPerson: nobody of that name.
            NotEnoughEvidence: the rules ask for other evidence, or there is no such level.
            BadName: the reference cannot stand.
        """
        self._deeds.another(actor, subject, act="vet")
        held, told = frozenset(kinds), reference.strip()
        if not told or len(told) > LONGEST_TEXT or not told.isprintable():
            raise BadName
        if not carries(level, way, held):
            raise NotEnoughEvidence
        person, today = self._standings.directory.person(subject), self._standings.today()
        made = Vetting(
            id=self._deeds.new_id(), subject=person.subject, level=level, way=way, kinds=held, reference=told, by=actor,
            day=today, until=today + timedelta(days=self.terms.days[level]), state=VettingState.WAITING,
            needs_second=level >= self.terms.two_from or self._related(person, actor),
        )  # fmt: skip
        if made.needs_second:
            self._say("directory.proofing.proposed", person, made, Outcome.SUCCESS, actor=actor)
            self.board.keep(made)
            return made
        self.board.keep(made)
        self._count(person, made, actor=actor)
        return replace(made, state=VettingState.HOLDS)

    def agree(self, identifier: str, *, actor: str) -> Vetting:
        """Let a vetting count, as its second officer.

        Raises:
            NoSuchGrant: there is none of this identifier.
            DecidedAlready: it does not wait.
            OwnRole: it is about whoever agrees.
            SecondOfficer: they proposed it, or bear the same family name; the attempt is recorded.
        """
        found = self._waiting(identifier)
        self._deeds.another(actor, found.subject, act="vet")
        person = self._standings.directory.person(found.subject)
        if actor == found.by or self._related(person, actor):
            self._say("directory.proofing.granted", person, found, Outcome.DENIED, actor=actor)
            raise SecondOfficer
        self._count(person, found, actor=actor, second=actor)
        return replace(found, state=VettingState.HOLDS, second=actor)

    def refuse(self, identifier: str, *, actor: str, reason: str) -> None:
        """Let a vetting not count, as its second officer, or as the first who thinks better of it.

        Raises:
            NoSuchGrant, DecidedAlready, NoReason: as it says.
        """
        told, found = reasoned(reason), self._waiting(identifier)
        person = self._standings.directory.person(found.subject)
        self._say("directory.proofing.refused", person, found, Outcome.SUCCESS, actor=actor, reason=told)
        if not self.board.refuse(identifier, second=actor):
            raise DecidedAlready

    def withdraw(self, subject: str, *, actor: str, reason: str) -> None:
        """Take somebody's level away, at once.

        Raises:
            OwnRole: nobody takes their own.
            NoSuchPerson, NoReason: as it says.
        """
        self._deeds.another(actor, subject, act="vet")
        told = reasoned(reason)
        self._end(self._standings.directory.person(subject), VettingState.WITHDRAWN, actor=actor, reason=told)

    def history(self, subject: str) -> list[Vetting]:
        """Every vetting of one person, newest first; levels that were imported have none."""
        return self.board.of(subject)

    def waiting(self) -> list[tuple[Person, Vetting]]:
        """What a second officer is to agree to."""
        return [(self._standings.directory.person(each.subject), each) for each in self.board.waiting()]

    def due(self, level: int, *, after: str = "", limit: int = PAGE, within: Scope = EVERYWHERE) -> Page[Person]:
        """Whose proofing of a level ends soon, or has ended; imported ones too."""
        return self._ending(level, self._standings.today() + timedelta(days=self.terms.due), after, limit, within)

    def tend(self) -> int:
        """Tell those whose proofing ends soon, and take away what has ended. Returns how much was done.

        What has ended falls to the highest level that was proofed before and still counts. Whoever dies in between
        tells nobody twice: each letter has the key of what it tells.

        Raises:
            DirectoryUnavailable: the server does not answer; call again later.
        """
        done, today = 0, self._standings.today()
        for each in self.board.ending(today + timedelta(days=self.terms.due)):
            person = self._standings.directory.person(each.subject)
            self._letters.of_proofing(person, each.until)
            self._say("directory.proofing.reminded", person, each, Outcome.SUCCESS, actor="role:directory")
            self.board.reminded(each.id, today)
            done += 1
        if self._told != today:
            # Levels that were imported stand in the tree alone.
            self._write(today)
            self._told = today
        for level in LEVELS:
            # Each page takes itself out of the list.
            while found := self._ending(level, today - timedelta(days=1), "", PAGE, EVERYWHERE).items:
                for person in found:
                    self._letters.of_expiry(person, now=self._lower(person).level)
                    self._end(person, VettingState.EXPIRED, actor="", because="expired")
                    done += 1
        for each in self.board.over(today):
            # Somebody died between the tree and the table.
            held = self._standings.directory.person(each.subject).proofing.evidence
            if held != each.id:
                self.board.settle(each.subject, holds=held, ended=VettingState.EXPIRED)
        return done

    def _write(self, today: date) -> None:
        for level in LEVELS:
            after = ""
            while True:
                page = self.due(level, after=after, limit=PAGE)
                for person in page.items:
                    if person.proofing.date is not None:
                        until = person.proofing.date + timedelta(days=self.terms.days[level])
                        if until >= today:
                            self._letters.of_proofing(person, until)
                if not page.after:
                    break
                after = page.after

    def _lower(self, person: Person) -> Proofing:
        """What still counts of somebody whose level has ended."""
        found = self.board.still(person.subject, below=person.proofing.level, day=self._standings.today())
        return Proofing(level=found.level, date=found.day, evidence=found.id) if found else Proofing()

    def _ending(self, level: int, day: date, after: str, limit: int, within: Scope) -> Page[Person]:
        begun = day - timedelta(days=self.terms.days[level])
        where = names.every(names.equal("tallyProofingLevel", str(level)), names.until_day("tallyProofingDate", begun))
        return self._standings.directory.people_where(where, after=after, limit=limit, within=within)

    def _related(self, person: Person, actor: str) -> bool:
        """Whether an officer may be of this person's family; what nobody knows of the officer counts as such."""
        if not actor:
            return False
        own = self._standings.directory.person(actor)
        return bool(family_names(own.name, own.name_zh) & family_names(person.name, person.name_zh))

    def _waiting(self, identifier: str) -> Vetting:
        found = self.board.vetting(identifier)
        if found is None:
            raise NoSuchGrant
        if found.state is not VettingState.WAITING:
            raise DecidedAlready
        return found

    def _count(self, person: Person, of: Vetting, *, actor: str, second: str = "") -> None:
        wanted = Proofing(level=of.level, date=of.day, evidence=of.id)
        with self._deeds.alone():
            self._deeds.give(
                self._changes(person, wanted),
                self._deed("directory.proofing.granted", person, of, actor=actor, was=person.proofing.level),
                actor=actor,
            )
        # After a crash in between it waits again, and agreeing a second time changes nothing.
        self.board.holds(of, second=second)

    def _end(self, person: Person, state: VettingState, *, actor: str, reason: str = "", because: str = "") -> None:
        # Whoever takes a level away doubts the person; what ends by itself leaves what was seen before as it was.
        to = self._lower(person) if state is VettingState.EXPIRED else Proofing()
        attributes: dict[str, str | int] = {"level": person.proofing.level, **({"because": because} if because else {})}
        attributes |= {"to": to.level} if to.level else {}
        with self._deeds.alone():
            self._deeds.take(
                self._changes(person, to),
                Deed(
                    kind="directory.proofing.ended",
                    subject=person.subject,
                    attributes=attributes,
                    sealed=self._deeds.about(person, actor, reason),
                ),
                actor=actor,
            )
        self.board.settle(person.subject, holds=to.evidence, ended=state)

    def _changes(self, person: Person, to: Proofing) -> list[Change]:
        dn, was = self._deeds.tree.person(person.subject), person.proofing
        told = (
            ("tallyProofingLevel", str(to.level), str(was.level)),
            ("tallyProofingDate", time(to.date), time(was.date)),
            ("tallyProofingEvidence", to.evidence, was.evidence),
        )
        return [
            Change(verb=Verb.REPLACE, dn=dn, attribute=name, value=value, before=before) for name, value, before in told
        ]

    def _deed(
        self, kind: str, person: Person, of: Vetting, *, actor: str, reason: str = "", was: int | None = None
    ) -> Deed:
        return Deed(
            kind=kind,
            subject=person.subject,
            attributes={
                "level": of.level, "way": of.way.value, "kinds": " ".join(sorted(of.kinds)),
                "until": of.until.isoformat(), "first": of.by, **({} if was is None else {"was": was}),
            },
            sealed={**self._deeds.about(person, actor, reason), "evidence": of.reference},
        )  # fmt: skip

    def _say(self, kind: str, person: Person, of: Vetting, outcome: Outcome, *, actor: str, reason: str = "") -> None:
        self._deeds.say(self._deed(kind, person, of, actor=actor, reason=reason), outcome, actor=actor)
