# SPDX-License-Identifier: Apache-2.0
"""The table of accounts at portals: each row is changed only by whoever names the version that it has."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from core.db import Database

from .models import Account, Stage

_metadata = MetaData()
_accounts = Table(
    "portal_accounts",
    _metadata,
    Column("portal", String(64), primary_key=True),
    Column("subject", String(36), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("remote", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("groups", Text, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failed", String(32), nullable=False),
    Index("portal_accounts_due", "portal", "due"),
)
_portals = Table(
    "portal_standings",
    _metadata,
    Column("portal", String(64), primary_key=True),
    # When everybody was last compared, in epoch seconds, and how many accounts the portal has that are not ours.
    Column("compared", BigInteger, nullable=False),
    Column("strangers", Integer, nullable=False),
)
_AT_ONCE = 50


class Ledger:
    """Rows in, accounts out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, portal: str, subjects: Iterable[str], *, at: int) -> None:
        """Let these be looked at now; noting twice changes nothing else."""
        with self._database.transaction() as connection:
            for subject in subjects:
                row = _is(portal, subject)
                now = {"due": at, "version": _accounts.c.version + 1}
                if not connection.execute(update(_accounts).where(*row).values(**now)).rowcount:
                    fresh = Account(portal=portal, subject=subject, version=1, due=at)
                    connection.execute(insert(_accounts).values(**_values(fresh), portal=portal, subject=subject))

    def due(self, portal: str, *, at: int) -> list[Account]:
        """What is to be looked at, longest due first; some of it, if there is much."""
        query = select(_accounts).where(_accounts.c.portal == portal, _accounts.c.due > 0, _accounts.c.due <= at)
        return self._some(query.order_by(_accounts.c.due, _accounts.c.subject).limit(_AT_ONCE))

    def waits(self, portal: str, codes: Iterable[str], *, at: int) -> bool:
        """Whether something that failed with one of these codes waits for its next turn."""
        mine = (_accounts.c.portal == portal, _accounts.c.due > at, _accounts.c.failed.in_(sorted(codes)))
        with self._database.reading() as connection:
            return connection.execute(select(_accounts.c.subject).where(*mine).limit(1)).first() is not None

    def failing(self, portal: str) -> list[Account]:
        """What the portal did not take, those tried most often first; some of it, if there is much."""
        query = select(_accounts).where(_accounts.c.portal == portal, _accounts.c.attempts > 0)
        return self._some(query.order_by(_accounts.c.attempts.desc(), _accounts.c.subject).limit(_AT_ONCE))

    def of(self, subject: str) -> list[Account]:
        """Where somebody has an account."""
        return self._some(select(_accounts).where(_accounts.c.subject == subject).order_by(_accounts.c.portal))

    def count(self, portal: str) -> dict[Stage, int]:
        """How many there are at each stage."""
        query = select(_accounts.c.stage, func.count()).where(_accounts.c.portal == portal).group_by(_accounts.c.stage)
        with self._database.reading() as connection:
            return {Stage(stage): count for stage, count in connection.execute(query)}

    def pages(self, portal: str, *, after: str) -> list[Account]:
        """Every account, some at a time, in order of subject."""
        query = select(_accounts).where(_accounts.c.portal == portal, _accounts.c.subject > after)
        return self._some(query.order_by(_accounts.c.subject).limit(_AT_ONCE))

    def save(self, connection: Connection, was: Account, now: Account) -> bool:
        """Change a row in somebody's transaction, unless it is another version by now; whether it was."""
        mine = (*_is(was.portal, was.subject), _accounts.c.version == was.version)
        changed = replace(now, version=was.version + 1)
        return bool(connection.execute(update(_accounts).where(*mine).values(**_values(changed))).rowcount)

    def keep(self, was: Account, now: Account) -> bool:
        """The same, in a transaction of its own."""
        with self._database.transaction() as connection:
            return self.save(connection, was, now)

    def learn(self, of: Account, remote: str) -> None:
        """Keep what the portal calls an account, whatever version the row has by now."""
        with self._database.transaction() as connection:
            connection.execute(update(_accounts).where(*_is(of.portal, of.subject)).values(remote=remote))

    def forget(self, of: Account) -> bool:
        """Strike a row out of which nothing came, unless it is another version by now."""
        mine = (*_is(of.portal, of.subject), _accounts.c.version == of.version)
        with self._database.transaction() as connection:
            return bool(connection.execute(delete(_accounts).where(*mine)).rowcount)

    def standing(self, portal: str) -> tuple[int, int]:
        """When everybody was last compared, and how many accounts are not ours."""
        with self._database.reading() as connection:
            row = connection.execute(select(_portals).where(_portals.c.portal == portal)).one_or_none()
        return (row.compared, row.strangers) if row else (0, 0)

    def compared(self, portal: str, *, at: int, strangers: int) -> None:
        """Everybody has been compared."""
        told = {"compared": at, "strangers": strangers}
        with self._database.transaction() as connection:
            known = connection.execute(update(_portals).where(_portals.c.portal == portal).values(**told))
            if not known.rowcount:
                connection.execute(insert(_portals).values(portal=portal, **told))

    def _some(self, query: Any) -> list[Account]:
        with self._database.reading() as connection:
            return [_of(row) for row in connection.execute(query)]


def _is(portal: str, subject: str) -> tuple[Any, Any]:
    return _accounts.c.portal == portal, _accounts.c.subject == subject


def _values(of: Account) -> dict[str, Any]:
    return {
        "version": of.version, "stage": of.stage.value, "remote": of.remote, "digest": of.digest,
        "groups": " ".join(sorted(of.groups)), "due": of.due, "attempts": of.attempts, "failed": of.failed,
    }  # fmt: skip


def _of(row: Row[Any]) -> Account:
    return Account(
        portal=row.portal, subject=row.subject, version=row.version, stage=Stage(row.stage), remote=row.remote,
        digest=row.digest, groups=frozenset(row.groups.split()), due=row.due, attempts=row.attempts, failed=row.failed,
    )  # fmt: skip
