# SPDX-License-Identifier: Apache-2.0
"""One-time values: each kind in its own table with its own verbs, each used up by one conditional statement.

Exactly one of many callers succeeds, in whatever process it runs; no kind passes for another.
"""

from typing import TypeVar

from sqlalchemy import Connection, Row, Table, and_, delete, insert, update

from audit import Event, encode_event
from core.db import Database

from ..models import Code, Presented, Pushed, RefreshToken
from . import families, rows, upsert
from .grants import held
from .tables import CODES, OUTBOX, PUSHED, REFRESH_TOKENS

V = TypeVar("V")
# Built once, with the values beside it.
_PUT_REFRESH_TOKEN = insert(REFRESH_TOKENS)


class CodeRows:
    """The table ``codes``; families bring theirs with them (``GrantRows.issue``)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, digest: str, at: int) -> Presented[Code] | None:
        """A code and its family, standing or not."""
        with self._database.reading() as connection:
            row = connection.execute(families.PRESENTED_CODE, {"digest": digest, "at": at}).one_or_none()
        return presented(row, rows.code_of(row, "codes_")) if row else None

    def consume(self, code: Code, *, refresh: RefreshToken | None, at: int, outcome: Event) -> bool:
        """Use a code up, if its family stands, and keep the refresh token that follows."""
        with self._database.transaction() as connection:
            if not held(connection, code.grant_id, at) or not _used_up(connection, CODES, code.digest, at):
                return False
            if refresh is not None:
                connection.execute(_PUT_REFRESH_TOKEN, rows.refresh_token_values(refresh))
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))
        return True


class RefreshTokenRows:
    """The table ``refresh_tokens``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, digest: str, at: int) -> Presented[RefreshToken] | None:
        """A refresh token and its family, standing or not."""
        with self._database.reading() as connection:
            row = connection.execute(families.PRESENTED_REFRESH_TOKEN, {"digest": digest, "at": at}).one_or_none()
        return presented(row, rows.refresh_token_of(row, "refresh_tokens_")) if row else None

    def consume(self, token: RefreshToken, *, successor: RefreshToken, at: int, outcome: Event) -> bool:
        """Use a refresh token up, if its family stands, and keep the one that follows."""
        with self._database.transaction() as connection:
            if not held(connection, token.grant_id, at) or not _used_up(connection, REFRESH_TOKENS, token.digest, at):
                return False
            connection.execute(_PUT_REFRESH_TOKEN, rows.refresh_token_values(successor))
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))
        return True


class PushedRows:
    """The table ``pushed``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, pushed: Pushed) -> None:
        """Keep a request until its browser comes."""
        with self._database.transaction() as connection:
            connection.execute(insert(PUSHED).values(**rows.pushed_values(pushed)))

    def consume(self, digest: str, client_id: str, at: int) -> Pushed | None:
        """Take it away, for the client that pushed it."""
        chosen = and_(PUSHED.c.digest == digest, PUSHED.c.client_id == client_id, PUSHED.c.expires_at > at)
        with self._database.transaction() as connection:
            row = connection.execute(delete(PUSHED).where(chosen).returning(*PUSHED.c)).one_or_none()
        return rows.pushed_of(row) if row else None


class SeenRows:
    """One table of identifiers that others chose: ``assertions`` or ``proofs``."""

    def __init__(self, database: Database, table: Table) -> None:
        self._database = database
        self._table = table

    def consume(self, name: str, expires_at: int) -> bool:
        """Remember that one came, until it could not come again; False if it had come before."""
        with self._database.transaction() as connection:
            return upsert.ensure(connection, self._table, {"id": name, "expires_at": expires_at})


def _used_up(connection: Connection, table: Table, digest: str, at: int) -> bool:
    unused = and_(table.c.digest == digest, table.c.used_at.is_(None), table.c.expires_at > at)
    return connection.execute(update(table).where(unused).values(used_at=at)).rowcount == 1


def presented(row: Row[tuple[object, ...]], value: V) -> Presented[V]:
    """A value with everything its redemption depends on, from one of the statements of ``families``."""
    return Presented(
        value=value,
        grant=rows.grant_of(row, "grants_"),
        stands=bool(row.stands),
        session_ends_at=row.session_ends_at or 0,
        consent=rows.consent_of(row, "consents_") if row.consents_subject else None,
    )
