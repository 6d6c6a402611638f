# SPDX-License-Identifier: Apache-2.0
"""Requests and approvals: rows in, models out; each change commits with its record in the authority's outbox.

A change names the stages it may begin in, so that of two at one moment one finds that it came too late.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from core.db import Database

from ..errors import AlreadyAsked, NoSuchRequest, RequestOver
from ..store.tables import Note, moment, put, seconds
from .models import OPEN, Approval, Asked, Evidence, Stage

_metadata = MetaData()
_requests = Table(
    "requests",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32)),
    Column("stage", String(16)),
    Column("profile", String(32)),
    Column("subject", String(128)),
    Column("organisation", String(64)),
    Column("name", String(64)),
    Column("asker", String(128)),
    Column("csr", LargeBinary),
    Column("key_hash", String(64)),
    # The same while the request is open or being issued, else empty: no key is asked for twice at a time.
    Column("open_key", String(64)),
    Column("at", BigInteger),
    Column("expires", BigInteger),
    Column("evidence", String(16)),
    Column("reference", String(200)),
    Column("evidence_by", String(128)),
    Column("closed_by", String(128)),
    Column("reason", String(500)),
    Column("closed", BigInteger),
    Column("failure", String(64)),
    Column("serial", String(40)),
    # Which attempt issues it now, and until when others leave it alone.
    Column("holder", String(32)),
    Column("held_until", BigInteger),
)
_approvals = Table(
    "approvals",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("request", String(32)),
    Column("officer", String(128)),
    Column("digest", String(64)),
    Column("at", BigInteger),
    Column("assurance", Integer),
    Column("zone", String(32)),
    Column("void", Boolean),
)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a request ends."""

    stage: Stage
    by: str
    at: datetime
    reason: str = ""


class Requests:
    """The two tables and their verbs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, asked: Asked) -> Asked:
        """Keep a new request.

        Raises:
            AlreadyAsked: another open request is for the same key.
        """
        row = {
            **_row(asked),
            "open_key": asked.key_hash,
            "closed": None,
            "holder": "",
            "held_until": 0,
        }
        try:
            with self._database.transaction() as connection:
                connection.execute(insert(_requests).values(row))
                return _one(connection, asked.id)
        except IntegrityError as error:
            raise AlreadyAsked from error

    def get(self, identifier: str) -> Asked:
        """One request.

        Raises:
            NoSuchRequest: there is none.
        """
        with self._database.reading() as connection:
            return _one(connection, identifier)

    def of(self, asker: str, *, limit: int = 50) -> list[Asked]:
        """The newest of one asker."""
        query = select(_requests).where(_requests.c.asker == asker).order_by(_requests.c.position.desc()).limit(limit)
        with self._database.reading() as connection:
            return [_asked(row) for row in connection.execute(query)]

    def has(self, serial: str) -> bool:
        """Whether a request ended with this certificate."""
        with self._database.reading() as connection:
            found = connection.execute(select(_requests.c.id).where(_requests.c.serial == serial).limit(1))
            return found.one_or_none() is not None

    def approved_by(self, officer: str) -> list[str]:
        """Serials of what was issued with this officer's approval, or on evidence that this officer put on file."""
        approved = (
            select(_requests.c.serial)
            .join(_approvals, _approvals.c.request == _requests.c.id)
            .where(_approvals.c.officer == officer, _approvals.c.void.is_(False), _requests.c.serial != "")
        )
        proved = select(_requests.c.serial).where(_requests.c.evidence_by == officer, _requests.c.serial != "")
        with self._database.reading() as connection:
            return list(connection.execute(approved.union(proved)).scalars())

    def count_open(self, asker: str) -> int:
        """How many of one asker are undecided."""
        query = select(func.count()).where(_requests.c.asker == asker, _requests.c.stage.in_(OPEN))
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one()

    def count(self, stages: Sequence[Stage]) -> int:
        """How many requests are in one of these stages; reads an index of as many entries."""
        query = select(func.count()).where(_requests.c.stage.in_(stages))
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def queue(self, stages: Sequence[Stage], *, after: int = 0, limit: int = 50) -> tuple[list[Asked], int]:
        """Oldest first, and where the next page begins (0: no more)."""
        query = (
            select(_requests)
            .where(_requests.c.stage.in_(stages), _requests.c.position > after)
            .order_by(_requests.c.position)
            .limit(limit + 1)
        )
        with self._database.reading() as connection:
            rows = list(connection.execute(query))
        more = rows[limit - 1].position if len(rows) > limit else 0
        return [_asked(row) for row in rows[:limit]], more

    def lapsed(self, now: datetime, *, limit: int = 256) -> list[Asked]:
        """Undecided ones whose time is over."""
        query = select(_requests).where(_requests.c.stage.in_(OPEN), _requests.c.expires <= seconds(now)).limit(limit)
        with self._database.reading() as connection:
            return [_asked(row) for row in connection.execute(query)]

    def prove(self, identifier: str, *, evidence: Evidence, reference: str, by: str) -> None:
        """Put evidence on file.

        Raises:
            RequestOver: it is decided already, or has evidence.
        """
        with self._database.transaction() as connection:
            _change(
                connection,
                identifier,
                (Stage.ASKED,),
                {"stage": Stage.EVIDENCE, "evidence": evidence, "reference": reference, "evidence_by": by},
            )

    def approve(
        self, identifier: str, approval: Approval, *, stage: Stage, seen: Sequence[str], void: Sequence[str], note: Note
    ) -> None:
        """Add one officer's word, with its record, if the approvals are still those that were ``seen``.

        Those of the officers in ``void`` count no more.

        Raises:
            RequestOver: it was decided meanwhile, or another officer was faster.
        """
        with self._database.transaction() as connection:
            _change(connection, identifier, (Stage.EVIDENCE, Stage.APPROVED_ONCE), {"stage": stage, "failure": ""})
            now = [each.officer for each in _of(connection, identifier) if not each.void]
            if sorted(now) != sorted(seen):
                raise RequestOver
            _void(connection, identifier, void)
            connection.execute(
                insert(_approvals).values(
                    request=identifier,
                    officer=approval.officer,
                    digest=approval.digest,
                    at=seconds(approval.at),
                    assurance=approval.assurance,
                    zone=approval.zone,
                    void=False,
                )
            )
            put(connection, note)

    def close(self, identifier: str, ending: Ending, note: Note) -> None:
        """End an undecided request, with the record of it.

        Raises:
            RequestOver: it is decided already.
        """
        with self._database.transaction() as connection:
            _change(connection, identifier, OPEN, _ended(ending))
            put(connection, note)

    def claim(self, identifier: str, holder: str, *, now: datetime, until: datetime) -> bool:
        """Take an approved request for one attempt at issuing it; False if another has it."""
        query = update(_requests).where(
            _requests.c.id == identifier, _requests.c.stage == Stage.APPROVED, _requests.c.held_until <= seconds(now)
        )
        with self._database.transaction() as connection:
            taken = connection.execute(query.values(holder=holder, held_until=seconds(until)))
            return taken.rowcount == 1

    def let_go(self, identifier: str, holder: str) -> None:
        """End an attempt that came to nothing; another may follow at once."""
        query = update(_requests).where(_requests.c.id == identifier, _requests.c.holder == holder)
        with self._database.transaction() as connection:
            connection.execute(query.values(holder="", held_until=0))

    def issued(self, identifier: str, holder: str, serial: str, *, at: datetime) -> bool:
        """The certificate is made; False if this attempt was taken for dead and another made one."""
        query = update(_requests).where(
            _requests.c.id == identifier, _requests.c.holder == holder, _requests.c.stage == Stage.APPROVED
        )
        with self._database.transaction() as connection:
            done = connection.execute(
                query.values(stage=Stage.ISSUED, serial=serial, closed=seconds(at), open_key=None, holder="")
            )
            return done.rowcount == 1

    def reopen(self, identifier: str, holder: str, *, failure: str, void: Sequence[str], note: Note) -> None:
        """Give an approved request that cannot be issued so back to the officers, with the record of it."""
        query = update(_requests).where(
            _requests.c.id == identifier, _requests.c.holder == holder, _requests.c.stage == Stage.APPROVED
        )
        back = query.values(stage=Stage.EVIDENCE, failure=failure, holder="", held_until=0)
        with self._database.transaction() as connection:
            if connection.execute(back).rowcount:
                _void(connection, identifier, void)
                put(connection, note)


