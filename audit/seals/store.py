# SPDX-License-Identifier: Apache-2.0
"""The subjects' keys: rows in, bytes out. A destroyed key leaves its row, so that it is never made a second time.

New keys lie in partitions, files of their own (``files``). ``seals.db`` holds what is about all of them: which were
dropped, the keys that a legal hold kept from being dropped, and keys from before there were partitions.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    text,
    update,
)

from core.db import Database, DatabaseUnavailable, migrate

from .alone import Alone
from .files import PartitionFiles
from .partitions import Partition

_METADATA = MetaData()
_KEYS = Table(
    "seal_keys",
    _METADATA,
    Column("id", LargeBinary(8), primary_key=True),
    Column("subject", String(256), nullable=False),
    # NULL once destroyed.
    Column("key", LargeBinary(32)),
    # Epoch seconds.
    Column("made", BigInteger, nullable=False),
    Column("destroyed", BigInteger),
    Index("seal_keys_subject", "subject"),
)
_HELD = Table(
    "seal_held",
    MetaData(),
    Column("id", LargeBinary(8), primary_key=True),
    Column("subject", String(256), nullable=False),
    Column("key", LargeBinary(32)),
    Column("made", BigInteger, nullable=False),
    Column("destroyed", BigInteger),
    Index("seal_held_subject", "subject"),
)
_DROPPED = Table(
    "seal_dropped",
    _HELD.metadata,
    Column("partition", String(32), primary_key=True),
    # Epoch seconds.
    Column("at", BigInteger, nullable=False),
)
_MIGRATIONS = Path(__file__).parent / "migrations"
_STEP = 500


@dataclass(frozen=True)
class SealKey:
    """One subject's key; ``key`` is None after its destruction."""

    id: bytes
    subject: str
    key: bytes | None


