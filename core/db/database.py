# SPDX-License-Identifier: Apache-2.0
"""One database per component: SQLite by default, PostgreSQL by URL; everything acknowledged is on disk.

SQLite runs in WAL mode with foreign keys, a busy timeout and synchronous FULL. Writers wait for their turn (``turn``)
and take the write lock at BEGIN, so a transaction never fails half-way because another one wrote first.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Self
from zlib import crc32

from sqlalchemy import Connection, Engine, PoolProxiedConnection, create_engine, event, inspect, text
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..errors import N_, Invalid, Unavailable
from .turn import Turn, TurnMissed

BUSY_TIMEOUT_MS = 10_000
_TRANSLATED = (DBAPIError, PoolTimeout, UnicodeEncodeError, OverflowError)
_SYSTEM = ("pg_", "information_schema")


class DatabaseUnavailable(Unavailable):
    """The database did not answer; nothing of the transaction happened."""

    code = "database_unavailable"
    message = N_("The service cannot reach its own records at the moment. Nothing was changed.")


class Unkeepable(Invalid):
    """A value no table can hold: a NUL or half a character in a text, a number beyond every column."""

    code = "unkeepable"
    message = N_("Something in this request cannot be kept as it is. Nothing was changed.")


class Database:
    """Hands out transactions; knows no table."""

    def __init__(self, engine: Engine, *, schema: str = "") -> None:
        self._engine = engine
        self._turn = _turn_of(engine)
        # Of PostgreSQL, where tables stand apart from others of the same owner; empty for none.
        self.schema = schema
        # For ``look_up`` alone, which asks and is done.
        self._looking = threading.Lock()
        self._looker: PoolProxiedConnection | None = None

    @classmethod
    def open(cls, url: str, *, connections: int = 16, schema: str = "") -> Self:
        """Connect lazily to ``sqlite:///PATH`` or ``postgresql+psycopg://...``.

        Tables in a ``schema`` of PostgreSQL have one writer at a time, as those in a SQLite file.
        """
        sqlite = url.startswith("sqlite")
        if schema and (sqlite or not schema.isidentifier()):
            raise ValueError("a schema is an identifier on PostgreSQL")
        engine = create_engine(
            url,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=10,
            pool_pre_ping=not sqlite,
            # Errors are logged with their text, and names and secrets are among the parameters.
            hide_parameters=True,
            connect_args={"options": f"-csearch_path={schema}"} if schema else {},
        )
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        return cls(engine, schema=schema)

    @property
    def engine(self) -> Engine:
        """For migrations only."""
        return self._engine

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Read and write; commits on leaving, rolls back on any exception.

        Raises:
            DatabaseUnavailable: the database is locked, gone or full; nothing was committed. A connection lost in
                the commit itself leaves the outcome unknown: the owner's replay of unfinished intents decides.
            Unkeepable: a value cannot be stored as it is; nothing was committed.
        """
        with self._writing(), self._translating(), self._engine.connect() as connection, connection.begin():
            if self.schema:
                # By whoever else writes here, in whatever process, until this transaction ends.
                connection.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": crc32(self.schema.encode())})
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent snapshot that takes no write lock and is always rolled back.

        Raises:
            DatabaseUnavailable: the database did not answer.
        """
        with (
            self._translating(),
            self._engine.connect().execution_options(tallygate_reads=True) as connection,
        ):
            yield connection

    def look_up(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of one plain SELECT on SQLite, ``?`` standing for values; its own snapshot.

        Costs a tenth of a built statement in a transaction: for what every single event has to ask.

        Raises:
            DatabaseUnavailable: the database did not answer.
        """
        try:
            if self._turn is None:
                with closing(self._engine.raw_connection()) as connection:
                    return self._looked_up(connection, statement, values)
            with self._looking:
                if self._looker is None:
                    # One for all that is looked up: to borrow one each time costs more than to ask.
                    borrowed = self._engine.raw_connection()
                    borrowed.detach()
                    self._looker = borrowed
                return self._looked_up(self._looker, statement, values)
        except sqlite3.OperationalError as error:
            self._look_away()
            raise DatabaseUnavailable from error
        except _TRANSLATED as error:
            if (told := _translated(error)) is None:
                raise
            raise told from error

    def _looked_up(
        self, connection: PoolProxiedConnection, statement: str, values: Sequence[Any]
    ) -> list[tuple[Any, ...]]:
        cursor = connection.cursor()
        try:
            cursor.execute(statement, values)
            return list(cursor.fetchall())
        finally:
            # What is left open keeps its snapshot.
            cursor.close()

    def _look_away(self) -> None:
        """Another connection next time."""
        with self._looking:
            looker, self._looker = self._looker, None
            if looker is not None:
                looker.close()

    def tables(self) -> list[str]:
        """The names of all tables in every schema, for whoever must find none.

        Raises:
            DatabaseUnavailable: the database did not answer.
        """
        with self.reading() as connection:
            found = inspect(connection)
            schemas = [each for each in found.get_schema_names() if not each.startswith(_SYSTEM)]
            return [table for schema in schemas for table in found.get_table_names(schema)]

    def check(self) -> None:
        """Answer one trivial query.

        Raises:
            DatabaseUnavailable: it did not.
        """
        with self.reading() as connection:
            connection.execute(text("SELECT 1"))

    def wipe(self) -> bool:
        """Leave nothing of deleted rows in a SQLite file and its journal; False while somebody still reads them.

        On PostgreSQL, whose dead rows go with its own VACUUM, nothing is done.

        Raises:
            DatabaseUnavailable: the database did not answer.
        """
        if self._engine.dialect.name != "sqlite":
            return False
        # With the turn no writer is kept from its lock; a reader is not waited for.
        with self._writing(), self._translating(), closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            try:
                cursor.execute("PRAGMA busy_timeout=0")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                ((busy, _, _),) = cursor.fetchall()
            except sqlite3.OperationalError as error:
                raise DatabaseUnavailable from error
            finally:
                cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
                cursor.close()
        return not busy

    def close(self) -> None:
        """Return every connection; the database can be opened again."""
        self._look_away()
        self._engine.dispose()
        if self._turn is not None:
            self._turn.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Wait before a connection is taken, so that no reader is short of one because of who waits."""
        with ExitStack() as held:
            if self._turn is not None:
                try:
                    held.enter_context(self._turn.mine())
                except (TurnMissed, OSError) as error:
                    raise DatabaseUnavailable from error
            yield

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except _TRANSLATED as error:
            if (told := _translated(error)) is None:
                raise
            raise told from error


def _translated(error: Exception) -> DatabaseUnavailable | Unkeepable | None:
    """What is told of a driver's error; None where it is a mistake of ours, which is told as it is."""
    if isinstance(error, OperationalError | PoolTimeout):
        return DatabaseUnavailable()
    if isinstance(error, DataError | UnicodeEncodeError | OverflowError):
        # Whoever sent it hears that it cannot be right; every driver says so in its own way.
        return Unkeepable()
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return DatabaseUnavailable()
    return None


def _turn_of(engine: Engine) -> Turn | None:
    """PostgreSQL has many writers, and a database in memory has one process that could wait."""
    if engine.dialect.name != "sqlite" or engine.url.database in (None, "", ":memory:"):
        return None
    return Turn(Path(str(engine.url.database)), patience=BUSY_TIMEOUT_MS / 1000)


def _prepare_sqlite(connection: Any, _: object) -> None:
    # The driver must not issue BEGIN itself: it would begin deferred, and an upgrade to a write could then fail.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        # What is deleted is overwritten; some builds of SQLite do so unasked, others do not.
        "secure_delete=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("tallygate_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
