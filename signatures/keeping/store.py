# SPDX-License-Identifier: Apache-2.0
"""Tables of keepers, their changes and the orders that wait; a step and its record are one transaction."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, Text, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from audit import Event
from core.db import Database

from ..errors import WishUsed
from .errors import ChangeRefused, KeepersNamed, NoSuchOrder, OrderOver
from .models import Act, Change, Order, Purpose, Rule, State

_METADATA = MetaData()
_KEEPERS = Table(
    "keepers",
    _METADATA,
    Column("organisation", String(64), primary_key=True),
    Column("subject", String(64), primary_key=True),
)
_RULES = Table("seal_rules", _METADATA, Column("organisation", String(64), primary_key=True), Column("second", Integer))
_CHANGES = Table(
    "keeper_changes",
    _METADATA,
    Column("id", String(32), primary_key=True),
    *(Column(name, String(128)) for name in ("organisation", "act", "subject", "by", "session")),
    *(Column(name, String(40)) for name in ("made_at", "until", "state")),
)
_ORDERS = Table(
    "seal_orders",
    _METADATA,
    Column("id", String(32), primary_key=True),
    Column("organisation", String(64)),
    Column("by", String(64)),
    Column("session", String(128)),
    Column("assurance", Integer),
    Column("zone", String(16)),
    Column("caller", String(64)),
    Column("decision", String(64)),
    Column("look", Text),
    Column("document", String(32)),
    Column("sha256", String(64)),
    Column("commitment", String(64)),
    Column("made_at", String(40)),
    Column("until", String(40)),
    Column("purpose", String(16)),
    Column("about", String(64)),
    Column("program_of", String(64)),
    Column("state", String(16)),
    Column("first", String(64)),
    Column("first_session", String(128)),
    Column("first_assurance", Integer),
    Column("first_zone", String(16)),
    Column("second", String(64)),
    Column("second_session", String(128)),
    Column("second_assurance", Integer),
    Column("second_zone", String(16)),
    Column("taken_at", String(40)),
    Column("result", String(32)),
)
_MOST = 200
# Asked several times for every seal: both tables in one plain look.
_LOOK = """SELECT subject, NULL FROM keepers WHERE organisation = ?
UNION ALL SELECT NULL, second FROM seal_rules WHERE organisation = ?"""


class KeepingStore:
    """Rows in and out; ``put`` writes an event into the role's outbox on the same transaction."""

    def __init__(self, database: Database, *, put: Callable[[Connection, Event], None]) -> None:
        self._database = database
        self._put = put
        self._sqlite = database.engine.dialect.name == "sqlite"

    def rule(self, organisation: str) -> Rule:
        """What its seal asks for; nothing where nobody said so."""
        if self._sqlite:
            rows = self._database.look_up(_LOOK, (organisation, organisation))
            keepers = frozenset(str(subject) for subject, _ in rows if subject is not None)
            second = any(said for subject, said in rows if subject is None)
            return Rule(organisation=organisation, keepers=keepers, second=second)
        with self._database.reading() as connection:
            return _rule(connection, organisation)

    def kept_by(self, subject: str) -> frozenset[str]:
        """The organisations whose seals a person keeps."""
        query = select(_KEEPERS.c.organisation).where(_KEEPERS.c.subject == subject)
        with self._database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def name_first(self, organisation: str, subjects: Collection[str], event: Event) -> None:
        """The first keepers of a seal.

        Raises:
            KeepersNamed: there are some.
        """
        try:
            with self._database.transaction() as connection:
                if _rule(connection, organisation).keepers:
                    raise KeepersNamed
                for subject in sorted(set(subjects)):
                    connection.execute(insert(_KEEPERS).values(organisation=organisation, subject=subject))
                self._put(connection, event)
        except IntegrityError as error:
            raise KeepersNamed from error

    def propose(self, change: Change, event: Event) -> None:
        """A change that waits for a second person."""
        with self._database.transaction() as connection:
            connection.execute(insert(_CHANGES).values(_row(change)))
            self._put(connection, event)

    def change(self, identifier: str) -> Change:
        """One change.

        Raises:
            NoSuchOrder: there is none.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(_CHANGES).where(_CHANGES.c.id == identifier)).mappings().one_or_none()
        if row is None:
            raise NoSuchOrder
        return _change(row)

    def changes(self, organisations: Collection[str], *, at: datetime) -> list[Change]:
        """What waits for a second person, oldest first."""
        query = (
            select(_CHANGES)
            .where(_CHANGES.c.organisation.in_(organisations), _CHANGES.c.state == State.PENDING.value)
            .where(_CHANGES.c.until > _text(at))
            .order_by(_CHANGES.c.made_at)
            .limit(_MOST)
        )
        with self._database.reading() as connection:
            return [_change(row) for row in connection.execute(query).mappings()]

    def end_change(self, change: Change, state: State, *, at: datetime, event: Event) -> None:
        """End a change as it was read; with ``made`` it takes effect in the same transaction.

        Raises:
            OrderOver: it is no longer pending, or its day is over.
            ChangeRefused: it cannot be made any more.
        """
        with self._database.transaction() as connection:
            done = connection.execute(
                update(_CHANGES)
                .where(_CHANGES.c.id == change.id, _CHANGES.c.state == State.PENDING.value)
                .where(_CHANGES.c.until > _text(at))
                .values(state=state.value)
            )
            if done.rowcount != 1:
                raise OrderOver
            if state is State.MADE:
                _apply(connection, change)
            self._put(connection, event)

    def add(self, order: Order, event: Event) -> None:
        """An order that waits for a second keeper.

        Raises:
            WishUsed: one was asked for by the same decision already, or one for the same waits.
        """
        try:
            with self._database.transaction() as connection:
                connection.execute(insert(_ORDERS).values(_row(order)))
                self._put(connection, event)
        except IntegrityError as error:
            raise WishUsed from error

    def one(self, identifier: str) -> Order:
        """One order.

        Raises:
            NoSuchOrder: there is none.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(_ORDERS).where(_ORDERS.c.id == identifier)).mappings().one_or_none()
        if row is None:
            raise NoSuchOrder
        return _order(row)

    def newest(self, about: str) -> Order | None:
        """The newest order for a turn or a batch; nothing if nobody asked."""
        return self._first(_ORDERS.c.about == about)

    def waiting(self, about: str) -> Order | None:
        """The one order for a turn or a batch that has no end yet."""
        waits = _ORDERS.c.state.in_([State.PENDING.value, State.CONFIRMED.value])
        return self._first((_ORDERS.c.about == about) & waits)

    def concerning(self, subject: str, organisations: Collection[str]) -> list[Order]:
        """The newest orders that a person asked for or that wait for keepers of these organisations."""
        waiting = _ORDERS.c.organisation.in_(organisations) & (_ORDERS.c.state == State.PENDING.value)
        query = (
            select(_ORDERS)
            .where(or_(_ORDERS.c.by == subject, _ORDERS.c.first == subject, _ORDERS.c.second == subject, waiting))
            .order_by(_ORDERS.c.made_at.desc())
            .limit(_MOST)
        )
        with self._database.reading() as connection:
            return [_order(row) for row in connection.execute(query).mappings()]

    def stand_in(self, order: Order, *, at: datetime, event: Event) -> None:
        """Let the first keeper of ``order`` stand in for its program; it goes on waiting.

        Raises:
            OrderOver: somebody was faster, it is no longer pending, or its day is over.
        """
        self._move(
            order,
            State.PENDING,
            (_ORDERS.c.until > _text(at)) & (_ORDERS.c.first == ""),
            event=event,
            first=order.first,
            first_session=order.first_session,
            first_assurance=order.first_assurance,
            first_zone=order.first_zone,
        )

    def confirm(self, order: Order, *, at: datetime, event: Event) -> None:
        """Let the second person of ``order`` confirm it as it was read: of several one does.

        Raises:
            OrderOver: it is no longer pending, or its day is over.
        """
        self._move(
            order,
            State.PENDING,
            (_ORDERS.c.until > _text(at)) & (_ORDERS.c.first == order.first),
            event=event,
            state=State.CONFIRMED.value,
            second=order.second,
            second_session=order.second_session,
            second_assurance=order.second_assurance,
            second_zone=order.second_zone,
            taken_at=_text(at),
        )

    def give_back(self, order: Order) -> None:
        """A confirmed order that could not be carried out waits again.

        Raises:
            OrderOver: it is no longer confirmed.
        """
        none: dict[str, Any] = {"second": "", "second_session": "", "second_assurance": 0, "second_zone": ""}
        self._move(order, State.CONFIRMED, state=State.PENDING.value, taken_at="", **none)

    def retake(self, order: Order, *, at: datetime) -> bool:
        """Carry on with one whose process died; False if somebody else does."""
        try:
            self._move(order, State.CONFIRMED, _ORDERS.c.taken_at == _plain(order.taken_at), taken_at=_text(at))
        except OrderOver:
            return False
        return True

    def made(self, order: Order, *, result: str) -> None:
        """It is sealed.

        Raises:
            OrderOver: it is no longer confirmed.
        """
        self._move(order, State.CONFIRMED, state=State.MADE.value, result=result)

    def end(self, order: Order, state: State, event: Event) -> None:
        """End one as it was read, pending or confirmed.

        Raises:
            OrderOver: it is no longer so.
        """
        self._move(order, order.state, event=event, state=state.value)

    def unfinished(self, *, before: datetime) -> list[Order]:
        """Confirmed ones that nobody has been at since."""
        return self._in(State.CONFIRMED, _ORDERS.c.taken_at < _text(before))

    def overdue(self, *, at: datetime) -> list[Order]:
        """Those whose day is over."""
        return self._in(State.PENDING, _ORDERS.c.until <= _text(at))

    def _first(self, where: Any) -> Order | None:
        query = select(_ORDERS).where(where).order_by(_ORDERS.c.made_at.desc()).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else _order(row)

    def _in(self, state: State, *where: Any) -> list[Order]:
        query = select(_ORDERS).where(_ORDERS.c.state == state.value, *where).limit(_MOST)
        with self._database.reading() as connection:
            return [_order(row) for row in connection.execute(query).mappings()]

    def _move(self, order: Order, before: State, *where: Any, event: Event | None = None, **values: Any) -> None:
        change = update(_ORDERS).where(_ORDERS.c.id == order.id, _ORDERS.c.state == before.value, *where)
        with self._database.transaction() as connection:
            if connection.execute(change.values(**values)).rowcount != 1:
                raise OrderOver
            if event is not None:
                self._put(connection, event)


