# SPDX-License-Identifier: Apache-2.0
"""The tables of warrants: trusted, for whoever changes a row here lets an officer act alone.

Every change of a state is a compare-and-swap in the transaction that holds its record, so that of two who come at the
same time exactly one is first. No purpose and no name is kept here.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    func,
    insert,
    select,
    update,
)

from core.db import Database, Drain, Outbox, migrate

from ..errors import ErasureUnderWay, NoSuchWarrant, TooManyWaiting, UnderHold, WarrantSettled
from ..models import LONGEST_SCOPE, Erasure, Hold, Scope, State, Warrant
from ..records import Note

_METADATA = MetaData()
_WARRANTS = Table(
    "warrants",
    _METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(16), nullable=False, unique=True),
    Column("kind", String(32), nullable=False),
    Column("scope", String(LONGEST_SCOPE), nullable=False),
    Column("about", String(256), nullable=False),
    Column("state", String(16), nullable=False),
    Column("asker", String(256), nullable=False),
    # Times are epoch seconds.
    Column("asked", BigInteger, nullable=False),
    Column("place", BigInteger),
    Column("decider", String(256), nullable=False),
    Column("decided", BigInteger),
    Column("until", BigInteger, nullable=False),
    # Whoever moves a warrant into a state that is under way; only they move it on.
    Column("attempt", String(32), nullable=False),
    Column("changed", BigInteger, nullable=False),
    Index("warrants_state", "state", "until"),
    Index("warrants_asker", "asker", "number"),
    sqlite_autoincrement=True,
)
_HOLDS = Table(
    "holds",
    _METADATA,
    Column("id", String(16), primary_key=True),
    Column("subject", String(256), nullable=False),
    Column("placed", BigInteger, nullable=False),
    Column("placed_by", String(256), nullable=False),
    Column("released", BigInteger),
    Column("released_by", String(256), nullable=False),
    Index("holds_subject", "subject"),
)
_ERASURES = Table(
    "erasures",
    _METADATA,
    Column("warrant", String(16), primary_key=True),
    Column("subject", String(256), nullable=False),
    Column("begun", BigInteger, nullable=False),
    Column("erased_by", String(256), nullable=False),
    Column("session", String(256), nullable=False),
    Column("zone", String(256), nullable=False),
    Column("decision", String(256), nullable=False),
    Column("intent", String(32), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("done", Boolean, nullable=False),
    Index("erasures_subject", "subject", "done"),
)
_OUTBOX = Outbox(_METADATA)
_MIGRATIONS = Path(__file__).parent.parent / "migrations"
_OPEN = (State.ASKING, State.ASKED, State.APPROVING)
_UNDER_WAY = (State.ASKING, State.APPROVING, State.USING)
_OVER = (State.USED, State.REFUSED, State.WITHDRAWN, State.EXPIRED)
MOST_OPEN = 50
"""Requests of one officer that may wait at a time."""


class WarrantStore:
    """The tables and their verbs; each is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # For the verbs of switches, which have a file of their own.
        self.database = database
        # Records on their way to the log.
        self.outbox = Drain(database, _OUTBOX)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The tables in one SQLite file, brought up to date."""
        database = Database.open(f"sqlite:///{path}", connections=8)
        migrate(database, _MIGRATIONS)
        path.chmod(0o600)
        return cls(database)

    def add(self, warrant: Warrant) -> None:
        """Write down a request before it is recorded.

        Raises:
            TooManyWaiting: the officer has ``MOST_OPEN`` already.
        """
        own = (_WARRANTS.c.asker == warrant.asker, _WARRANTS.c.state.in_(_OPEN))
        with self._database.transaction() as connection:
            if connection.execute(select(func.count()).select_from(_WARRANTS).where(*own)).scalar_one() >= MOST_OPEN:
                raise TooManyWaiting(most=MOST_OPEN)
            connection.execute(
                insert(_WARRANTS).values(
                    id=warrant.id,
                    kind=warrant.kind,
                    scope=str(warrant.scope),
                    about=warrant.about,
                    state=warrant.state,
                    asker=warrant.asker,
                    asked=_stamp(warrant.asked),
                    place=None,
                    decider="",
                    decided=None,
                    until=_stamp(warrant.until),
                    attempt="",
                    changed=_stamp(warrant.asked),
                )
            )

    def move(
        self,
        identifier: str,
        sources: Sequence[State],
        target: State,
        *,
        at: datetime,
        attempt: str = "",
        notes: Sequence[Note] = (),
        **values: Any,
    ) -> None:
        """Change the state with its record; ``attempt`` is compared where a source is under way, and kept.

        Raises:
            WarrantSettled: it is in none of ``sources`` any more, or somebody else's attempt is under way.
        """
        with self._database.transaction() as connection:
            move_in(connection, identifier, sources, target, at=at, attempt=attempt, **values)
            put_notes(connection, notes)

    def find(self, identifier: str) -> Warrant:
        """One warrant.

        Raises:
            NoSuchWarrant: there is none.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(_WARRANTS).where(_WARRANTS.c.id == identifier)).one_or_none()
        if row is None or row.state == State.ABANDONED:
            raise NoSuchWarrant
        return _warrant(row)

    def open_requests(self) -> list[Warrant]:
        """Everything that waits for a decision, oldest first."""
        asked = select(_WARRANTS).where(_WARRANTS.c.state.in_((State.ASKED, State.APPROVING)))
        return self._list(asked.order_by(_WARRANTS.c.number))

    def of(self, asker: str, *, limit: int) -> list[Warrant]:
        """What one officer asked for and is not over, newest first."""
        lasting = (_WARRANTS.c.asker == asker, _WARRANTS.c.state.not_in((*_OVER, State.ABANDONED)))
        return self._list(select(_WARRANTS).where(*lasting).order_by(_WARRANTS.c.number.desc()).limit(limit))

    def over(self, *, limit: int) -> list[Warrant]:
        """What is over, newest first."""
        past = select(_WARRANTS).where(_WARRANTS.c.state.in_(_OVER))
        return self._list(past.order_by(_WARRANTS.c.number.desc()).limit(limit))

    def granted(self, asker: str, kind: str, at: datetime) -> list[Warrant]:
        """What allows something of this kind to this officer now; what lasts longest comes first."""
        live = (
            _WARRANTS.c.asker == asker,
            _WARRANTS.c.kind == kind,
            _WARRANTS.c.state == State.GRANTED,
            _WARRANTS.c.until > _stamp(at),
        )
        return self._list(select(_WARRANTS).where(*live).order_by(_WARRANTS.c.until.desc(), _WARRANTS.c.number))

    def stale(self, before: datetime) -> list[tuple[Warrant, str]]:
        """What is under way since then, with its attempt: whoever was at it has died."""
        query = select(_WARRANTS).where(_WARRANTS.c.state.in_(_UNDER_WAY), _WARRANTS.c.changed < _stamp(before))
        with self._database.reading() as connection:
            return [(_warrant(row), row.attempt) for row in connection.execute(query)]

    def overdue(self, at: datetime) -> list[Warrant]:
        """What waits or holds beyond its time."""
        late = (_WARRANTS.c.state.in_((State.ASKED, State.GRANTED)), _WARRANTS.c.until <= _stamp(at))
        return self._list(select(_WARRANTS).where(*late).order_by(_WARRANTS.c.number))

    def holds(self, subject: str = "") -> list[Hold]:
        """The holds that stand, on one person or on all; oldest first."""
        query = select(_HOLDS).where(_HOLDS.c.released.is_(None)).order_by(_HOLDS.c.placed, _HOLDS.c.id)
        if subject:
            query = query.where(_HOLDS.c.subject == subject)
        with self._database.reading() as connection:
            return [_hold(row) for row in connection.execute(query)]

    def hold(self, identifier: str) -> Hold:
        """One hold, released or not.

        Raises:
            NoSuchWarrant: there is none.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(_HOLDS).where(_HOLDS.c.id == identifier)).one_or_none()
        if row is None:
            raise NoSuchWarrant
        return _hold(row)

    def place(self, hold: Hold, *, attempt: str, notes: Sequence[Note]) -> None:
        """Use the warrant up for a hold.

        Raises:
            ErasureUnderWay: the person is being erased.
            WarrantSettled: the warrant is not in use by this attempt.
        """
        with self._database.transaction() as connection:
            if _under_way(connection, hold.subject):
                raise ErasureUnderWay
            move_in(connection, hold.id, (State.USING,), State.USED, at=hold.placed, attempt=attempt)
            connection.execute(
                insert(_HOLDS).values(
                    id=hold.id,
                    subject=hold.subject,
                    placed=_stamp(hold.placed),
                    placed_by=hold.by,
                    released=None,
                    released_by="",
                )
            )
            put_notes(connection, notes)

    def release(
        self, identifier: str, *, warrant: str, by: str, at: datetime, attempt: str, notes: Sequence[Note]
    ) -> None:
        """Use the warrant up for the release of a hold.

        Raises:
            WarrantSettled: the hold is released already, or the warrant is not in use by this attempt.
        """
        standing = (_HOLDS.c.id == identifier, _HOLDS.c.released.is_(None))
        with self._database.transaction() as connection:
            move_in(connection, warrant, (State.USING,), State.USED, at=at, attempt=attempt)
            change = update(_HOLDS).where(*standing).values(released=_stamp(at), released_by=by)
            if not connection.execute(change).rowcount:
                raise WarrantSettled
            put_notes(connection, notes)

    def begin(self, erasure: Erasure, *, notes: Sequence[Note]) -> None:
        """Use the warrant up and write down that the person will be erased: from here on it happens.

        Raises:
            UnderHold: a legal hold stands.
            ErasureUnderWay: another one is being finished.
            WarrantSettled: the warrant allows nothing any more.
        """
        held = select(func.count()).select_from(_HOLDS)
        held = held.where(_HOLDS.c.subject == erasure.subject, _HOLDS.c.released.is_(None))
        with self._database.transaction() as connection:
            if count := connection.execute(held).scalar_one():
                raise UnderHold(count=count)
            if _under_way(connection, erasure.subject):
                raise ErasureUnderWay
            move_in(connection, erasure.warrant, (State.GRANTED,), State.USED, at=erasure.begun)
            connection.execute(
                insert(_ERASURES).values(
                    warrant=erasure.warrant,
                    subject=erasure.subject,
                    begun=_stamp(erasure.begun),
                    erased_by=erasure.by,
                    session=erasure.session,
                    zone=erasure.zone,
                    decision=erasure.decision,
                    intent=erasure.intent,
                    outcome=erasure.outcome,
                    done=False,
                )
            )
            put_notes(connection, notes)

    def unfinished(self) -> list[Erasure]:
        """Erasures that were begun and have no outcome."""
        query = select(_ERASURES).where(_ERASURES.c.done.is_(False)).order_by(_ERASURES.c.begun)
        with self._database.reading() as connection:
            return [_erasure(row) for row in connection.execute(query)]

    def finish(self, erasure: Erasure) -> None:
        """Its outcome is on the record."""
        with self._database.transaction() as connection:
            connection.execute(update(_ERASURES).where(_ERASURES.c.warrant == erasure.warrant).values(done=True))

    def check(self) -> None:
        """Answer one trivial query.

        Raises:
            DatabaseUnavailable: it did not.
        """
        self._database.check()

    def close(self) -> None:
        """Return the connections."""
        self._database.close()

    def _list(self, query: Select[Any]) -> list[Warrant]:
        with self._database.reading() as connection:
            return [_warrant(row) for row in connection.execute(query)]


def move_in(
    connection: Connection,
    identifier: str,
    sources: Sequence[State],
    target: State,
    *,
    at: datetime,
    attempt: str = "",
    **values: Any,
) -> None:
    """Change the state inside something larger; raises as ``WarrantStore.move``."""
    conditions = [_WARRANTS.c.id == identifier, _WARRANTS.c.state.in_(sources)]
    if attempt and set(sources) & set(_UNDER_WAY):
        conditions.append(_WARRANTS.c.attempt == attempt)
    if target is not State.EXPIRED and not set(sources) & {State.ASKING}:
        # What ran out is over, even if nobody has noticed yet.
        conditions.append((_WARRANTS.c.until > _stamp(at)) | _WARRANTS.c.state.in_(_UNDER_WAY))
    change = {name: _stamp(value) if isinstance(value, datetime) else value for name, value in values.items()}
    changed = update(_WARRANTS).where(*conditions).values(state=target, attempt=attempt, changed=_stamp(at), **change)
    if not connection.execute(changed).rowcount:
        raise WarrantSettled


def _under_way(connection: Connection, subject: str) -> bool:
    query = select(func.count()).select_from(_ERASURES)
    return bool(
        connection.execute(query.where(_ERASURES.c.subject == subject, _ERASURES.c.done.is_(False))).scalar_one()
    )


def put_notes(connection: Connection, notes: Sequence[Note]) -> None:
    """Put records into the outbox, inside something larger."""
    for each in notes:
        _OUTBOX.put(connection, key=each.key, body=each.body)


def _warrant(row: Any) -> Warrant:
    return Warrant(
        id=row.id,
        kind=row.kind,
        scope=Scope.parse(row.scope),
        about=row.about,
        state=State(row.state),
        asker=row.asker,
        asked=_moment(row.asked),
        place=row.place,
        decider=row.decider,
        decided=None if row.decided is None else _moment(row.decided),
        until=_moment(row.until),
    )


def _hold(row: Any) -> Hold:
    return Hold(
        id=row.id,
        subject=row.subject,
        placed=_moment(row.placed),
        by=row.placed_by,
        released=None if row.released is None else _moment(row.released),
        released_by=row.released_by,
    )


def _erasure(row: Any) -> Erasure:
    return Erasure(
        warrant=row.warrant,
        subject=row.subject,
        begun=_moment(row.begun),
        by=row.erased_by,
        session=row.session,
        zone=row.zone,
        decision=row.decision,
        intent=row.intent,
        outcome=row.outcome,
        done=row.done,
    )


def _stamp(at: datetime) -> int:
    return int(at.timestamp())


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
