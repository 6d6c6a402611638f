# SPDX-License-Identifier: Apache-2.0
"""Papers on their way: begun from a document of one's own, signed by each in turn, numbered, issued.

An organisation's turn is its seal. A person's turn is a signature with the key that is kept for them: they take the
revision to their own documents, sign it there as any other, and hand in what came of it, which is theirs by the rows
of remote signing and by nothing that anybody says.

A step signs first and is entered afterwards, as the paper was read: a death in between leaves the paper where it was,
and the signed revision that nobody saw is forgotten. The number of an official document is given before its seal, for
the seal shows it; it stays with its paper whatever happens then.
"""

import hashlib
import secrets
from collections.abc import Callable, Collection, Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from audit import Event, Outcome, Recorder
from core.clock import Clock
from core.web.inputs import Malformed

from ..errors import SecondAsked
from ..keeping import Order, OrderOver, Purpose
from ..looks import Placement
from ..models import SealOrder
from ..pades.drawing import DIAMETER, MM
from ..papers import Kind, NoSuchPaper, NotInThisState, NotTheirTurn, Paper, PaperStore, State, Turn
from ..shelf import Facts, Limits, NoSuchDocument, Shelf, ShelfUnreadable, Shelved
from .desk import Desk
from .placing import Placing
from .sealing import Sealing
from .seconding import Seconding

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
        # Takes turns that more keepers have to confirm.
        orders: Seconding,
        recorder: Recorder,
        nudge: Callable[[], None],
        clock: Clock,
        # What a person's kept key made of a document since some moment, the newest first: documents on their shelf.
        signed: Callable[[str, bytes, datetime], Sequence[str]],
        largest: int,
        most_bytes_of_all: int,
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._desk = desk
        self._placing = placing
        self._sealing = sealing
        self._orders = orders
        self._recorder = recorder
        self._nudge = nudge
        self._clock = clock
        self._signed = signed
        # For whom those act who are no people; all others, the directory says.
        self.acting: dict[str, frozenset[str]] = {}
        self._limits = Limits(
            most=MOST_SIGNERS + 2,
            most_bytes=(MOST_SIGNERS + 2) * largest,
            most_bytes_of_all=most_bytes_of_all,
            lifetime=_LIFETIME,
        )

    def of_program(self, client: str, organisation: str) -> "Papers":
        """The same for a program, which acts for this organisation and for nobody else."""
        made = copy(self)
        made.acting = {client: frozenset({organisation})}
        return made

    def begin_with(self, subject: str, document: bytes, *, name: str, **wish: Any) -> Paper:
        """As ``begin``, with a document that lies nowhere yet.

        Raises:
            NothingSent, CannotSeal, Busy: of the document.
            TallygateError: as ``begin``.
        """
        return self._begin(subject, document, self._desk.facts(document, name=name), **wish)

    def begin(self, subject: str, document: str, **wish: Any) -> Paper:
        """Send a document of one's own on its way to organisations and people, in this order.

        ``signers`` are identifiers of organisations, and user names of people with @ before them. An official document
        is countersigned by them and then sealed by its own organisation.

        Raises:
            NoSuchDocument: the document is not theirs.
            Malformed: nobody signs, too many do, one is unknown, or an official document has no word.
            NotTheirTurn: they do not act for this organisation; recorded.
            ShelfFull: there is no room.
        """
        return self._begin(subject, self._desk.read(subject, document), self._desk.one(subject, document).facts, **wish)

    def _begin(
        self,
        subject: str,
        content: bytes,
        facts: Facts,
        *,
        kind: Kind,
        organisation: str,
        word: str,
        title: str,
        signers: Sequence[str],
    ) -> Paper:
        seals = [*signers, *([organisation] if kind is Kind.OFFICIAL else [])]
        if not 1 <= len(seals) <= MOST_SIGNERS:
            raise Malformed(field="signer")
        if kind is Kind.OFFICIAL and not word:
            raise Malformed(field="word")
        turns = tuple(self._turn(each, position) for position, each in enumerate(seals, start=1))
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
            turns=turns,
            made_at=self._clock.now(),
        )
        self._store.add(paper, self._event("paper.begun", subject, paper))
        self._nudge()
        return self._store.one(identifier)

    def all_of(self, subject: str) -> list[Paper]:
        """The papers that concern a person, those that wait for them first."""
        mine = self._organisations(subject)
        found = self._store.concerning(subject, mine)
        return sorted(found, key=lambda paper: not self.mine(subject, paper, acting=mine))

    def mine(self, subject: str, paper: Paper, *, acting: Collection[str] | None = None) -> bool:
        """Whether the present turn is the person's, or of an organisation that they act for."""
        turn = paper.turn
        if turn is None or turn.person:
            return turn is not None and turn.person == subject
        return turn.organisation in (self._organisations(subject) if acting is None else acting)

    def one(self, subject: str, identifier: str) -> Paper:
        """One paper.

        Raises:
            NoSuchPaper: there is none, or it does not concern them.
        """
        paper = self._store.one(identifier)
        mine = self._organisations(subject)
        concerned = {paper.organisation, *(turn.organisation for turn in paper.turns)}
        signing = any(turn.person == subject for turn in paper.turns)
        # A program is concerned by what its organisation is, whatever it began for another one before.
        begun = paper.creator == subject and subject not in self.acting
        if not begun and not signing and not concerned & mine:
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
            SecondAsked: it waits until keepers of the seal confirm this revision; the paper goes on by itself then.
            TallygateError: as ``Sealing.seal``.
        """
        paper = self.one(subject, identifier)
        turn = paper.turn
        if turn is None:
            raise NotInThisState
        if turn.person or turn.organisation not in self._organisations(subject):
            self._refuse(subject, paper.id, turn.organisation, code="not_their_turn")
            raise NotTheirTurn
        if paper.kind is Kind.OFFICIAL and paper.last:
            paper = self._store.number(paper.id, at=self._clock.now())
        kept, content = self._present(paper)
        wanted, about = _in_turn(order(content, turn.organisation), paper, turn), _about(paper, turn)
        if self.waiting(paper) is not None or self._orders.waits(wanted):
            asked = self._orders.ask(wanted, name=kept.facts.name, purpose=Purpose.PAPER, about=about)
            raise SecondAsked(address=self._orders.address(asked.id), order=asked.id)
        sealed = self._sealing.seal(wanted)
        return self._advance(subject, paper, turn, sealed, _facts(kept, sealed))

    def waiting(self, paper: Paper) -> Order | None:
        """The order by which the present turn waits for keepers."""
        turn = paper.turn
        return self._orders.waiting(_about(paper, turn)) if turn is not None else None

    def ready(self, order: Order) -> None:
        """See ``seconding.Follower``.

        Raises:
            OrderOver: the paper went on or was withdrawn, so that this revision waits for nobody.
        """
        self._asked_for(order)

    def carried(self, order: Order, sealed: bytes) -> None:
        """End the turn that an order was for with what was sealed; again for the same changes nothing.

        Raises:
            OrderOver: as ``ready``.
        """
        paper = self._store.one(_paper(order))
        if any(_about(paper, each) == order.about and each.done_at is not None for each in paper.turns):
            # Entered before a death, unless somebody was faster.
            if not self._shelf.read(_owner(paper.id), paper.document).startswith(sealed):
                raise OrderOver
            return
        paper, turn, kept = self._asked_for(order)
        try:
            self._advance(order.by, paper, turn, sealed, _facts(kept, sealed))
        except NotInThisState as error:
            raise OrderOver from error

    def _asked_for(self, order: Order) -> tuple[Paper, Turn, Shelved]:
        """The paper, its present turn and revision, if they are what the order is for."""
        try:
            paper = self._store.one(_paper(order))
            kept, content = self._present(paper)
        except (NoSuchPaper, NoSuchDocument, NotInThisState) as error:
            raise OrderOver from error
        turn = paper.turn
        if turn is None or _about(paper, turn) != order.about or _sha256(content) != order.sha256:
            raise OrderOver
        return paper, turn, kept

    def take(self, subject: str, identifier: str) -> Shelved:
        """Lay the revision that waits for a person to their own documents, where they sign it.

        Raises:
            NoSuchPaper: as ``one``.
            NotTheirTurn: another signs before them; recorded.
            NotInThisState: nobody's turn, or somebody was faster.
            ShelfFull: they have no room.
        """
        paper, _ = self._waiting(subject, identifier)
        kept, content = self._present(paper)
        already = [each for each in self._desk.all_of(subject) if each.facts.sha256 == kept.facts.sha256]
        return already[0] if already else self._desk.bring(subject, content, name=kept.facts.name)

    def hand_in(self, subject: str, identifier: str) -> Paper:
        """End a person's turn with what their kept key made of the present revision, once they confirmed it.

        Raises:
            NoSuchPaper, NotTheirTurn: as ``take``.
            NotInThisState: they have not signed this revision, or somebody was faster.
        """
        paper, turn = self._waiting(subject, identifier)
        kept, content = self._present(paper)
        for result in self._signed(subject, content, paper.made_at):
            try:
                found, signed = self._desk.one(subject, result), self._desk.read(subject, result)
            except NoSuchDocument:
                # They removed it again.
                continue
            if not signed.startswith(content):
                continue
            facts = replace(found.facts, name=kept.facts.name, title=kept.facts.title)
            return self._advance(subject, paper, turn, signed, facts)
        raise NotInThisState

    def hand_in_all(self, subject: str, results: Collection[str]) -> Paper | None:
        """The same for every paper that waited for one of these documents, just signed; the last of those papers."""
        done = None
        for paper in self.all_of(subject):
            if paper.turn is None or paper.turn.person != subject:
                continue
            try:
                _, content = self._present(paper)
                if set(self._signed(subject, content, paper.made_at)) & set(results):
                    done = self.hand_in(subject, paper.id)
            except (NotInThisState, NoSuchDocument):
                # Somebody was faster, or its time is over; what they signed stays among their documents.
                continue
        return done

    def _waiting(self, subject: str, identifier: str) -> tuple[Paper, Turn]:
        """The paper and its turn, which is this person's own."""
        paper = self.one(subject, identifier)
        turn = paper.turn
        if turn is None:
            raise NotInThisState
        if turn.person != subject:
            self._refuse(subject, paper.id, turn.organisation, code="not_their_turn")
            raise NotTheirTurn
        return paper, turn

    def _turn(self, signer: str, position: int) -> Turn:
        if signer.startswith("@"):
            person = self._placing.person(signer.removeprefix("@"))
            if person:
                return Turn(position=position, organisation="", person=person)
        elif self._placing.known(signer):
            return Turn(position=position, organisation=signer)
        raise Malformed(field="signer")

    def _advance(self, subject: str, paper: Paper, turn: Turn, signed: bytes, facts: Facts) -> Paper:
        whose = _owner(paper.id)
        new = self._shelf.put(whose, signed, facts=facts, limits=self._limits)
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
        if subject in self.acting:
            return set(self.acting[subject])
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


def _facts(kept: Shelved, sealed: bytes) -> Facts:
    return Facts(
        name=kept.facts.name, sha256=_sha256(sealed), title=kept.facts.title, pages=kept.facts.pages, signatures=1
    )


def _about(paper: Paper, turn: Turn) -> str:
    return f"{paper.id}.{turn.position}"


def _paper(order: Order) -> str:
    return order.about.partition(".")[0]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _owner(identifier: str) -> str:
    return f"paper:{identifier}"
