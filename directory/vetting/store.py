# SPDX-License-Identifier: Apache-2.0
"""The table of vettings; each move of a state names the state before it."""

from datetime import date
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    insert,
    select,
    update,
)

from core.db import Database

from ..numbers import Numbers
from .models import Evidence, Vetting, VettingState, Way

_metadata = MetaData()
_proofings = Table(
    "proofings",
    _metadata,
    Column("id", String(36), primary_key=True),
    Column("subject", String(36), nullable=False, index=True),
    Column("level", Integer, nullable=False),
    Column("way", String(16), nullable=False),
    Column("kinds", String(200), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("by", String(36), nullable=False),
    Column("second", String(36), nullable=False),
    Column("day", String(10), nullable=False),
    Column("until", String(10), nullable=False),
    Column("state", String(16), nullable=False),
    Column("needs_second", Boolean, nullable=False),
    Column("reminded", String(10), nullable=False),
    Index("proofings_until", "state", "until"),
)
MOST = 200
"""In one list."""


class Board:
    """Rows in, models out; what refers to evidence is sealed."""

    def __init__(self, database: Database, numbers: Numbers) -> None:
        self._database = database
        self._numbers = numbers

    def keep(self, of: Vetting) -> None:
        """Write a vetting down, waiting; writing it twice changes nothing."""
        sealed = self._numbers.seal(of.reference, of=of.id).encode("ascii")
        told = {
            "id": of.id, "subject": of.subject, "level": of.level, "way": of.way.value,
            "kinds": " ".join(sorted(of.kinds)), "sealed": sealed, "by": of.by, "second": of.second,
            "day": of.day.isoformat(), "until": of.until.isoformat(), "state": of.state.value,
            "needs_second": of.needs_second, "reminded": "",
        }  # fmt: skip
        with self._database.transaction() as connection:
            connection.execute(insert(_proofings).values(**told))

    def vetting(self, identifier: str) -> Vetting | None:
        """One vetting."""
        with self._database.reading() as connection:
            row = connection.execute(select(_proofings).where(_proofings.c.id == identifier)).one_or_none()
        return self._of(row) if row else None

    def of(self, subject: str) -> list[Vetting]:
        """Every vetting of one person, newest first."""
        query = select(_proofings).where(_proofings.c.subject == subject).order_by(_proofings.c.day.desc())
        with self._database.reading() as connection:
            return [self._of(row) for row in connection.execute(query.limit(MOST))]

    def waiting(self) -> list[Vetting]:
        """What a second officer is to agree to, oldest first."""
        query = select(_proofings).where(_proofings.c.state == VettingState.WAITING).order_by(_proofings.c.day)
        with self._database.reading() as connection:
            return [self._of(row) for row in connection.execute(query.limit(MOST))]

    def ending(self, day: date) -> list[Vetting]:
        """What holds and ends by this day, soonest first, of whom nobody was told."""
        query = select(_proofings).where(
            _proofings.c.state == VettingState.HOLDS, _proofings.c.until <= day.isoformat(), _proofings.c.reminded == ""
        )
        with self._database.reading() as connection:
            return [self._of(row) for row in connection.execute(query.order_by(_proofings.c.until).limit(MOST))]

    def reminded(self, identifier: str, day: date) -> bool:
        """Note that somebody is told of the end; whether nobody was before."""
        unsaid = update(_proofings).where(_proofings.c.id == identifier, _proofings.c.reminded == "")
        with self._database.transaction() as connection:
            return bool(connection.execute(unsaid.values(reminded=day.isoformat())).rowcount)

    def holds(self, of: Vetting, *, second: str = "") -> None:
        """It counts from now on, and what counted before no longer does."""
        with self._database.transaction() as connection:
            old = update(_proofings).where(
                _proofings.c.subject == of.subject, _proofings.c.state == VettingState.HOLDS, _proofings.c.id != of.id
            )
            connection.execute(old.values(state=VettingState.REPLACED))
            connection.execute(
                update(_proofings).where(_proofings.c.id == of.id).values(state=VettingState.HOLDS, second=second)
            )

    def settle(self, subject: str, *, holds: str, ended: VettingState) -> None:
        """What counted for somebody has ended, and ``holds`` counts; with a level that is withdrawn all before it."""
        held = [VettingState.HOLDS] if ended is VettingState.EXPIRED else [VettingState.HOLDS, VettingState.REPLACED]
        old = update(_proofings).where(
            _proofings.c.subject == subject, _proofings.c.state.in_(held), _proofings.c.id != holds
        )
        again = update(_proofings).where(
            _proofings.c.subject == subject, _proofings.c.id == holds, _proofings.c.state == VettingState.REPLACED
        )
        with self._database.transaction() as connection:
            connection.execute(old.values(state=ended))
            if holds:
                connection.execute(again.values(state=VettingState.HOLDS, reminded=""))

    def still(self, subject: str, *, below: int, day: date) -> Vetting | None:
        """The highest level lower than one that was proofed before and counts on this day."""
        query = select(_proofings).where(
            _proofings.c.subject == subject, _proofings.c.level < below, _proofings.c.until >= day.isoformat(),
            _proofings.c.state.in_([VettingState.REPLACED, VettingState.HOLDS]),
        )  # fmt: skip
        query = query.order_by(_proofings.c.level.desc(), _proofings.c.until.desc()).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return self._of(row) if row else None

    def over(self, day: date) -> list[Vetting]:
        """What is still said to count, though its last day is over."""
        query = select(_proofings).where(_proofings.c.state == VettingState.HOLDS, _proofings.c.until < day.isoformat())
        with self._database.reading() as connection:
            return [self._of(row) for row in connection.execute(query.order_by(_proofings.c.until).limit(MOST))]

    def refuse(self, identifier: str, *, second: str) -> bool:
        """The second officer does not agree; whether it still waited."""
        waits = update(_proofings).where(_proofings.c.id == identifier, _proofings.c.state == VettingState.WAITING)
        with self._database.transaction() as connection:
            return bool(connection.execute(waits.values(state=VettingState.REFUSED, second=second)).rowcount)

    def _of(self, row: Row[Any]) -> Vetting:
        return Vetting(
            id=row.id, subject=row.subject, level=row.level, way=Way(row.way),
            kinds=frozenset(map(Evidence, row.kinds.split())),
            reference=self._numbers.open(row.sealed.decode("ascii"), of=row.id), by=row.by, second=row.second,
            day=date.fromisoformat(row.day), until=date.fromisoformat(row.until), state=VettingState(row.state),
            needs_second=row.needs_second,
        )  # fmt: skip
