# SPDX-License-Identifier: Apache-2.0
"""The tables; every verb is one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index, MetaData, Row, String, Table, delete, insert, select, update

from core.db import Database

from ..models import Scope


class Kind(StrEnum):
    """What is unusual."""

    DORMANT = "dormant"
    EXPIRED = "expired"
    ORPHANED = "orphaned"
    SHARED = "shared"
    # A device whose owner is gone or shut out, or whose organisation is gone.
    DEVICE = "device"
    # Software whose right to read has ended, or whose device is out.
    SOFTWARE = "software"


class Stage(StrEnum):
    """How far a walk has got."""

    PEOPLE = "people"
    DEVICES = "devices"
    DONE = "done"


@dataclass(frozen=True)
class Walk:
    """One walk through the directory."""

    # The day on which it began.
    day: str = ""
    stage: Stage = Stage.DONE
    # Key of the last entry that was looked at.
    after: str = ""


@dataclass(frozen=True)
class Finding:
    """One entry."""

    kind: Kind
    subject: str
    organisation: str
    # Of what is shared what ties them together, as a mark; of software why.
    detail: str = ""


_metadata = MetaData()
_unusual = Table(
    "unusual",
    _metadata,
    Column("kind", String(12), primary_key=True),
    Column("subject", String(64), primary_key=True),
    Column("organisation", String(64), nullable=False),
    Column("detail", String(64), nullable=False),
    Column("day", String(10), nullable=False),
    Index("unusual_place", "kind", "organisation", "detail", "subject"),
    Index("unusual_day", "day"),
)
_survey = Table(
    "survey",
    _metadata,
    Column("name", String(16), primary_key=True),
    Column("day", String(10), nullable=False),
    Column("stage", String(12), nullable=False),
    Column("after", String(64), nullable=False),
)
_ONE = "accounts"
MOST = 200
"""Of each kind in one list; who has more begins with these."""


class Findings:
    """Rows in, models out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def walk(self) -> Walk:
        """How far the present walk, or the last one, has got."""
        with self._database.reading() as connection:
            row = connection.execute(select(_survey).where(_survey.c.name == _ONE)).one_or_none()
        return Walk(row.day, Stage(row.stage), row.after) if row else Walk()

    def went(self, old: Walk, new: Walk, looked: Iterable[str], found: Sequence[Finding]) -> bool:
        """Keep what one page brought, and how far that is; whether no other process did so before.

        ``looked`` are those who were looked at: what was found of them earlier and is no more goes.
        """
        with self._database.transaction() as connection:
            here = update(_survey).where(
                _survey.c.name == _ONE, _survey.c.day == old.day, _survey.c.stage == old.stage,
                _survey.c.after == old.after,
            )  # fmt: skip
            told = {"day": new.day, "stage": new.stage, "after": new.after}
            if not connection.execute(here.values(**told)).rowcount:
                if old != Walk() or connection.execute(select(_survey.c.name)).first():
                    return False
                connection.execute(insert(_survey).values(name=_ONE, **told))
            connection.execute(delete(_unusual).where(_unusual.c.subject.in_(list(looked))))
            if found:
                connection.execute(
                    insert(_unusual),
                    [
                        {"kind": each.kind, "subject": each.subject, "organisation": each.organisation,
                         "detail": each.detail, "day": new.day}
                        for each in found
                    ],
                )  # fmt: skip
            if new.stage is Stage.DONE:
                # Who was not met on this walk is not there any more, or is shut out.
                connection.execute(delete(_unusual).where(_unusual.c.day != new.day))
        return True

    def of(self, kind: Kind, within: Scope) -> list[Finding]:
        """What was found of one kind in a part of the directory, by place; as many as stand in one list."""
        query = select(_unusual).where(_unusual.c.kind == kind)
        if not within.everything:
            query = query.where(_unusual.c.organisation.in_(sorted(within.organisations)))
        query = query.order_by(_unusual.c.organisation, _unusual.c.detail, _unusual.c.subject).limit(MOST)
        with self._database.reading() as connection:
            return [_finding(row) for row in connection.execute(query)]


def _finding(row: Row[Any]) -> Finding:
    return Finding(Kind(row.kind), row.subject, row.organisation, row.detail)
