# SPDX-License-Identifier: Apache-2.0
"""Papers on their way: begun from a document of one's own, sealed by each in turn, numbered, issued.

A step signs first and is entered afterwards, as the paper was read: a death in between leaves the paper where it was,
and the signed revision that nobody saw is forgotten. The number of an official document is given before its seal, for
the seal shows it; it stays with its paper whatever happens then.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from audit import Event, Outcome, Recorder
from core.clock import Clock
from core.web.inputs import Malformed

from ..looks import Placement
from ..models import SealOrder
from ..pades.drawing import DIAMETER, MM
from ..papers import Kind, NoSuchPaper, NotInThisState, NotTheirTurn, Paper, PaperStore, State, Turn
from ..shelf import Facts, Limits, NoSuchDocument, Shelf, ShelfUnreadable, Shelved
from .desk import Desk
from .placing import Placing
from .sealing import Sealing

MOST_SIGNERS = 8
_ACROSS = 4
_BETWEEN = 8.0
_MARGIN = 12 * MM
_LIFETIME = timedelta(days=365)


class Papers:
    """What a person does with papers; whoever none of it concerns is told that there is no such paper."""

    def __init__(
        self,
        *,
        store: PaperStore,
        shelf: Shelf,
        desk: Desk,
        placing: Placing,
        sealing: Sealing,
        recorder: Recorder,
        nudge: Callable[[], None],
        clock: Clock,
        largest: int,
        most_bytes_of_all: int,
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._desk = desk
        self._placing = placing
        self._sealing = sealing
        self._recorder = recorder
        self._nudge = nudge
        self._clock = clock
        self._limits = Limits(
            most=MOST_SIGNERS + 2,
            most_bytes=(MOST_SIGNERS + 2) * largest,
            most_bytes_of_all=most_bytes_of_all,
            lifetime=_LIFETIME,
        )

    def begin(
        self,
        subject: str,
        document: str,
        *,
        kind: Kind,
        organisation: str,
        word: str,
        title: str,
        signers: Sequence[str],
    ) -> Paper:
        """Send a document of one's own on its way to these organisations, in this order.

        An official document is countersigned by them and then sealed by its own organisation.

        Raises:
            NoSuchDocument: the document is not theirs.
            Malformed: nobody signs, too many do, one is unknown, or an official document has no word.
            NotTheirTurn: they do not act for this organisation; recorded.
            ShelfFull: there is no room.
        """
        content, facts = self._desk.read(subject, document), self._desk.one(subject, document).facts
        seals = [*signers, *([organisation] if kind is Kind.OFFICIAL else [])]
        if not 1 <= len(seals) <= MOST_SIGNERS:
            raise Malformed(field="signer")
        if kind is Kind.OFFICIAL and not word:
            raise Malformed(field="word")
        for each in seals:
            if not self._placing.known(each):
                raise Malformed(field="signer")
        identifier = secrets.token_hex(16)
        if organisation not in self._organisations(subject):
            self._refuse(subject, identifier, organisation, code="other_organisation")
            raise NotTheirTurn
        kept = self._shelf.put(_owner(identifier), content, facts=facts, limits=self._limits)
        first = State.COUNTERSIGNED if kind is Kind.OFFICIAL and not signers else State.DRAFT
        paper = Paper(
            id=identifier,
            kind=kind,
            organisation=organisation,
            word=word if kind is Kind.OFFICIAL else "",
            title=title or facts.title or facts.name,
            creator=subject,
            document=kept.id,
            state=first,
            turns=tuple(Turn(position=at, organisation=each) for at, each in enumerate(seals, start=1)),
            made_at=self._clock.now(),
        )
        self._store.add(paper, self._event("paper.begun", subject, paper))
        self._nudge()
        return self._store.one(identifier)

    def all_of(self, subject: str) -> list[Paper]:
        """The papers that concern a person, those that wait for them first."""
        mine = self._organisations(subject)
        found = self._store.concerning(subject, mine)
        return sorted(found, key=lambda paper: not (paper.turn and paper.turn.organisation in mine))

    def mine(self, subject: str, paper: Paper) -> bool:
        """Whether the present turn is of an organisation that the person acts for."""
        return paper.turn is not None and paper.turn.organisation in self._organisations(subject)

    def one(self, subject: str, identifier: str) -> Paper:
        """One paper.

        Raises:
            NoSuchPaper: there is none, or it does not concern them.
        """
        paper = self._store.one(identifier)
        mine = self._organisations(subject)
        concerned = {paper.organisation, *(turn.organisation for turn in paper.turns)}
        if paper.creator != subject and not concerned & mine:
            raise NoSuchPaper
        return paper

    def read(self, subject: str, identifier: str) -> tuple[bytes, str]:
        """Its present revision, and what to call the file.

        Raises:
            NoSuchPaper: as ``one``.
            NoSuchDocument: its time is over.
        """
        paper = self.one(subject, identifier)
        kept = self._shelf.one(_owner(paper.id), paper.document)
        return self._shelf.read(_owner(paper.id), paper.document), kept.facts.name

    def sign(self, subject: str, identifier: str, order: Callable[[bytes, str], SealOrder]) -> Paper:
        """Set the seal whose turn it is; ``order`` says who asks, for a document and an organisation.

        Raises:
            NoSuchPaper: as ``one``.
            NotTheirTurn: another signs before them; recorded.
            NotInThisState: nobody's turn, or somebody was faster; the paper is as they left it.
            TallygateError: as ``Sealing.seal``.
        """
        paper = self.one(subject, identifier)
        turn = paper.turn
        if turn is None:
            raise NotInThisState
        if turn.organisation not in self._organisations(subject):
            self._refuse(subject, paper.id, turn.organisation, code="not_their_turn")
            raise NotTheirTurn
        if paper.kind is Kind.OFFICIAL and paper.last:
            paper = self._store.number(paper.id, at=self._clock.now())
        whose = _owner(paper.id)
        kept, content = self._present(paper)
        wanted = order(content, turn.organisation)
        sealed = self._sealing.seal(_in_turn(wanted, paper, turn))
        facts = Facts(
            name=kept.facts.name, sha256=_sha256(sealed), title=kept.facts.title, pages=kept.facts.pages, signatures=1
        )
        new = self._shelf.put(whose, sealed, facts=facts, limits=self._limits)
        try:
            event = self._event("paper.signed", subject, paper, position=turn.position)
            self._store.advance(paper, document=new.id, actor=subject, at=self._clock.now(), event=event)
        except BaseException:
            self._shelf.remove(whose, new.id)
            raise
        self._shelf.remove(whose, paper.document)
        self._nudge()
        return self._store.one(paper.id)

    def issue(self, subject: str, identifier: str) -> Paper:
        """Enter a sealed official document into the register as issued.

        Raises:
            NoSuchPaper, NotTheirTurn, NotInThisState: as ``sign``.
        """
        return self._change(subject, identifier, State.ISSUED, "paper.issued", {State.SEALED})

    def withdraw(self, subject: str, identifier: str) -> Paper:
        """Take a paper back before it is complete; a number stays with it.

        Raises:
            NoSuchPaper, NotTheirTurn, NotInThisState: as ``sign``.
        """
        return self._change(subject, identifier, State.WITHDRAWN, "paper.withdrawn", {State.DRAFT, State.COUNTERSIGNED})

    def register(self, subject: str, organisation: str, year: int) -> list[Paper]:
        """All numbers of an organisation's year.

        Raises:
            NoSuchPaper: they do not act for it.
        """
        if organisation not in self._organisations(subject):
            raise NoSuchPaper
        return self._store.register(organisation, year)

    def _change(self, subject: str, identifier: str, to: State, type_: str, before: set[State]) -> Paper:
        paper = self.one(subject, identifier)
        if paper.organisation not in self._organisations(subject):
            self._refuse(subject, paper.id, paper.organisation, code="other_organisation")
            raise NotTheirTurn
        if paper.state not in before:
            raise NotInThisState
        self._store.change(paper, to, at=self._clock.now(), event=self._event(type_, subject, paper))
        self._nudge()
        return self._store.one(paper.id)

    def _present(self, paper: Paper) -> tuple[Shelved, bytes]:
        """The revision as the paper was read.

        Raises:
            NotInThisState: somebody was faster, and it is another now.
            NoSuchDocument: its time is over.
        """
        whose = _owner(paper.id)
        try:
            return self._shelf.one(whose, paper.document), self._shelf.read(whose, paper.document)
        except (NoSuchDocument, ShelfUnreadable) as error:
            if self._store.one(paper.id).document != paper.document:
                raise NotInThisState from error
            raise

    def _organisations(self, subject: str) -> set[str]:
        return {identifier for identifier, _, _ in self._placing.organisations(subject)}

    def _refuse(self, subject: str, identifier: str, organisation: str, *, code: str) -> None:
        self._recorder.record(
            Event(
                key=secrets.token_hex(16),
                type="paper.refused",
                outcome=Outcome.DENIED,
                at=self._clock.now(),
                source="signatures",
                subject=subject,
                object=identifier,
                organisation=organisation,
                attributes={"code": code},
            )
        )

    def _event(self, type_: str, subject: str, paper: Paper, *, position: int = 0) -> Event:
        attributes: dict[str, str | int | bool] = {"kind": paper.kind.value, "turns": len(paper.turns)}
        if paper.label:
            attributes["number"] = paper.label
        if position:
            attributes["position"] = position
        return Event(
            key=secrets.token_hex(16),
            type=type_,
            outcome=Outcome.SUCCESS,
            at=self._clock.now(),
            source="signatures",
            subject=subject,
            object=paper.id,
            organisation=paper.organisation,
            attributes=attributes,
            sealed={"object_name": paper.title},
        )


def _in_turn(order: SealOrder, paper: Paper, turn: Turn) -> SealOrder:
    """The order with the place of this turn: side by side from the left, row over row."""
    row, column = divmod(turn.position - 1, _ACROSS)
    step = DIAMETER + _BETWEEN
    place = Placement(x=_MARGIN + column * step, y=_MARGIN + row * (step + _BETWEEN))
    caption = paper.label if turn.position == len(paper.turns) else ""
    return replace(order, placement=place, caption=caption, further=True, reference=f"paper {paper.id}")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _owner(identifier: str) -> str:
    return f"paper:{identifier}"
