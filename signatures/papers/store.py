# SPDX-License-Identifier: Apache-2.0
"""Tables ``papers``, ``turns`` and ``numbers``; every step and its record are one transaction."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from audit import Event
from core.db import Database

from .errors import NoSuchPaper, NotInThisState
from .models import Kind, Paper, State, Turn

_METADATA = MetaData()
_PAPERS = Table(
    "papers",
    _METADATA,
    Column("id", String(32), primary_key=True),
    Column("kind", String(16)),
    Column("organisation", String(64)),
    Column("word", String(20)),
    Column("title", String(200)),
    Column("creator", String(64)),
    Column("document", String(32)),
    Column("state", String(16)),
    Column("made_at", String(40)),
    Column("year", Integer),
    Column("number", Integer),
    Column("issued_at", String(40)),
)
_TURNS = Table(
    "turns",
    _METADATA,
    Column("paper", String(32), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("organisation", String(64)),
    Column("person", String(64)),
    Column("done_at", String(40)),
    Column("actor", String(64)),
)
_NUMBERS = Table(
    "numbers",
    _METADATA,
    Column("organisation", String(64), primary_key=True),
    Column("year", Integer, primary_key=True),
    Column("last", Integer),
)
_MOST = 200


class PaperStore:
    """Rows in and out; ``put`` writes an event into the role's outbox on the same transaction."""

    def __init__(self, database: Database, *, put: Callable[[Connection, Event], None]) -> None:
        self._database = database
        self._put = put

    def add(self, paper: Paper, event: Event) -> None:
        """A new one."""
        with self._database.transaction() as connection:
            connection.execute(
                insert(_PAPERS).values(
                    id=paper.id,
                    kind=paper.kind.value,
                    organisation=paper.organisation,
                    word=paper.word,
                    title=paper.title,
                    creator=paper.creator,
                    document=paper.document,
                    state=paper.state.value,
                    made_at=_text(paper.made_at),
                    year=0,
                    number=0,
                    issued_at="",
                )
            )
            for turn in paper.turns:
                connection.execute(
                    insert(_TURNS).values(
                        paper=paper.id,
                        position=turn.position,
                        organisation=turn.organisation,
                        person=turn.person,
                        done_at="",
                        actor="",
                    )
                )
            self._put(connection, event)

    def one(self, identifier: str) -> Paper:
        """One paper.

        Raises:
            NoSuchPaper: there is none.
        """
        with self._database.reading() as connection:
            return _one(connection, identifier)

    def concerning(self, subject: str, organisations: Collection[str]) -> list[Paper]:
        """The newest papers that a person began or signs, or whose organisation, or a turn's, is one of these."""
        mine = select(_TURNS.c.paper).where(or_(_TURNS.c.organisation.in_(organisations), _TURNS.c.person == subject))
        query = (
            select(_PAPERS)
            .where(
                or_(
                    _PAPERS.c.creator == subject,
                    _PAPERS.c.organisation.in_(organisations),
                    _PAPERS.c.id.in_(mine),
                )
            )
            .order_by(_PAPERS.c.made_at.desc())
            .limit(_MOST)
        )
        return self._all(query)

    def register(self, organisation: str, year: int) -> list[Paper]:
        """Every number of an organisation's year, in order; none is missing."""
        query = (
            select(_PAPERS)
            .where(_PAPERS.c.organisation == organisation, _PAPERS.c.year == year, _PAPERS.c.number > 0)
            .order_by(_PAPERS.c.number)
        )
        return self._all(query)

    def number(self, identifier: str, *, at: datetime) -> Paper:
        """Give it the next number of its organisation's year, or leave it the one that it has.

        The counter moves only together with the paper, so no number is lost whatever dies.

        Raises:
            NotInThisState: it is not countersigned, or withdrawn.
        """
        with self._database.transaction() as connection:
            paper = _one(connection, identifier)
            if paper.number:
                return paper
            if paper.state is not State.COUNTERSIGNED:
                raise NotInThisState
            counter = (_NUMBERS.c.organisation == paper.organisation) & (_NUMBERS.c.year == at.year)
            moved = connection.execute(update(_NUMBERS).where(counter).values(last=_NUMBERS.c.last + 1))
            if moved.rowcount != 1:
                # Two first ones at once: the key lets one in, and the other is told to come again.
                try:
                    connection.execute(insert(_NUMBERS).values(organisation=paper.organisation, year=at.year, last=1))
                except IntegrityError as error:
                    raise NotInThisState from error
            last = connection.execute(select(_NUMBERS.c.last).where(counter)).scalar_one()
            given = connection.execute(
                update(_PAPERS)
                .where(_PAPERS.c.id == identifier, _PAPERS.c.number == 0)
                .where(_PAPERS.c.state == State.COUNTERSIGNED.value)
                .values(year=at.year, number=last)
            )
            if given.rowcount != 1:
                raise NotInThisState
            return _one(connection, identifier)

    def advance(self, paper: Paper, *, document: str, actor: str, at: datetime, event: Event) -> None:
        """End the present turn of this paper as it was read: another revision, another state.

        Raises:
            NotInThisState: it is no longer as it was read.
        """
        turn = paper.turn
        if turn is None:
            raise NotInThisState
        with self._database.transaction() as connection:
            changed = connection.execute(
                update(_PAPERS)
                .where(_PAPERS.c.id == paper.id, _PAPERS.c.document == paper.document)
                .where(_PAPERS.c.state == paper.state.value)
                .values(document=document, state=paper.after_turn().value)
            )
            done = connection.execute(
                update(_TURNS)
                .where(_TURNS.c.paper == paper.id, _TURNS.c.position == turn.position, _TURNS.c.done_at == "")
                .values(done_at=_text(at), actor=actor)
            )
            if changed.rowcount != 1 or done.rowcount != 1:
                raise NotInThisState
            self._put(connection, event)

    def change(self, paper: Paper, state: State, *, at: datetime, event: Event) -> None:
        """Issue or withdraw a paper as it was read.

        Raises:
            NotInThisState: it is no longer as it was read.
        """
        issued = _text(at) if state is State.ISSUED else ""
        with self._database.transaction() as connection:
            changed = connection.execute(
                update(_PAPERS)
                .where(_PAPERS.c.id == paper.id, _PAPERS.c.document == paper.document)
                .where(_PAPERS.c.state == paper.state.value)
                .values(state=state.value, issued_at=issued)
            )
            if changed.rowcount != 1:
                raise NotInThisState
            self._put(connection, event)

    def last_number(self, organisation: str, year: int) -> int:
        """How many numbers were given."""
        query = select(func.coalesce(func.max(_NUMBERS.c.last), 0)).where(
            _NUMBERS.c.organisation == organisation, _NUMBERS.c.year == year
        )
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def _all(self, query: Any) -> list[Paper]:
        with self._database.reading() as connection:
            return [_paper(connection, row) for row in connection.execute(query).all()]


def _one(connection: Connection, identifier: str) -> Paper:
    row = connection.execute(select(_PAPERS).where(_PAPERS.c.id == identifier)).one_or_none()
    if row is None:
        raise NoSuchPaper
    return _paper(connection, row)


def _paper(connection: Connection, row: Any) -> Paper:
    turns = connection.execute(select(_TURNS).where(_TURNS.c.paper == row.id).order_by(_TURNS.c.position))
    return Paper(
        id=row.id,
        kind=Kind(row.kind),
        organisation=row.organisation,
        word=row.word,
        title=row.title,
        creator=row.creator,
        document=row.document,
        state=State(row.state),
        turns=tuple(
            Turn(
                position=each.position,
                organisation=each.organisation,
                person=each.person,
                done_at=_moment(each.done_at),
                actor=each.actor,
            )
            for each in turns
        ),
        made_at=datetime.fromisoformat(row.made_at),
        year=row.year,
        number=row.number,
        issued_at=_moment(row.issued_at),
    )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