def _one(connection: Connection, identifier: str) -> Asked:
    row = connection.execute(select(_requests).where(_requests.c.id == identifier)).one_or_none()
    if row is None:
        raise NoSuchRequest
    return replace(_asked(row), approvals=tuple(_of(connection, identifier)))


def _of(connection: Connection, identifier: str) -> list[Approval]:
    query = select(_approvals).where(_approvals.c.request == identifier).order_by(_approvals.c.position)
    return [
        Approval(
            officer=row.officer,
            digest=row.digest,
            at=moment(row.at),
            assurance=row.assurance,
            zone=row.zone,
            void=row.void,
        )
        for row in connection.execute(query)
    ]


def _void(connection: Connection, identifier: str, officers: Sequence[str]) -> None:
    if officers:
        query = update(_approvals).where(_approvals.c.request == identifier, _approvals.c.officer.in_(officers))
        connection.execute(query.values(void=True))


def _change(connection: Connection, identifier: str, stages: Sequence[Stage], values: dict[str, Any]) -> None:
    query = update(_requests).where(_requests.c.id == identifier, _requests.c.stage.in_(stages))
    if connection.execute(query.values(values)).rowcount:
        return
    _one(connection, identifier)
    raise RequestOver


def _ended(ending: Ending) -> dict[str, Any]:
    return {
        "stage": ending.stage,
        "closed_by": ending.by,
        "reason": ending.reason,
        "closed": seconds(ending.at),
        "open_key": None,
    }


def _row(asked: Asked) -> dict[str, Any]:
    return {
        "id": asked.id,
        "stage": asked.stage,
        "profile": asked.profile,
        "subject": asked.subject,
        "organisation": asked.organisation,
        "name": asked.name,
        "asker": asked.asker,
        "csr": asked.csr,
        "key_hash": asked.key_hash,
        "at": seconds(asked.at),
        "expires": seconds(asked.expires),
        "evidence": asked.evidence or "",
        "reference": asked.reference,
        "evidence_by": asked.evidence_by,
        "closed_by": asked.closed_by,
        "reason": asked.reason,
        "failure": asked.failure,
        "serial": asked.serial,
    }


def _asked(row: Any) -> Asked:
    return Asked(
        id=row.id,
        position=row.position,
        stage=Stage(row.stage),
        profile=row.profile,
        subject=row.subject,
        organisation=row.organisation,
        name=row.name,
        asker=row.asker,
        csr=row.csr,
        key_hash=row.key_hash,
        at=moment(row.at),
        expires=moment(row.expires),
        evidence=Evidence(row.evidence) if row.evidence else None,
        reference=row.reference,
        evidence_by=row.evidence_by,
        closed_by=row.closed_by,
        reason=row.reason,
        closed=moment(row.closed) if row.closed is not None else None,
        failure=row.failure,
        serial=row.serial,
    )