def _apply(connection: Connection, change: Change) -> None:
    rule = _rule(connection, change.organisation)
    here = (_KEEPERS.c.organisation == change.organisation) & (_KEEPERS.c.subject == change.subject)
    least = 2 if rule.second else 1
    if change.act is Act.ADD and change.subject not in rule.keepers:
        connection.execute(insert(_KEEPERS).values(organisation=change.organisation, subject=change.subject))
    elif change.act is Act.REMOVE and change.subject in rule.keepers and len(rule.keepers) > least:
        connection.execute(delete(_KEEPERS).where(here))
    elif (change.act is Act.TWO and not rule.second and len(rule.keepers) > 1) or (
        change.act is Act.ONE and rule.second
    ):
        connection.execute(delete(_RULES).where(_RULES.c.organisation == change.organisation))
        second = int(change.act is Act.TWO)
        connection.execute(insert(_RULES).values(organisation=change.organisation, second=second))
    else:
        raise ChangeRefused


def _rule(connection: Connection, organisation: str) -> Rule:
    keepers = connection.execute(select(_KEEPERS.c.subject).where(_KEEPERS.c.organisation == organisation)).scalars()
    second = connection.execute(select(_RULES.c.second).where(_RULES.c.organisation == organisation)).scalar()
    return Rule(organisation=organisation, keepers=frozenset(keepers), second=bool(second))


def _row(found: Change | Order) -> dict[str, Any]:
    return {each.name: _plain(getattr(found, each.name)) for each in fields(found)}


def _plain(value: Any) -> str | int:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return _text(value)
    return value if isinstance(value, int) else str(value)


def _change(row: Mapping[Any, Any]) -> Change:
    moments = {name: datetime.fromisoformat(row[name]) for name in ("made_at", "until")}
    return Change(**{**row, **moments, "act": Act(row["act"]), "state": State(row["state"])})


def _order(row: Mapping[Any, Any]) -> Order:
    moments = {name: datetime.fromisoformat(row[name]) for name in ("made_at", "until")}
    taken = datetime.fromisoformat(row["taken_at"]) if row["taken_at"] else None
    said = {"taken_at": taken, "state": State(row["state"]), "purpose": Purpose(row["purpose"])}
    return Order(**{**row, **moments, **said})


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
