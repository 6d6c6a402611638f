# SPDX-License-Identifier: Apache-2.0
"""Incidents: rows in, models out. A change names the stages it may begin in and commits with its record."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from core.db import Database

from ...errors import IncidentOver, NoSuchIncident
from ...models import Reason
from ...store import Note
from ...store.tables import moment, put, seconds
from ..models import Act, Incident, Plan, Stage, Summary, Whom, read_kept
from .tables import incidents


@dataclass(frozen=True, kw_only=True)
class Step:
    """One change of stage: from where it may begin, where it leads, and what else is then known."""

    begins: Sequence[Stage]
    stage: Stage
    values: dict[str, Any]

    @classmethod
    def to(cls, stage: Stage, *begins: Stage, **values: Any) -> "Step":
        """A step to ``stage``."""
        return cls(begins=begins, stage=stage, values=values)


class Incidents:
    """The verbs over one table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, incident: Incident) -> None:
        """Keep a preview whose list is not yet whole; nobody sees it, and its time ends as every preview's."""
        with self._database.transaction() as connection:
            connection.execute(insert(incidents).values(_row(incident)))

    def fix(self, incident: Incident, note: Note) -> Incident:
        """The list is whole: keep its size, digest and summary, with the record of it."""
        fixed = {
            "size": incident.size,
            "digest": incident.digest,
            "summary": json.dumps(asdict(incident.summary)),
        }
        with self._database.transaction() as connection:
            connection.execute(update(incidents).where(incidents.c.id == incident.id).values(**fixed))
            put(connection, note)
            return _one(connection, incident.id)

    def get(self, identifier: str) -> Incident:
        """One incident.

        Raises:
            NoSuchIncident: there is none.
        """
        with self._database.reading() as connection:
            return _one(connection, identifier)

    def listed(self, *, before: int = 0, limit: int = 50) -> tuple[list[Incident], int]:
        """Newest first, and where the next page begins (0: no more)."""
        query = select(incidents).where(incidents.c.digest != "").order_by(incidents.c.position.desc()).limit(limit + 1)
        if before:
            query = query.where(incidents.c.position < before)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        more = rows[limit - 1].position if len(rows) > limit else 0
        return [incident_of(row) for row in rows[:limit]], more

    def step(self, identifier: str, step: Step, note: Note) -> Incident:
        """Change the stage, with the record of it.

        Raises:
            NoSuchIncident: there is none.
            IncidentOver: it is in none of the stages that the step begins in.
        """
        with self._database.transaction() as connection:
            changed = _change(connection, identifier, step)
            put(connection, note)
            return changed

    def move(self, identifier: str, step: Step) -> Incident:
        """The same where there is nothing to be told."""
        with self._database.transaction() as connection:
            return _change(connection, identifier, step)

    def lapsed(self, now: datetime, *, limit: int = 50) -> list[Incident]:
        """Previews and proposals whose time is over."""
        early = (Stage.PREVIEW, Stage.PROPOSED)
        query = select(incidents).where(incidents.c.stage.in_(early), incidents.c.expires <= seconds(now)).limit(limit)
        with self._database.reading() as connection:
            return [incident_of(row) for row in connection.execute(query)]

    def due(self, now: datetime) -> list[Incident]:
        """What there is to work on and nobody works on."""
        free = incidents.c.held_until <= seconds(now)
        waits = (incidents.c.stage == Stage.WAITING) & (incidents.c.deadline <= seconds(now))
        query = select(incidents).where((incidents.c.stage == Stage.RUNNING) | waits, free)
        with self._database.reading() as connection:
            return [incident_of(row) for row in connection.execute(query.order_by(incidents.c.position))]

    def claim(self, identifier: str, holder: str, *, now: datetime, until: datetime) -> bool:
        """Take it for one process; False if another has it or it is not running any more."""
        mine = (
            incidents.c.id == identifier,
            incidents.c.stage == Stage.RUNNING,
            (incidents.c.held_until <= seconds(now)) | (incidents.c.holder == holder),
        )
        with self._database.transaction() as connection:
            taken = update(incidents).where(*mine).values(holder=holder, held_until=seconds(until))
            return bool(connection.execute(taken).rowcount)

    def let_go(self, identifier: str, holder: str) -> None:
        """Another process may go on at once."""
        mine = (incidents.c.id == identifier, incidents.c.holder == holder)
        with self._database.transaction() as connection:
            connection.execute(update(incidents).where(*mine).values(holder="", held_until=0))


def _change(connection: Connection, identifier: str, step: Step) -> Incident:
    mine = (incidents.c.id == identifier, incidents.c.stage.in_(step.begins))
    changed = update(incidents).where(*mine).values(stage=step.stage, **step.values)
    if not connection.execute(changed).rowcount:
        _one(connection, identifier)
        raise IncidentOver
    return _one(connection, identifier)


def incident_of(row: Any) -> Incident:
    """The model of a row."""
    plan, summary = json.loads(row.plan), json.loads(row.summary)
    return Incident(
        id=row.id,
        stage=Stage(row.stage),
        plan=Plan(
            selector=read_kept(plan["selector"]),
            kept=plan["selector"],
            act=Act(plan["act"]),
            reason=Reason(plan["reason"]),
            deadline=moment(row.deadline) if row.deadline is not None else None,
            whom=Whom(plan["whom"]),
            text=plan["text"],
            text_zh=plan["text_zh"],
        ),
        opener=row.opener,
        created=moment(row.created),
        expires=moment(row.expires),
        position=row.position,
        size=row.size,
        digest=row.digest,
        summary=Summary(**{**summary, "unknown_first": tuple(summary["unknown_first"])}),
        horizon=row.horizon,
        approver=row.approver,
        approved=moment(row.approved) if row.approved is not None else None,
        phase=row.phase,
        closed_by=row.closed_by,
        why=row.why,
        ended=moment(row.ended) if row.ended is not None else None,
    )


def _one(connection: Connection, identifier: str) -> Incident:
    row = connection.execute(select(incidents).where(incidents.c.id == identifier)).one_or_none()
    if row is None:
        raise NoSuchIncident
    return incident_of(row)


def _row(incident: Incident) -> dict[str, Any]:
    plan = incident.plan
    said = {
        "selector": plan.selector.document(),
        "act": plan.act.value,
        "reason": plan.reason.value,
        "whom": plan.whom.value,
        "text": plan.text,
        "text_zh": plan.text_zh,
    }
    return {
        "id": incident.id,
        "stage": incident.stage,
        "plan": json.dumps(said, ensure_ascii=False),
        "summary": json.dumps(asdict(incident.summary)),
        "opener": incident.opener,
        "created": seconds(incident.created),
        "expires": seconds(incident.expires),
        "size": incident.size,
        "digest": incident.digest,
        "horizon": incident.horizon,
        "approver": "",
        "approved": None,
        "deadline": seconds(plan.deadline) if plan.deadline else None,
        "phase": 1,
        "closed_by": "",
        "why": "",
        "ended": None,
        "holder": "",
        "held_until": 0,
    }
