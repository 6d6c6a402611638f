# SPDX-License-Identifier: Apache-2.0
"""One SQLite file of the index, read by many and written by one.

Everything that reads has a deadline: SQLite asks every few thousand steps whether it has passed.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from core.db import DatabaseUnavailable

from ..search.errors import IndexDamaged, SearchTooLong

_BUSY_SECONDS = 10
_CACHE_KIB = 2_000
_WRITER_CACHE_KIB = 32_000
_MOST_IDLE = 2
_STEPS = 5_000
"""Steps of SQLite's machine between two looks at the clock: well under a millisecond."""


class File:
    """The file and its idle connections; several threads may read at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        self._guard = threading.Lock()

    @property
    def first(self) -> int:
        """Place of its first entry, by its name."""
        return int(self.path.stem.partition("-")[0])

    def close(self) -> None:
        """Give idle connections back."""
        with self._guard:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def reading(self, deadline: float = float("inf")) -> Iterator[sqlite3.Connection]:
        """A connection that writes nothing.

        Raises:
            SearchTooLong: the deadline has passed.
            IndexDamaged: the file is not what SQLite wrote.
            DatabaseUnavailable: the file did not answer.
        """
        with self.translating(deadline):
            with self._guard:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                connection = self.opened()
                connection.execute("PRAGMA query_only=ON")
            try:
                if deadline != float("inf"):
                    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
                yield connection
            except BaseException:
                connection.close()
                raise
            connection.set_progress_handler(None, 0)
            with self._guard:
                if len(self._idle) < _MOST_IDLE:
                    self._idle.append(connection)
                    return
            connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; raises as ``reading``."""
        with self.translating(float("inf")), closing(self.opened()) as connection:
            connection.execute(f"PRAGMA cache_size=-{_WRITER_CACHE_KIB}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def translating(self, deadline: float) -> Iterator[None]:
        """What SQLite raises, as errors of ours; raises as ``reading``."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if time.monotonic() > deadline:
                raise SearchTooLong from error
            raise DatabaseUnavailable from error
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise IndexDamaged(first=self.first) from error

    def opened(self) -> sqlite3.Connection:
        """A connection of one's own."""
        # Without "rwc" a file that retention has dropped would come back empty.
        address = f"{self.path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(
            address, uri=True, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        return connection