class SealStore:
    """The tables and their verbs."""

    def __init__(self, database: Database, files: PartitionFiles, alone: Alone) -> None:
        self._database = database
        self._files = files
        # Whoever uses keys shares it; whoever destroys one person's holds it alone.
        self.lock = alone

    @classmethod
    def open(cls, path: Path, *, upgrade: bool = False) -> Self:
        """The keys in one SQLite file and the folder of partitions beside it.

        ``upgrade`` brings the schema up to date, which only the log's writer does.
        """
        database = Database.open(f"sqlite:///{path}", connections=4)
        if upgrade:
            migrate(database, _MIGRATIONS)
            path.chmod(0o600)
        files = PartitionFiles(path.with_suffix(""), shape=_shape)
        return cls(database, files, Alone(path.with_name(f"{path.name}-alone")))

    def current(self, subjects: Iterable[str], partition: Partition) -> dict[str, SealKey]:
        """The key that seals for each of these subjects in this partition, where there is one."""
        database = self._files.find(partition)
        if database is None:
            return {}
        wanted = sorted(set(subjects))
        marks = ",".join("?" * len(wanted))
        # Asked for every batch that the log takes, and never kept: a destroyed key must not seal once more.
        rows = database.look_up(
            f"SELECT subject, id, key FROM seal_keys WHERE subject IN ({marks}) AND key IS NOT NULL",  # noqa: S608 - marks only
            wanted,
        )
        return {subject: SealKey(identifier, subject, key) for subject, identifier, key in rows}

    def open_partition(self, partition: Partition) -> Partition:
        """This one, or if it was dropped (a clock went back) the next later one that was not."""
        dropped = self._dropped(partition) if self._files.find(partition) is None else False
        return self.open_partition(partition.next) if dropped else partition

    def add(self, keys: Iterable[SealKey], at: datetime) -> None:
        """Keep new keys in the partitions that their identifiers name; on disk when this returns."""
        sorted_: dict[Partition, list[SealKey]] = {}
        for key in keys:
            partition = Partition.of(key.id)
            if partition is None:
                raise ValueError("a key's identifier names its partition")
            sorted_.setdefault(partition, []).append(key)
        for partition, new in sorted_.items():
            with self._files.make(partition).transaction() as connection:
                connection.execute(insert(_KEYS), [_row(key, at) for key in new])

    def find(self, identifiers: Iterable[bytes]) -> Mapping[bytes, SealKey]:
        """Keys by identifier, destroyed and dropped ones too."""
        wanted = set(identifiers)
        found: dict[bytes, SealKey] = {}
        for partition in {place for each in wanted if (place := Partition.of(each))}:
            if (database := self._files.find(partition)) is not None:
                found.update(_found(database, _KEYS, [each for each in wanted if Partition.of(each) == partition]))
        for table in (_HELD, _KEYS):
            if rest := wanted - found.keys():
                found.update(_found(self._database, table, rest))
        for each in wanted - found.keys():
            place = Partition.of(each)
            if place is not None and self._dropped(place):
                found[each] = SealKey(each, "", None)
        return found

    def destroy(self, subject: str, at: datetime) -> int:
        """Overwrite every key of one subject, in all tables and in what the databases keep beside them.

        Called while ``lock.alone`` is held: then nobody is sealing under one of them.

        Raises:
            DatabaseUnavailable: the keys are gone for every reader, but a copy may still lie in a database's
                write-ahead file, or later partitions were not reached; calling again finishes the work.
        """
        count = _destroyed(self._database, _KEYS, subject, at) + _destroyed(self._database, _HELD, subject, at)
        for partition in self._files.all():
            if (database := self._files.find(partition)) is not None:
                count += _destroyed(database, _KEYS, subject, at)
        return count

    def partitions(self) -> list[Partition]:
        """Every partition there is, the oldest first."""
        return self._files.all()

    def bytes(self, partition: Partition) -> int:
        """How much one takes on the disk."""
        return self._files.bytes(partition)

    def count(self, partition: Partition) -> int:
        """How many keys one holds that were not destroyed."""
        database = self._files.find(partition)
        if database is None:
            return 0
        [(count,)] = database.look_up("SELECT COUNT(*) FROM seal_keys WHERE key IS NOT NULL", [])
        return int(count)

    def drop(self, partition: Partition, *, held: Callable[[str], bool], at: datetime) -> int:
        """Destroy a whole partition, but keep the keys of subjects on whom a hold lies; how many were kept.

        May be cut off anywhere and called again: held keys are copied before anything is lost, and the note that the
        partition was dropped is there before its file goes.
        """
        kept = 0
        if (database := self._files.find(partition)) is not None:
            kept = self._keep(database, held)
        with self._database.transaction() as connection:
            connection.execute(
                text("INSERT OR IGNORE INTO seal_dropped (partition, at) VALUES (:name, :at)"),
                {"name": partition.name, "at": int(at.timestamp())},
            )
        self._files.drop(partition)
        return kept

    def dropped(self) -> list[tuple[str, int]]:
        """Which were dropped, and when in epoch seconds."""
        with self._database.reading() as connection:
            return [(name, at) for name, at in connection.execute(select(_DROPPED.c.partition, _DROPPED.c.at))]

    def finish(self) -> None:
        """Finish drops that were cut off."""
        for name, _at in self.dropped():
            partition = Partition.named(name)
            if partition is not None:
                self._files.drop(partition)
        self._files.finish()

    def release(self, held: Callable[[str], bool]) -> int:
        """Destroy the kept keys of subjects on whom no hold lies any more; how many."""
        with self._database.reading() as connection:
            subjects = list(connection.execute(select(_HELD.c.subject).distinct()).scalars())
        free = [subject for subject in subjects if not held(subject)]
        count = 0
        with self._database.transaction() as connection:
            connection.execute(text("PRAGMA secure_delete=ON"))
            for subject in free:
                count += connection.execute(delete(_HELD).where(_HELD.c.subject == subject)).rowcount
        if count:
            _truncate(self._database)
        return count

    def close(self) -> None:
        """Return the connections."""
        self._files.close()
        self._database.close()

    def _keep(self, database: Database, held: Callable[[str], bool]) -> int:
        kept, last = 0, b""
        while True:
            rows = database.look_up(
                "SELECT id, subject, key, made FROM seal_keys WHERE id > ? AND key IS NOT NULL ORDER BY id LIMIT ?",
                [last, _STEP],
            )
            if not rows:
                return kept
            last = rows[-1][0]
            keys = [row for row in rows if held(row[1])]
            if keys:
                with self._database.transaction() as connection:
                    for identifier, subject, key, made in keys:
                        connection.execute(
                            text("INSERT OR IGNORE INTO seal_held (id, subject, key, made) VALUES (:i, :s, :k, :m)"),
                            {"i": identifier, "s": subject, "k": key, "m": made},
                        )
                kept += len(keys)

    def _dropped(self, partition: Partition) -> bool:
        return bool(self._database.look_up("SELECT 1 FROM seal_dropped WHERE partition = ?", [partition.name]))


def _shape(database: Database) -> None:
    with database.transaction() as connection:
        _KEYS.metadata.create_all(connection)


def _row(key: SealKey, at: datetime) -> dict[str, object]:
    return {"id": key.id, "subject": key.subject, "key": key.key, "made": int(at.timestamp())}


def _found(database: Database, table: Table, identifiers: Iterable[bytes]) -> dict[bytes, SealKey]:
    wanted = sorted(set(identifiers))
    found: dict[bytes, SealKey] = {}
    for start in range(0, len(wanted), _STEP):
        some = wanted[start : start + _STEP]
        marks = ",".join("?" * len(some))
        rows = database.look_up(f"SELECT id, subject, key FROM {table.name} WHERE id IN ({marks})", some)  # noqa: S608 - our own name, and marks
        found.update((identifier, SealKey(identifier, subject, key)) for identifier, subject, key in rows)
    return found


def _destroyed(database: Database, table: Table, subject: str, at: datetime) -> int:
    change = (
        update(table)
        .where(table.c.subject == subject, table.c.key.is_not(None))
        .values(key=None, destroyed=int(at.timestamp()))
    )
    with database.transaction() as connection:
        connection.execute(text("PRAGMA secure_delete=ON"))
        count = connection.execute(change).rowcount
    # The write-ahead file would keep the old page until the next checkpoint.
    _truncate(database)
    return count


def _truncate(database: Database) -> None:
    with database.engine.connect() as connection:
        [busy, *_] = connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() or [1]
    if busy:
        raise DatabaseUnavailable
