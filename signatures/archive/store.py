# SPDX-License-Identifier: Apache-2.0
"""Tables ``archived`` and ``seconds``: rows in, models out."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    func,
    insert,
    select,
    update,
)

from core.db import Database, migrate

from .errors import NoSuchArchived
from .models import Archived, Counts, Keeping, Second

_METADATA = MetaData()
_ARCHIVED = Table(
    "archived",
    _METADATA,
    Column("id", String(32), primary_key=True),
    Column("owner", String(160)),
    Column("shelved", String(32)),
    Column("sha256", String(64)),
    Column("keeping", String(16)),
    Column("deposited_at", String(40)),
    Column("authorities", String(400)),
    Column("stamps", Integer),
    Column("stamped_at", String(40)),
    Column("ends_at", String(40)),
    Column("algorithm", String(32)),
    Column("trouble", String(64)),
    Column("organisation", String(64)),
    Column("level", String(8)),
)
_SECONDS = Table(
    "seconds",
    _METADATA,
    Column("archived", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("digest", String(64)),
    Column("token", LargeBinary),
    Column("at", String(40)),
)
MIGRATIONS = Path(__file__).parent / "migrations"
_PAGE = 200


class ArchiveStore:
    """What the archive holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """The tables in one SQLite file, brought up to date."""
        made = cls.over(Database.open(f"sqlite:///{path}", connections=8))
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

    def add(self, archived: Archived) -> None:
        """Take one in."""
        with self._database.transaction() as connection:
            connection.execute(insert(_ARCHIVED).values(id=archived.id, **_values(archived)))

    def one(self, owner: str, identifier: str) -> Archived:
        """One of an owner's.

        Raises:
            NoSuchArchived: nothing of this name, or somebody else's.
        """
        which = (_ARCHIVED.c.id == identifier) & (_ARCHIVED.c.owner == owner)
        with self._database.reading() as connection:
            row = connection.execute(select(_ARCHIVED).where(which)).one_or_none()
        if row is None:
            raise NoSuchArchived
        return _archived(row)

    def answered_for(self, organisation: str, identifier: str) -> Archived:
        """One that an organisation answers for, whoever brought it.

        Raises:
            NoSuchArchived: nothing of this name, or another's.
        """
        which = (_ARCHIVED.c.id == identifier) & (_ARCHIVED.c.organisation == organisation)
        with self._database.reading() as connection:
            row = connection.execute(select(_ARCHIVED).where(which)).one_or_none()
        if row is None or not organisation:
            raise NoSuchArchived
        return _archived(row)

    def of(self, organisation: str, *, before: tuple[datetime, str] | None, limit: int) -> list[Archived]:
        """What an organisation answers for, the newest first, from beyond the deposit that is named."""
        query = select(_ARCHIVED).where(_ARCHIVED.c.organisation == organisation)
        if before is not None:
            at, identifier = _text(before[0]), before[1]
            same = (_ARCHIVED.c.deposited_at == at) & (_ARCHIVED.c.id < identifier)
            query = query.where((_ARCHIVED.c.deposited_at < at) | same)
        query = query.order_by(_ARCHIVED.c.deposited_at.desc(), _ARCHIVED.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [_archived(row) for row in connection.execute(query)]

    def counts(self, *, at: datetime, soon: datetime, over: Collection[str], ending: Collection[str]) -> Counts:
        """How many are how far; of the algorithms in ``over`` nothing is proved, and those in ``ending`` end soon."""
        keeping, ends, algorithm = _ARCHIVED.c.keeping, _ARCHIVED.c.ends_at, _ARCHIVED.c.algorithm
        kept = keeping == Keeping.KEPT.value
        lost = kept & ((ends < _text(at)) | algorithm.in_(over))
        short = kept & ~lost & ((ends < _text(soon)) | algorithm.in_(ending))

        def number(connection: Connection, which: ColumnElement[bool]) -> int:
            return int(connection.execute(select(func.count()).select_from(_ARCHIVED).where(which)).scalar() or 0)

        with self._database.reading() as connection:
            return Counts(
                kept=number(connection, kept & ~lost),
                waiting=number(connection, keeping == Keeping.WAITING.value),
                due=number(connection, short),
                lost=number(connection, lost),
            )

    def algorithms(self) -> frozenset[str]:
        """Those by which something in the archive is stamped."""
        query = select(_ARCHIVED.c.algorithm).where(_ARCHIVED.c.keeping == Keeping.KEPT.value).distinct()
        with self._database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def all(self) -> Iterator[Archived]:
        """Everything, by identifier, some at a time."""
        yield from self._paged(_ARCHIVED.c.id == _ARCHIVED.c.id)

    def due(self, *, before: datetime, ending: Collection[str] = ()) -> Iterator[Archived]:
        """What waits for its first stamp, and what needs its next one because its newest ends before this moment.

        So does what is stamped by one of the algorithms in ``ending``.
        """
        short = (_ARCHIVED.c.ends_at < _text(before)) | _ARCHIVED.c.algorithm.in_(ending)
        kept = (_ARCHIVED.c.keeping == Keeping.KEPT.value) & short
        yield from self._paged((_ARCHIVED.c.keeping == Keeping.WAITING.value) | kept)

    def replace(self, was: Archived, now: Archived, second: Second | None = None) -> bool:
        """Bring one from a step to the next, with the second stamp of that; says False if somebody else did."""
        which = (_ARCHIVED.c.id == was.id) & (_ARCHIVED.c.shelved == was.shelved)
        with self._database.transaction() as connection:
            if connection.execute(update(_ARCHIVED).where(which).values(**_values(now))).rowcount != 1:
                return False
            if second is not None:
                connection.execute(
                    insert(_SECONDS).values(
                        archived=second.archived,
                        number=second.number,
                        digest=second.digest,
                        token=second.token,
                        at=_text(second.at),
                    )
                )
        return True

    def seconds(self, archived: Archived) -> list[Second]:
        """The second stamps of one, oldest first."""
        query = select(_SECONDS).where(_SECONDS.c.archived == archived.id).order_by(_SECONDS.c.number)
        with self._database.reading() as connection:
            return [
                Second(
                    archived=row.archived,
                    number=row.number,
                    digest=row.digest,
                    token=row.token,
                    at=datetime.fromisoformat(row.at),
                )
                for row in connection.execute(query)
            ]

    def _paged(self, which: Any) -> Iterator[Archived]:
        last = ""
        while True:
            query = select(_ARCHIVED).where(which, _ARCHIVED.c.id > last).order_by(_ARCHIVED.c.id).limit(_PAGE)
            with self._database.reading() as connection:
                found = [_archived(row) for row in connection.execute(query)]
            if not found:
                return
            yield from found
            last = found[-1].id


def _values(archived: Archived) -> dict[str, Any]:
    return {
        "owner": archived.owner,
        "shelved": archived.shelved,
        "sha256": archived.sha256,
        "keeping": archived.keeping.value,
        "deposited_at": _text(archived.deposited_at),
        "authorities": archived.authorities,
        "stamps": archived.stamps,
        "stamped_at": _text(archived.stamped_at) if archived.stamped_at else None,
        "ends_at": _text(archived.ends_at) if archived.ends_at else None,
        "algorithm": archived.algorithm,
        "trouble": archived.trouble,
        "organisation": archived.organisation,
        "level": archived.level,
    }


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _archived(row: Any) -> Archived:
    return Archived(
        id=row.id,
        owner=row.owner,
        shelved=row.shelved,
        sha256=row.sha256,
        keeping=Keeping(row.keeping),
        deposited_at=datetime.fromisoformat(row.deposited_at),
        authorities=row.authorities,
        stamps=row.stamps,
        stamped_at=_moment(row.stamped_at),
        ends_at=_moment(row.ends_at),
        algorithm=row.algorithm,
        trouble=row.trouble,
        organisation=row.organisation or "",
        level=row.level or "",
    )
