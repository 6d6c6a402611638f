# SPDX-License-Identifier: Apache-2.0
"""The writer's own tables: the journal of changes under way, the register numbers, the outbox of the record."""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Select,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from core.db import Database, Drain, Outbox

from .ldap import accesslog, changes
from .ldap.changes import Change

_metadata = MetaData()
_journal = Table(
    "journal",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("key", String(32), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("changes", LargeBinary, nullable=False),
    Column("outcomes", LargeBinary, nullable=False),
    Column("failure", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
_register = Table(
    "register",
    _metadata,
    Column("name", String(16), primary_key=True),
    Column("last", BigInteger, nullable=False),
)
# How each change that was written down will look in the server's log; gone when it has been seen there.
_expected = Table(
    "expected",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("key", String(32), nullable=False, index=True),
    Column("trace", String(64), nullable=False, index=True),
    sqlite_autoincrement=True,
)
_watched = Table(
    "watched",
    _metadata,
    Column("name", String(16), primary_key=True),
    Column("place", String(40), nullable=False),
    Column("csn", String(64), nullable=False),
)
_unrecorded = Table(
    "unrecorded",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("found", BigInteger, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
_scheduled = Table(
    "scheduled",
    _metadata,
    Column("id", String(36), primary_key=True),
    Column("subject", String(36), nullable=False, index=True),
    Column("act", String(16), nullable=False),
    Column("day", String(10), nullable=False, index=True),
    Column("post", String(36), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("failed", String(64), nullable=False),
    # Until when somebody is at it, in epoch seconds.
    Column("claimed", BigInteger, nullable=False),
    Column("choices", Text, nullable=False),
)
# When somebody was last seen to log in, and since when anybody looks; how far the record has been heard.
_seen = Table(
    "seen",
    _metadata,
    Column("subject", String(36), primary_key=True),
    Column("day", String(10), nullable=False),
)
_heard = Table(
    "heard",
    _metadata,
    Column("name", String(16), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("since", String(10), nullable=False),
)
# What was made at one provider and is not known to be at the other one.
_made = Table(
    "made",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("key", String(32), nullable=False),
    Column("changes", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
_provider = Table(
    "provider",
    _metadata,
    Column("name", String(16), primary_key=True),
    Column("second", Boolean, nullable=False),
)
_outbox = Outbox(_metadata)


Striking = Callable[[Connection], bool]
"""Takes something away from a table of ours, in somebody's transaction; whether there was anything to take."""
_BEHIND = "behind"
_CLAIMED = 60
"""Seconds."""
_MOST_AT_ONCE = 500
"""A database takes so many values in one statement at any rate."""


class State(StrEnum):
    """How far a change has got."""

    # The intent is about to be recorded. Found at a start: nobody has a receipt, so it must not happen.
    ANNOUNCED = "announced"
    # The record has it; it must happen, now or after the next start.
    GOING = "going"
    # A copy of what its owner has recorded and shows elsewhere: no record of its own. Made again after a crash.
    SHOWN = "shown"


@dataclass(frozen=True)
class Note:
    """One event ready for the outbox: its key and its bytes."""

    key: str
    body: bytes


@dataclass(frozen=True)
class Undertaking:
    """One row of the journal."""

    key: str
    state: State
    changes: tuple[Change, ...]
    # Recorded when everything is done.
    outcomes: tuple[Note, ...]
    # Recorded when it is given up; what takes away is never given up and has none.
    failure: Note | None

    @property
    def takes_away(self) -> bool:
        """Its record was committed with it."""
        return self.failure is None and self.state is not State.SHOWN


class Act(StrEnum):
    """What is to happen to somebody's employment on a day."""

    BEGIN = "begin"
    MOVE = "move"
    AWAY = "away"
    RETURN = "return"
    LEAVE = "leave"


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """One act that waits for its day."""

    id: str
    subject: str
    act: Act
    # As 2026-11-20; it is due when that day has begun, in UTC.
    day: str
    post: str = ""
    actor: str = ""
    reason: str = ""
    # The code of why it could not be done so far.
    failed: str = ""
    # Of a move: identifiers of grants that are kept, and of mandates and representations that end, with a word each.
    choices: str = ""


class Fate(StrEnum):
    """What became of a change that nobody recorded."""

    OPEN = "open"
    UNDONE = "undone"
    KEPT = "kept"


@dataclass(frozen=True, kw_only=True)
class Noticed:
    """One change as the server's log tells it, ready to be compared with what was expected."""

    id: str
    trace: str
    # Where it stands in the server's log, and its own number.
    place: str
    csn: str
    # If nobody expected it: what is kept, and what is recorded; no record if it does not matter then.
    told: Callable[[], tuple[bytes, Note | None]]
    # Made at the other provider, whose log tells how.
    is_copy: bool = False


@dataclass(frozen=True)
class Unrecorded:
    """A change that nobody expected."""

    position: int
    # Epoch seconds.
    found: int
    fate: Fate
    body: bytes


class Store:
    """Rows in, models out; every verb is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._has_twin = False
        self._told: set[str] = set()
        # What the rooms with tables of their own share.
        self.database = database
        # Records on their way to the log.
        self.outbox = Drain(database, _outbox)

    def keep_made(self) -> None:
        """From now on keep what was made, until the other provider is known to have it."""
        self._has_twin = True

    def made(self) -> list[tuple[str, tuple[Change, ...]]]:
        """What the other provider may lack, in the order in which it was made; keys and changes."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_made).order_by(_made.c.position)).all()
        return [(row.key, changes.parse(row.changes)) for row in rows]

    def made_last(self) -> int:
        """The place of the last one, 0 if there is none."""
        with self._database.reading() as connection:
            return connection.execute(select(func.max(_made.c.position))).scalar_one() or 0

    def forget_made(self, position: int) -> None:
        """The other provider has everything up to this place."""
        with self._database.transaction() as connection:
            connection.execute(delete(_made).where(_made.c.position <= position))

    def at_second(self) -> bool:
        """Whether the second provider is the one that is written to."""
        with self._database.reading() as connection:
            return bool(connection.execute(select(_provider.c.second)).scalar_one_or_none())

    def go_over(self, *, second: bool, records: Sequence[Note]) -> None:
        """Write to the other provider from now on, with the records of that."""
        with self._database.transaction() as connection:
            connection.execute(delete(_provider))
            connection.execute(insert(_provider).values(name=_BEHIND, second=second))
            for record in records:
                _outbox.put(connection, key=record.key, body=record.body)

    def is_behind(self) -> bool:
        """Whether what is written down still has to be made again at the provider that is written to."""
        with self._database.reading() as connection:
            return connection.execute(select(_provider.c.name)).scalar_one_or_none() == _BEHIND

    def caught_up(self) -> None:
        """It has been."""
        with self._database.transaction() as connection:
            connection.execute(update(_provider).values(name="written"))

    def forget_watched(self, name: str) -> None:
        """A server's log is another one from now on: a copy of the first one's."""
        with self._database.transaction() as connection:
            connection.execute(delete(_watched).where(_watched.c.name == name))

    def announce(self, undertaking: Undertaking) -> None:
        """Write down a grant before its intent is recorded."""
        with self._database.transaction() as connection:
            _put(connection, undertaking)

    def commit(self, undertaking: Undertaking, *records: Note) -> None:
        """Write down something that takes away, with its records."""
        with self._database.transaction() as connection:
            _put(connection, undertaking)
            _outbox.put_all(connection, [(record.key, record.body) for record in records])

    def strike(self, act: Striking, record: Note) -> bool:
        """Let ``act`` take something away, with its record in the same transaction; neither, if there is nothing."""
        with self._database.transaction() as connection:
            done = act(connection)
            if done:
                _outbox.put(connection, key=record.key, body=record.body)
        return done

    def going(self, key: str) -> None:
        """The intent has its receipt."""
        with self._database.transaction() as connection:
            connection.execute(update(_journal).where(_journal.c.key == key).values(state=State.GOING))

    def finish(self, undertaking: Undertaking) -> None:
        """Everything is done: the outcomes go to the record."""
        self._close(undertaking, undertaking.outcomes, undertaking.changes)

    def give_up(self, undertaking: Undertaking) -> None:
        """It will not be done: the failure goes to the record."""
        self._close(undertaking, _optional(undertaking.failure))

    def underway(self) -> list[Undertaking]:
        """Everything unfinished, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_journal).order_by(_journal.c.position)).all()
        return [
            Undertaking(
                row.key,
                State(row.state),
                changes.parse(row.changes),
                _notes(row.outcomes),
                next(iter(_notes(row.failure)), None),
            )
            for row in rows
        ]

    def numbers(self, count: int) -> range:
        """The next register numbers; those of an abandoned entry are never given again."""
        with self._database.transaction() as connection:
            query = select(_register.c.last).where(_register.c.name == "entries")
            last = connection.execute(query).scalar_one_or_none()
            if last is None:
                last = 0
                connection.execute(insert(_register).values(name="entries", last=count))
            else:
                connection.execute(update(_register).where(_register.c.name == "entries").values(last=last + count))
        return range(last + 1, last + 1 + count)

    def expect(self, key: str, series: Sequence[Change]) -> None:
        """Announce further changes of an undertaking, before they are made."""
        with self._database.transaction() as connection:
            _expect(connection, key, series)
            if self._has_twin:
                connection.execute(insert(_made).values(key=key, changes=changes.dump(series)))

    def expect_if_new(self, undertaking: Undertaking) -> None:
        """Announce the changes of an undertaking that was written down by a release which did not."""
        with self._database.transaction() as connection:
            query = select(_expected.c.position).where(_expected.c.key == undertaking.key).limit(1)
            if connection.execute(query).one_or_none() is None:
                _expect(connection, undertaking.key, undertaking.changes)

    def behind(self) -> int:
        """Outcomes that wait for the record, or changes that the watch has yet to see, whichever is more."""
        with self._database.reading() as connection:
            expected = connection.execute(select(func.count()).select_from(_expected)).scalar_one()
            return max(_outbox.depth(connection), expected)

    def settled(self) -> list[int]:
        """What is still expected of undertakings that are closed: whatever they did is in the server's log by now."""
        under_way = select(_journal.c.key)
        query = select(_expected.c.position).where(_expected.c.key.not_in(under_way)).limit(_MOST_AT_ONCE)
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def forget_expected(self, positions: Sequence[int]) -> None:
        """Expect these no longer."""
        with self._database.transaction() as connection:
            connection.execute(delete(_expected).where(_expected.c.position.in_(positions)))

    def expect_again(self, key: str, series: Sequence[Change]) -> None:
        """Announce changes that are made once more, at the other provider."""
        with self._database.transaction() as connection:
            _expect(connection, key, series)

    def watched(self, name: str = "changes") -> tuple[str, str]:
        """How far a server's log has been read: the place, and the number of the last change; empty at first."""
        with self._database.reading() as connection:
            row = connection.execute(select(_watched).where(_watched.c.name == name)).one_or_none()
        return (row.place, row.csn) if row else ("", "")

    def notice(self, found: Sequence[Noticed], *, at: int, name: str = "changes") -> int:
        """Compare with what was expected; what was not is kept and goes to the record. Returns how many those are.

        Raises:
            OutboxFull: nothing was noticed; to be repeated.
        """
        alarms = 0
        with self._database.transaction() as connection:
            expected = _expected_of(connection, [each.trace for each in found if not each.is_copy])
            unexpected, seen = [], []
            for each in found:
                if each.is_copy:
                    continue
                positions = expected.get(each.trace)
                if positions:
                    seen.append(positions.popleft())
                else:
                    unexpected.append(each)
            connection.execute(delete(_expected).where(_expected.c.position.in_(seen)))
            for each in unexpected:
                alarms += _alarming(connection, each, at)
            if found:
                # Copies of what the other provider took stand among our own, with numbers that may be lower.
                last = max(found, key=lambda each: each.csn)
                _go_on(connection, name, last.place, last.csn)
        return alarms

    def notice_nothing(self, name: str, place: str, csn: str) -> None:
        """Begin to read a log from a place on."""
        with self._database.transaction() as connection:
            if csn:
                _go_on(connection, name, place, csn)

    def unrecorded(self, *, limit: int) -> list[Unrecorded]:
        """The newest changes that nobody expected; those still open first."""
        is_settled = _unrecorded.c.state != Fate.OPEN
        query = select(_unrecorded).order_by(is_settled, _unrecorded.c.position.desc()).limit(limit)
        with self._database.reading() as connection:
            return [_unrecorded_of(row) for row in connection.execute(query)]

    def unrecorded_at(self, position: int) -> Unrecorded | None:
        """One of them."""
        with self._database.reading() as connection:
            row = connection.execute(select(_unrecorded).where(_unrecorded.c.position == position)).one_or_none()
        return _unrecorded_of(row) if row else None

    def unsettled(self) -> int:
        """How many are open."""
        query = select(func.count()).select_from(_unrecorded).where(_unrecorded.c.state == Fate.OPEN)
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one()

    def undone_since(self, moment: int) -> int:
        """How many were undone of those found since then."""
        is_undone = _unrecorded.c.state == Fate.UNDONE
        query = select(func.count()).select_from(_unrecorded).where(is_undone, _unrecorded.c.found >= moment)
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one()

    def tell_once(self, record: Note) -> bool:
        """Put something into the outbox that was perhaps told before by this process; the log keeps one of each key."""
        if record.key in self._told:
            return False
        with self._database.transaction() as connection:
            _outbox.put(connection, key=record.key, body=record.body)
        self._told.add(record.key)
        return True

    def settle(self, position: int, fate: Fate) -> None:
        """Say what became of one."""
        with self._database.transaction() as connection:
            connection.execute(update(_unrecorded).where(_unrecorded.c.position == position).values(state=fate))

    def seen(self, subjects: Sequence[str]) -> dict[str, str]:
        """The last day on which each of these logged in, as far as it was heard."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_seen).where(_seen.c.subject.in_(subjects))).all()
        return {row.subject: row.day for row in rows}

    def seen_since(self) -> str:
        """Since which day logins are heard of; empty if they are not."""
        with self._database.reading() as connection:
            return connection.execute(select(_heard.c.since)).scalar_one_or_none() or ""

    def heard(self) -> int:
        """From which entry of the record on to listen."""
        with self._database.reading() as connection:
            return connection.execute(select(_heard.c.position)).scalar_one_or_none() or 0

    def hear(self, days: Mapping[str, str], *, position: int, since: str) -> None:
        """Note who logged in when, and how far the record has been heard; hearing twice changes nothing."""
        with self._database.transaction() as connection:
            for subject, day in days.items():
                newer = update(_seen).where(_seen.c.subject == subject).values(day=day)
                if not connection.execute(newer).rowcount:
                    connection.execute(insert(_seen).values(subject=subject, day=day))
            if not connection.execute(update(_heard).values(position=position)).rowcount:
                connection.execute(insert(_heard).values(name="record", position=position, since=since))

    def schedule(self, of: Scheduled) -> None:
        """Write down what waits for its day."""
        with self._database.transaction() as connection:
            connection.execute(insert(_scheduled).values(**asdict(of), claimed=0))

    def scheduled(self, *, subject: str = "") -> list[Scheduled]:
        """What waits, soonest first; some of it, if there is much."""
        query = select(_scheduled).order_by(_scheduled.c.day, _scheduled.c.id).limit(_MOST_AT_ONCE)
        return self._waiting(query.where(_scheduled.c.subject == subject) if subject else query)

    def due(self, day: date) -> list[Scheduled]:
        """What is due on this day, oldest first."""
        query = select(_scheduled).where(_scheduled.c.day <= day.isoformat())
        return self._waiting(query.order_by(_scheduled.c.day, _scheduled.c.id).limit(_MOST_AT_ONCE))

    def claim(self, identifier: str, *, at: int) -> bool:
        """Whether this process is to carry it out now; nobody else is for a minute."""
        mine = update(_scheduled).where(_scheduled.c.id == identifier, _scheduled.c.claimed <= at)
        with self._database.transaction() as connection:
            return bool(connection.execute(mine.values(claimed=at + _CLAIMED)).rowcount)

    def failed(self, identifier: str, code: str) -> None:
        """Note why it could not be done; it may be tried again at once when that is mended."""
        with self._database.transaction() as connection:
            connection.execute(update(_scheduled).where(_scheduled.c.id == identifier).values(failed=code))

    def unschedule(self, identifier: str) -> None:
        """It has happened, or will not."""
        with self._database.transaction() as connection:
            connection.execute(delete(_scheduled).where(_scheduled.c.id == identifier))

    def stay_out(self, subject: str) -> None:
        """Nothing that waits lets this person in any more: no return, and no first day."""
        opens = _scheduled.c.act.in_((Act.BEGIN.value, Act.RETURN.value))
        theirs = delete(_scheduled).where(_scheduled.c.subject == subject, opens)
        with self._database.transaction() as connection:
            connection.execute(theirs)

    def _waiting(self, query: Select[Any]) -> list[Scheduled]:
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [
            Scheduled(
                id=row.id, subject=row.subject, act=Act(row.act), day=row.day, post=row.post, actor=row.actor,
                reason=row.reason, failed=row.failed, choices=row.choices,
            )
            for row in rows
        ]  # fmt: skip

    def check(self) -> None:
        """See that the database answers."""
        self._database.check()

    def _close(self, undertaking: Undertaking, notes: Sequence[Note], made: Sequence[Change] = ()) -> None:
        with self._database.transaction() as connection:
            gone = connection.execute(delete(_journal).where(_journal.c.key == undertaking.key))
            if gone.rowcount:
                if made and self._has_twin:
                    connection.execute(insert(_made).values(key=undertaking.key, changes=changes.dump(made)))
                _outbox.put_all(connection, [(note.key, note.body) for note in notes])


def _put(connection: Connection, undertaking: Undertaking) -> None:
    connection.execute(
        insert(_journal).values(
            key=undertaking.key,
            state=undertaking.state,
            changes=changes.dump(undertaking.changes),
            outcomes=_bytes(undertaking.outcomes),
            failure=_bytes(_optional(undertaking.failure)),
        )
    )

    _expect(connection, undertaking.key, undertaking.changes)


def _expect(connection: Connection, key: str, series: Sequence[Change]) -> None:
    if series:
        rows = [{"key": key, "trace": accesslog.trace(change)} for change in series]
        connection.execute(insert(_expected), rows)


def _expected_of(connection: Connection, traces: Sequence[str]) -> dict[str, deque[int]]:
    """Where each of these is expected, the earliest first."""
    query = select(_expected.c.trace, _expected.c.position).where(_expected.c.trace.in_(set(traces)))
    found: dict[str, deque[int]] = {}
    for row in connection.execute(query.order_by(_expected.c.position)):
        found.setdefault(row.trace, deque()).append(row.position)
    return found


def _alarming(connection: Connection, noticed: Noticed, at: int) -> bool:
    """Whether what nobody expected is news, and matters."""
    body, alarm = noticed.told()
    known = select(_unrecorded.c.position).where(_unrecorded.c.id == noticed.id)
    if alarm is None or connection.execute(known).one_or_none() is not None:
        return False
    kept = {"id": noticed.id, "found": at, "state": Fate.OPEN, "body": body}
    connection.execute(insert(_unrecorded).values(**kept))
    _outbox.put(connection, key=alarm.key, body=alarm.body)
    return True


def _go_on(connection: Connection, name: str, place: str, csn: str) -> None:
    connection.execute(delete(_watched).where(_watched.c.name == name))
    connection.execute(insert(_watched).values(name=name, place=place, csn=csn))


def _unrecorded_of(row: Row[Any]) -> Unrecorded:
    return Unrecorded(row.position, row.found, Fate(row.state), row.body)


def _optional(note: Note | None) -> tuple[Note, ...]:
    return () if note is None else (note,)


def _bytes(notes: Sequence[Note]) -> bytes:
    return json.dumps([[note.key, note.body.decode("utf-8")] for note in notes]).encode()


def _notes(body: bytes) -> tuple[Note, ...]:
    return tuple(Note(key, text.encode("utf-8")) for key, text in json.loads(body))
