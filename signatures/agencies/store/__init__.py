# SPDX-License-Identifier: Apache-2.0
"""Rows in, models out; every verb in a transaction of its own, so that processes and restarts share what is counted."""

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import delete, func, insert, select, update

from core.db import Database, migrate

from ..errors import BatchClosed, KeyInUse, KeyReused, NameTaken, NoSuchBatch, QuotaExceeded
from ..models import Batch, BatchState, Doing, Item, ItemState, Left, Program
from .tables import BATCHES, ITEMS, PROGRAMS, REQUESTS, RESULTS, USES

MIGRATIONS = Path(__file__).parents[1] / "migrations"
_KEPT = 24 * 3600
"""Seconds in which a key means the same request."""
_PAGE = 500


class AgencyStore:
    """Everything kept of agencies' programs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """The tables in one SQLite file, brought up to date."""
        made = cls.over(Database.open(f"sqlite:///{path}", connections=16))
        path.chmod(0o600)
        return made

    @classmethod
    def over(cls, database: Database) -> Self:
        """The tables in a database, brought up to date."""
        migrate(database, MIGRATIONS)
        return cls(database)

    def close(self) -> None:
        """Return the connections."""
        self._database.close()

    def programs(self) -> list[Program]:
        """Every program that was let do something, by name."""
        with self._database.reading() as connection:
            return [_program(row) for row in connection.execute(select(PROGRAMS).order_by(PROGRAMS.c.client))]

    def program(self, client: str) -> Program | None:
        """One program."""
        with self._database.reading() as connection:
            row = connection.execute(select(PROGRAMS).where(PROGRAMS.c.client == client)).one_or_none()
        return _program(row) if row is not None else None

    def let(self, program: Program) -> None:
        """Write down what a program may, whatever it might before."""
        with self._database.transaction() as connection:
            connection.execute(delete(PROGRAMS).where(PROGRAMS.c.client == program.client))
            connection.execute(
                insert(PROGRAMS).values(
                    client=program.client,
                    organisation=program.organisation,
                    doings=" ".join(sorted(program.doings)),
                    per_minute=program.per_minute,
                    per_day=program.per_day,
                    until=program.until.isoformat(),
                    reason=program.reason,
                )
            )

    def end(self, client: str) -> bool:
        """Let a program do nothing any more; says False if it was let do nothing."""
        with self._database.transaction() as connection:
            return connection.execute(delete(PROGRAMS).where(PROGRAMS.c.client == client)).rowcount == 1

    def use(self, program: Program, *, at: datetime) -> Left:
        """Count one request of the program's organisation.

        Raises:
            QuotaExceeded: it has used up a window; this request is not counted.
        """
        now, found = int(at.timestamp()), []
        with self._database.transaction() as connection:
            for window, quota in ((60, program.per_minute), (86400, program.per_day)):
                which = (USES.c.organisation == program.organisation) & (USES.c.window == window)
                row = connection.execute(select(USES.c.begins, USES.c.count.label("used")).where(which)).one_or_none()
                begins = now - now % window
                count = row.used if row is not None and row.begins == begins else 0
                left = Left(quota, quota - count - 1, begins + window - now, window)
                if left.remaining < 0:
                    raise QuotaExceeded(quota=quota, seconds=left.seconds, window=window)
                found.append((left, which, row is None, begins, count + 1))
            for left, which, new, begins, count in found:
                values = {"begins": begins, "count": count}
                if new:
                    row_ = {"organisation": program.organisation, "window": left.window, **values}
                    connection.execute(insert(USES).values(row_))
                else:
                    connection.execute(update(USES).where(which).values(values))
        return min((left for left, *_ in found), key=lambda left: left.remaining / left.quota)

    def begin(self, owner: str, key: str, digest: str, *, claim: str, at: datetime, hold: int) -> tuple[str, str]:
        """Take on a request of this key: the claim under which it is carried out, and its result if there is one.

        Raises:
            KeyReused: the key came before with another request.
            KeyInUse: somebody is carrying it out.
        """
        now = int(at.timestamp())
        which = (REQUESTS.c.owner == owner) & (REQUESTS.c.key == key)
        with self._database.transaction() as connection:
            row = connection.execute(select(REQUESTS).where(which)).one_or_none()
            if row is not None and row.began + _KEPT <= now:
                connection.execute(delete(REQUESTS).where(which))
                row = None
            if row is None:
                connection.execute(
                    insert(REQUESTS).values(
                        owner=owner, key=key, digest=digest, claim=claim, began=now, held_until=now + hold, result=""
                    )
                )
                return claim, ""
            if row.digest != digest:
                raise KeyReused
            if not row.result:
                if row.held_until > now:
                    raise KeyInUse
                # Whoever began it is gone; what was signed under its claim is found again.
                connection.execute(update(REQUESTS).where(which).values(held_until=now + hold))
            return row.claim, row.result

    def answered(self, owner: str, key: str, result: str) -> None:
        """A request has its result; an empty one lets the next attempt begin at once."""
        which = (REQUESTS.c.owner == owner) & (REQUESTS.c.key == key)
        with self._database.transaction() as connection:
            connection.execute(update(REQUESTS).where(which).values(result=result, held_until=0))

    def keep_result(self, decision: str, shelved: str, *, at: datetime) -> None:
        """Where on the shelf lies what one attempt signed."""
        with self._database.transaction() as connection:
            connection.execute(insert(RESULTS).values(decision=decision, shelved=shelved, at=int(at.timestamp())))

    def result(self, decision: str) -> str:
        """The same; empty if it signed nothing."""
        with self._database.reading() as connection:
            found = connection.execute(select(RESULTS.c.shelved).where(RESULTS.c.decision == decision)).scalar()
        return found or ""

    def tidy(self, *, at: datetime, batches_before: datetime) -> None:
        """Forget keys that mean nothing any more, and batches whose documents are over."""
        now = int(at.timestamp())
        old = select(BATCHES.c.id).where(BATCHES.c.made_at < _text(batches_before))
        with self._database.transaction() as connection:
            connection.execute(delete(REQUESTS).where(REQUESTS.c.began + _KEPT <= now))
            connection.execute(delete(RESULTS).where(RESULTS.c.at < int(batches_before.timestamp())))
            connection.execute(delete(ITEMS).where(ITEMS.c.batch.in_(old)))
            connection.execute(delete(BATCHES).where(BATCHES.c.made_at < _text(batches_before)))

    def new_batch(self, batch: Batch) -> None:
        """Open one."""
        with self._database.transaction() as connection:
            connection.execute(
                insert(BATCHES).values(
                    id=batch.id,
                    owner=batch.owner,
                    organisation=batch.organisation,
                    assurance=batch.assurance,
                    zone=batch.zone,
                    state=batch.state.value,
                    digest="",
                    made_at=_text(batch.made_at),
                )
            )

    def batch(self, owner: str, identifier: str) -> Batch:
        """One of an owner's, with how far it is.

        Raises:
            NoSuchBatch: none of this name, or somebody else's.
        """
        which = (BATCHES.c.id == identifier) & (BATCHES.c.owner == owner)
        with self._database.reading() as connection:
            row = connection.execute(select(BATCHES).where(which)).one_or_none()
            if row is None:
                raise NoSuchBatch
            counts = select(ITEMS.c.state, func.count()).where(ITEMS.c.batch == identifier).group_by(ITEMS.c.state)
            far = {str(each[0]): int(each[1]) for each in connection.execute(counts)}
        return _batch(row, far)

    def seen(self, owner: str, organisations: Collection[str], *, limit: int) -> list[Batch]:
        """The newest that are an owner's or set the seal of one of these organisations, with how far they are."""
        which = (BATCHES.c.owner == owner) | BATCHES.c.organisation.in_(organisations)
        query = select(BATCHES).where(which).order_by(BATCHES.c.made_at.desc(), BATCHES.c.id).limit(limit)
        counts = select(ITEMS.c.batch, ITEMS.c.state, func.count().label("number")).group_by(
            ITEMS.c.batch, ITEMS.c.state
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
            far: dict[str, dict[str, int]] = {row.id: {} for row in rows}
            for each in connection.execute(counts.where(ITEMS.c.batch.in_([*far]))):
                far[each.batch][each.state] = each.number
        return [_batch(row, far[row.id]) for row in rows]

    def owner_of(self, identifier: str) -> str:
        """Whose a batch is.

        Raises:
            NoSuchBatch: none of this name.
        """
        with self._database.reading() as connection:
            owner = connection.execute(select(BATCHES.c.owner).where(BATCHES.c.id == identifier)).scalar()
        if owner is None:
            raise NoSuchBatch
        return str(owner)

    def named(self, identifier: str) -> Batch:
        """One, whoever's it is; whether they may see it is for whoever asks.

        Raises:
            NoSuchBatch: none of this name.
        """
        return self.batch(self.owner_of(identifier), identifier)

    def state(self, batch: Batch) -> BatchState:
        """Where it is at this moment; one that is forgotten counts as done."""
        query = select(BATCHES.c.state).where(BATCHES.c.id == batch.id)
        with self._database.reading() as connection:
            found = connection.execute(query).scalar()
        return BatchState(found) if found else BatchState.DONE

    def failed(self, batch: Batch, *, after: int, limit: int) -> list[Item]:
        """Those that could not be sealed, in the order in which they came."""
        query = (
            select(ITEMS)
            .where(ITEMS.c.batch == batch.id, ITEMS.c.state == ItemState.FAILED.value, ITEMS.c.number > after)
            .order_by(ITEMS.c.number)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [_item(row) for row in connection.execute(query)]

    def batches(self, *states: BatchState) -> list[Batch]:
        """Those in one of these states, oldest first."""
        query = select(BATCHES).where(BATCHES.c.state.in_([*map(str, states)])).order_by(BATCHES.c.made_at)
        with self._database.reading() as connection:
            return [_batch(row, {}) for row in connection.execute(query)]

    def add(self, batch: Batch, *, name: str, sha256: str, source: str, most: int) -> bool:
        """Put a document into a batch; says False if the very same is there already.

        Raises:
            BatchClosed: it takes none any more.
            NameTaken: another document has this name.
        """
        with self._database.transaction() as connection:
            state = connection.execute(select(BATCHES.c.state).where(BATCHES.c.id == batch.id)).scalar()
            there = (ITEMS.c.batch == batch.id) & (ITEMS.c.name == name)
            same = connection.execute(select(ITEMS.c.sha256).where(there)).scalar()
            if same is not None:
                if same != sha256:
                    raise NameTaken
                return False
            # Nothing is ever taken out, so the newest number says how many there are.
            highest = connection.execute(select(func.max(ITEMS.c.number)).where(ITEMS.c.batch == batch.id)).scalar()
            number = (highest or 0) + 1
            if state != BatchState.OPEN.value or number > most:
                raise BatchClosed
            connection.execute(
                insert(ITEMS).values(
                    batch=batch.id,
                    number=number,
                    name=name,
                    sha256=sha256,
                    source=source,
                    result="",
                    state=ItemState.WAITING.value,
                    code="",
                )
            )
        return True

    def listed(self, batch: Batch) -> Iterator[Item]:
        """Every item in the order of names, some at a time."""
        last = ""
        while found := self.page(batch.id, after=last, limit=_PAGE):
            yield from found
            last = found[-1].name

    def page(self, identifier: str, *, after: str, limit: int) -> list[Item]:
        """The items of a batch after one by its name."""
        query = (
            select(ITEMS).where(ITEMS.c.batch == identifier, ITEMS.c.name > after).order_by(ITEMS.c.name).limit(limit)
        )
        with self._database.reading() as connection:
            return [_item(row) for row in connection.execute(query)]

    def numbered(self, identifier: str, number: int) -> Item:
        """One of a batch by its number.

        Raises:
            NoSuchBatch: the batch holds none of this number.
        """
        which = (ITEMS.c.batch == identifier) & (ITEMS.c.number == number)
        with self._database.reading() as connection:
            row = connection.execute(select(ITEMS).where(which)).one_or_none()
        if row is None:
            raise NoSuchBatch
        return _item(row)

    def item(self, batch: Batch, name: str) -> Item:
        """One by its name.

        Raises:
            NoSuchBatch: the batch holds none of this name.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(ITEMS).where(ITEMS.c.batch == batch.id, ITEMS.c.name == name)).one_or_none()
        if row is None:
            raise NoSuchBatch
        return _item(row)

    def waiting(self, batch: Batch, *, after: int, limit: int) -> list[Item]:
        """The next ones that have no end yet."""
        query = (
            select(ITEMS)
            .where(ITEMS.c.batch == batch.id, ITEMS.c.state == ItemState.WAITING.value, ITEMS.c.number > after)
            .order_by(ITEMS.c.number)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [_item(row) for row in connection.execute(query)]

    def ended(self, item: Item, state: ItemState, *, result: str = "", code: str = "") -> None:
        """One item has its end."""
        which = (ITEMS.c.batch == item.batch) & (ITEMS.c.number == item.number)
        with self._database.transaction() as connection:
            connection.execute(update(ITEMS).where(which).values(state=state.value, result=result, code=code))

    def move(self, batch: Batch, to: BatchState, **values: Any) -> bool:
        """Bring a batch from the state it is in to the next; says False if somebody else did."""
        which = (BATCHES.c.id == batch.id) & (BATCHES.c.state == batch.state.value)
        told = {name: _text(value) if isinstance(value, datetime) else value for name, value in values.items()}
        with self._database.transaction() as connection:
            return connection.execute(update(BATCHES).where(which).values(state=to.value, **told)).rowcount == 1


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _program(row: Any) -> Program:
    return Program(
        client=row.client,
        organisation=row.organisation,
        doings=frozenset(map(Doing, row.doings.split())),
        per_minute=row.per_minute,
        per_day=row.per_day,
        until=date.fromisoformat(row.until),
        reason=row.reason,
    )


def _batch(row: Any, far: dict[str, int]) -> Batch:
    return Batch(
        id=row.id,
        owner=row.owner,
        organisation=row.organisation,
        assurance=row.assurance,
        zone=row.zone,
        state=BatchState(row.state),
        digest=row.digest,
        stopped_by=row.stopped_by or "",
        made_at=datetime.fromisoformat(row.made_at),
        started_at=_moment(row.started_at),
        ended_at=_moment(row.ended_at),
        waiting=far.get(ItemState.WAITING.value, 0),
        made=far.get(ItemState.MADE.value, 0),
        failed=far.get(ItemState.FAILED.value, 0),
    )


def _item(row: Any) -> Item:
    return Item(
        batch=row.batch,
        number=row.number,
        name=row.name,
        sha256=row.sha256,
        source=row.source,
        result=row.result,
        state=ItemState(row.state),
        code=row.code,
    )
