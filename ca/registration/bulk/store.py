# SPDX-License-Identifier: Apache-2.0
"""Jobs, lines and approvals: rows in, models out; each change that people made commits with its record."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    func,
    insert,
    select,
    update,
)

from core.db import Database
from core.errors import TallygateError

from ...errors import BulkOver, NoSuchBulk
from ...store.tables import Note, moment, put, seconds
from ..models import Approval
from .models import Job, JobState, Line, LineState

_metadata = MetaData()
_jobs = Table(
    "bulk_jobs",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32)),
    Column("profile", String(32)),
    Column("asker", String(128)),
    Column("reference", String(200)),
    Column("name", String(200)),
    Column("state", String(16)),
    Column("digest", String(64)),
    Column("at", BigInteger),
    Column("closed", BigInteger),
    Column("closed_by", String(128)),
)
_lines = Table(
    "bulk_lines",
    _metadata,
    Column("job", String(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("device", String(128)),
    Column("name", String(64)),
    Column("hosts", Text),
    Column("csr", LargeBinary),
    Column("key_hash", String(64)),
    Column("digest", String(64)),
    Column("state", String(16)),
    # Which process attempts it.
    Column("holder", String(32)),
    Column("attempts", Integer),
    Column("serial", String(40)),
    Column("code", String(64)),
    Column("message", Text),
    Column("parameters", Text),
)
_approvals = Table(
    "bulk_approvals",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("job", String(32)),
    Column("officer", String(128)),
    Column("digest", String(64)),
    Column("at", BigInteger),
    Column("assurance", Integer),
    Column("zone", String(32)),
    Column("void", Boolean),
)

_PAGE = 500
# Built once: composing a statement costs as much as running it.
_SETTLE = (
    update(_lines)
    .where(
        _lines.c.job == bindparam("this_job"),
        _lines.c.number == bindparam("this_number"),
        _lines.c.state == LineState.TAKEN,
        _lines.c.holder == bindparam("this_holder"),
    )
    .values({name: bindparam(f"new_{name}") for name in ("state", "serial", "code", "message", "parameters")})
)


class Jobs:
    """The three tables and their verbs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, job: Job, lines: Sequence[Line], note: Note) -> None:
        """Keep a job that was looked through, whole."""
        row = {
            "id": job.id,
            "profile": job.profile,
            "asker": job.asker,
            "reference": job.reference,
            "name": job.name,
            "state": job.state,
            "digest": job.digest,
            "at": seconds(job.at),
            "closed": seconds(job.closed) if job.closed is not None else None,
            "closed_by": job.closed_by,
        }
        with self._database.transaction() as connection:
            connection.execute(insert(_jobs).values(row))
            connection.execute(insert(_lines), [_row(job.id, each) for each in lines])
            put(connection, note)

    def get(self, identifier: str) -> Job:
        """One job.

        Raises:
            NoSuchBulk: there is none.
        """
        with self._database.reading() as connection:
            return _one(connection, identifier)

    def newest(self, *, before: int = 0, limit: int = 50) -> tuple[list[Job], int]:
        """The newest first, and where the next page begins (0: no more)."""
        query = select(_jobs).order_by(_jobs.c.position.desc()).limit(limit + 1)
        if before:
            query = query.where(_jobs.c.position < before)
        with self._database.reading() as connection:
            rows = list(connection.execute(query))
            more = rows[limit - 1].position if len(rows) > limit else 0
            return [_job(connection, row) for row in rows[:limit]], more

    def running(self) -> list[str]:
        """The jobs that have lines to issue, oldest first."""
        query = select(_jobs.c.id).where(_jobs.c.state == JobState.RUNNING).order_by(_jobs.c.position)
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def count_waiting(self) -> int:
        """How many wait for officers."""
        query = select(func.count()).select_from(_jobs).where(_jobs.c.state == JobState.WAITING)
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one()

    def lines(self, identifier: str, *, after: int = 0, limit: int = _PAGE) -> list[Line]:
        """Lines in their order, from behind ``after``."""
        query = select(_lines).where(_lines.c.job == identifier, _lines.c.number > after)
        with self._database.reading() as connection:
            return [_line(row) for row in connection.execute(query.order_by(_lines.c.number).limit(limit))]

    def all_lines(self, identifier: str) -> Iterator[Line]:
        """Every line in order, a page at a time."""
        after = 0
        while page := self.lines(identifier, after=after):
            yield from page
            after = page[-1].number

    def approve(
        self, identifier: str, approval: Approval, *, enough: bool, seen: Sequence[str], void: Sequence[str], note: Note
    ) -> None:
        """Add one officer's word, with its record, if the approvals are still those that were ``seen``.

        Raises:
            BulkOver: it was decided meanwhile, or another officer was faster.
        """
        with self._database.transaction() as connection:
            _change(
                connection, identifier, JobState.WAITING, {"state": JobState.RUNNING if enough else JobState.WAITING}
            )
            now = [each.officer for each in _approved(connection, identifier) if not each.void]
            if sorted(now) != sorted(seen):
                raise BulkOver
            _void(connection, identifier, void)
            connection.execute(
                insert(_approvals).values(
                    job=identifier,
                    officer=approval.officer,
                    digest=approval.digest,
                    at=seconds(approval.at),
                    assurance=approval.assurance,
                    zone=approval.zone,
                    void=False,
                )
            )
            put(connection, note)

    def cancel(self, identifier: str, *, by: str, at: datetime, note: Note) -> None:
        """End a job that does not run yet.

        Raises:
            BulkOver: it does.
        """
        ended = {"state": JobState.CANCELLED, "closed": seconds(at), "closed_by": by}
        with self._database.transaction() as connection:
            _change(connection, identifier, JobState.WAITING, ended)
            put(connection, note)

    def wait_again(self, identifier: str, *, void: Sequence[str], note: Note) -> None:
        """Back to the officers: some of their approvals count no more. What is issued stays."""
        with self._database.transaction() as connection:
            _change(connection, identifier, JobState.RUNNING, {"state": JobState.WAITING})
            _void(connection, identifier, void)
            put(connection, note)

    def take(self, identifier: str, holder: str, *, limit: int) -> list[Line]:
        """Lines for one attempt; nobody else gets them until they are settled or let go."""
        wanted = (
            select(_lines)
            .where(_lines.c.job == identifier, _lines.c.state == LineState.READY)
            .order_by(_lines.c.number)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        with self._database.transaction() as connection:
            found = [_line(row) for row in connection.execute(wanted)]
            if found:
                theirs = update(_lines).where(
                    _lines.c.job == identifier, _lines.c.number.in_([n.number for n in found])
                )
                connection.execute(theirs.values(state=LineState.TAKEN, holder=holder, attempts=_lines.c.attempts + 1))
        return found

    def let_go(self, holder: str, *, others: bool = False) -> None:
        """Give back what this holder has taken; ``others``: what anybody else has, who is known to be dead."""
        whose = _lines.c.holder != holder if others else _lines.c.holder == holder
        with self._database.transaction() as connection:
            connection.execute(
                update(_lines).where(_lines.c.state == LineState.TAKEN, whose).values(state=LineState.READY)
            )

    def settle(self, identifier: str, holder: str, ended: Mapping[int, str | TallygateError]) -> list[str]:
        """Say what became of lines this holder has taken: a serial, or why not.

        Returns the serials of lines that were not this holder's any more.
        """
        lost = []
        with self._database.transaction() as connection:
            for number, became in sorted(ended.items()):
                these = {"this_job": identifier, "this_number": number, "this_holder": holder}
                if not connection.execute(_SETTLE, these | _became(became)).rowcount and isinstance(became, str):
                    lost.append(became)
        return lost

    def finish(self, identifier: str, *, at: datetime, note: Note) -> bool:
        """End a job without a line left, with its record; False if there is one, or it has ended."""
        left = select(func.count()).where(
            _lines.c.job == identifier, _lines.c.state.in_([LineState.READY, LineState.TAKEN])
        )
        query = update(_jobs).where(_jobs.c.id == identifier, _jobs.c.state == JobState.RUNNING)
        with self._database.transaction() as connection:
            if connection.execute(left).scalar_one():
                return False
            done = connection.execute(query.values(state=JobState.DONE, closed=seconds(at), closed_by="role:ca"))
            if done.rowcount:
                put(connection, note)
            return bool(done.rowcount)

    def has(self, serial: str) -> bool:
        """Whether a line ended with this certificate."""
        query = select(_lines.c.number).where(_lines.c.serial == serial).limit(1)
        with self._database.reading() as connection:
            return connection.execute(query).one_or_none() is not None


def _one(connection: Connection, identifier: str) -> Job:
    row = connection.execute(select(_jobs).where(_jobs.c.id == identifier)).one_or_none()
    if row is None:
        raise NoSuchBulk
    return _job(connection, row)


def _job(connection: Connection, row: Any) -> Job:
    counted = select(_lines.c.state, func.count()).where(_lines.c.job == row.id).group_by(_lines.c.state)
    return Job(
        id=row.id,
        profile=row.profile,
        asker=row.asker,
        reference=row.reference,
        name=row.name,
        state=JobState(row.state),
        digest=row.digest,
        at=moment(row.at),
        counts={LineState(state): count for state, count in connection.execute(counted)},
        closed=moment(row.closed) if row.closed is not None else None,
        closed_by=row.closed_by,
        approvals=_approved(connection, row.id),
        position=row.position,
    )


def _approved(connection: Connection, identifier: str) -> tuple[Approval, ...]:
    query = select(_approvals).where(_approvals.c.job == identifier).order_by(_approvals.c.position)
    return tuple(
        Approval(
            officer=row.officer,
            digest=row.digest,
            at=moment(row.at),
            assurance=row.assurance,
            zone=row.zone,
            void=row.void,
        )
        for row in connection.execute(query)
    )


def _void(connection: Connection, identifier: str, officers: Sequence[str]) -> None:
    if officers:
        query = update(_approvals).where(_approvals.c.job == identifier, _approvals.c.officer.in_(officers))
        connection.execute(query.values(void=True))


def _change(connection: Connection, identifier: str, state: JobState, values: dict[str, Any]) -> None:
    query = update(_jobs).where(_jobs.c.id == identifier, _jobs.c.state == state)
    if not connection.execute(query.values(values)).rowcount:
        _one(connection, identifier)
        raise BulkOver


def _became(became: str | TallygateError) -> dict[str, str]:
    if isinstance(became, str):
        state, serial, code, message, parameters = LineState.ISSUED, became, "", "", "{}"
    else:
        state, serial, (code, message, parameters) = LineState.REFUSED, "", reason_of(became)
    return {
        "new_state": state,
        "new_serial": serial,
        "new_code": code,
        "new_message": message,
        "new_parameters": parameters,
    }


def reason_of(error: TallygateError) -> tuple[str, str, str]:
    """Code, text and parameters of a refusal, as they are kept."""
    parameters = {name: str(value)[:200] for name, value in error.parameters.items()}
    return error.code, error.message, json.dumps(parameters, ensure_ascii=False)


def _row(job: str, line: Line) -> dict[str, Any]:
    return {
        "job": job,
        "number": line.number,
        "device": line.device,
        "name": line.name,
        "hosts": json.dumps(line.hosts),
        "csr": line.csr,
        "key_hash": line.key_hash,
        "digest": line.digest,
        "state": line.state,
        "holder": "",
        "attempts": 0,
        "serial": "",
        "code": line.code,
        "message": line.message,
        "parameters": json.dumps(line.parameters, ensure_ascii=False),
    }


def _line(row: Any) -> Line:
    return Line(
        number=row.number,
        device=row.device,
        name=row.name,
        hosts=tuple(json.loads(row.hosts)),
        csr=row.csr,
        key_hash=row.key_hash,
        digest=row.digest,
        state=LineState(row.state),
        attempts=row.attempts,
        serial=row.serial,
        code=row.code,
        message=row.message,
        parameters=json.loads(row.parameters),
    )
