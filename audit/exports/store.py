# SPDX-License-Identifier: Apache-2.0
"""Where each target stands: rows in, models out. A cursor moves only from where it was read: no replay is lost."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sqlalchemy import BigInteger, Boolean, Column, MetaData, String, Table, Text, select, update
from sqlalchemy.dialects.sqlite import insert

from core.db import Database, migrate

_METADATA = MetaData()
_CURSORS = Table(
    "cursors",
    _METADATA,
    Column("target", String(32), primary_key=True),
    # The first entry that the target is not known to have.
    Column("next", BigInteger, nullable=False),
    # End of the batch that is under way, so that it is the same one when it is sent again; 0 for none.
    Column("until", BigInteger, nullable=False),
    Column("paused", Boolean, nullable=False),
    # Counts what officers did to it: pauses, replays.
    Column("moved", BigInteger, nullable=False),
    # Epoch seconds; 0 for never.
    Column("taken_at", BigInteger, nullable=False),
    Column("failed_at", BigInteger, nullable=False),
    Column("failing_since", BigInteger, nullable=False),
    Column("code", String(64), nullable=False),
    Column("why", String(200), nullable=False),
    # Until when, and under which warrant, personal parts leave opened.
    Column("allowed_until", BigInteger, nullable=False),
    Column("warrant", String(64), nullable=False),
)
_SIGNED = Table(
    "signed_exports",
    _METADATA,
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("name", String(255), nullable=False),
    # The signed manifest, and the checkpoint it ends with.
    Column("note", Text, nullable=False),
    Column("checkpoint", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
_MIGRATIONS = Path(__file__).parent / "migrations"
_NEW: dict[str, Any] = {
    "next": 0,
    "until": 0,
    "paused": False,
    "moved": 0,
    "taken_at": 0,
    "failed_at": 0,
    "failing_since": 0,
    "code": "",
    "why": "",
    "allowed_until": 0,
    "warrant": "",
}
_LONGEST_WHY = 200


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """Where one target stands; times in epoch seconds, 0 for never."""

    target: str
    next: int = 0
    until: int = 0
    paused: bool = False
    moved: int = 0
    taken_at: int = 0
    failed_at: int = 0
    failing_since: int = 0
    code: str = ""
    why: str = ""
    allowed_until: int = 0
    warrant: str = ""


@dataclass(frozen=True, kw_only=True)
class SignedExport:
    """One file that was made."""

    first: int
    last: int
    name: str
    note: str
    checkpoint: str
    at: int


class ExportStore:
    """The tables and their verbs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """The tables in one SQLite file, brought up to date."""
        database = Database.open(f"sqlite:///{path}", connections=8)
        migrate(database, _MIGRATIONS)
        path.chmod(0o600)
        return cls(database)

    def cursor(self, target: str) -> Cursor:
        """Where it stands; a new one stands at the beginning."""
        with self._database.reading() as connection:
            row = connection.execute(select(_CURSORS).where(_CURSORS.c.target == target)).mappings().one_or_none()
        return Cursor(**row) if row is not None else Cursor(target=target)

    def begin(self, cursor: Cursor, until: int) -> bool:
        """A batch up to ``until`` is under way; False if somebody moved the cursor meanwhile."""
        return self._change(cursor, until=until)

    def advance(self, cursor: Cursor, to: int, at: int) -> bool:
        """Everything before ``to`` has arrived; False if somebody moved the cursor meanwhile."""
        return self._change(cursor, next=to, until=0, taken_at=at, failing_since=0, code="", why="")

    def passed(self, cursor: Cursor, to: int) -> bool:
        """Nothing before ``to`` goes there; False if somebody moved the cursor meanwhile."""
        return self._change(cursor, next=to, until=0)

    def failed(self, cursor: Cursor, *, code: str, why: str, at: int) -> None:
        """It took nothing."""
        since = cursor.failing_since or at
        self._change(cursor, failed_at=at, failing_since=since, code=code, why=why[:_LONGEST_WHY])

    def pause(self, target: str, *, paused: bool) -> bool:
        """Stop sending, or go on; False if it is so already."""
        cursor = self.cursor(target)
        return cursor.paused != paused and self._change(cursor, paused=paused, moved=cursor.moved + 1)

    def replay(self, target: str, start: int) -> bool:
        """Send again from ``start`` on; False if the cursor moved meanwhile."""
        cursor = self.cursor(target)
        return self._change(cursor, next=start, until=0, moved=cursor.moved + 1)

    def allow(self, target: str, *, until: int, warrant: str) -> None:
        """Personal parts leave opened until then; 0 takes it back."""
        while not self._change(self.cursor(target), allowed_until=until, warrant=warrant):
            pass

    def add_signed(self, made: SignedExport) -> None:
        """Keep what a signed export was; nothing if it is kept already."""
        with self._database.transaction() as connection:
            connection.execute(insert(_SIGNED).values(**made.__dict__).on_conflict_do_nothing())

    def last_signed(self) -> SignedExport | None:
        """The newest one."""
        return next(iter(self.signed(1)), None)

    def signed(self, limit: int, *, below: int | None = None) -> list[SignedExport]:
        """The newest ones; with ``below`` only those that begin before that entry."""
        query = select(_SIGNED).order_by(_SIGNED.c.first.desc()).limit(limit)
        query = query if below is None else query.where(_SIGNED.c.first < below)
        with self._database.reading() as connection:
            return [SignedExport(**row) for row in connection.execute(query).mappings()]

    def close(self) -> None:
        """Return the connections."""
        self._database.close()

    def _change(self, seen: Cursor, **values: Any) -> bool:
        """Change the row if it is still at the same place and officers did nothing to it."""
        same = (
            _CURSORS.c.target == seen.target,
            _CURSORS.c.next == seen.next,
            _CURSORS.c.moved == seen.moved,
        )
        first = insert(_CURSORS).values(target=seen.target, **_NEW).on_conflict_do_nothing()
        with self._database.transaction() as connection:
            connection.execute(first)
            return connection.execute(update(_CURSORS).where(*same).values(**values)).rowcount == 1
