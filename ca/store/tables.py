# SPDX-License-Identifier: Apache-2.0
"""The authority's tables, and what every part of the store does with a connection."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import BigInteger, Boolean, Column, Connection, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.dialects import postgresql, sqlite

from core.db import Database, Outbox

_metadata = MetaData()
certificates = Table(
    "certificates",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("serial", String(40)),
    Column("issuer", String(32)),
    Column("profile", String(32)),
    Column("subject", String(128)),
    Column("actor", String(128)),
    Column("state", String(16)),
    Column("created", BigInteger),
    Column("name", String(64)),
    Column("not_before", BigInteger),
    Column("not_after", BigInteger),
    Column("key_hash", String(64)),
    Column("tbs", LargeBinary),
    Column("commitment_key", LargeBinary),
    Column("der", LargeBinary),
    Column("reaped", Boolean),
    # Which of its issuer's lists it stands on once withdrawn, as its own bytes say; 0: only on the whole.
    Column("shard", Integer),
)
keys = Table(
    "keys",
    _metadata,
    # SHA-256 of the subjectPublicKeyInfo, hexadecimal.
    Column("hash", String(64), primary_key=True),
    # Whom the key vouches for: a signature must have one owner.
    Column("subject", String(128)),
    # When it was found to be compromised; no value while it is not.
    Column("blocked", BigInteger),
)
revocations = Table(
    "revocations",
    _metadata,
    Column("serial", String(40), primary_key=True),
    Column("issuer", String(32)),
    Column("standing", String(16)),
    Column("reason", String(32)),
    Column("at", BigInteger),
    Column("not_after", BigInteger),
    Column("shard", Integer),
    # Of the shard, when this was put in; a delta holds what is newer than its base.
    Column("revision", BigInteger),
    # As it stands on lists, DER; empty in rows of older releases.
    Column("entry", LargeBinary),
)
releases = Table(
    "releases",
    _metadata,
    Column("serial", String(40), primary_key=True),
    Column("issuer", String(32)),
    Column("shard", Integer),
    Column("revision", BigInteger),
    Column("at", BigInteger),
    Column("entry", LargeBinary),
)
shards = Table(
    "shards",
    _metadata,
    Column("issuer", String(32), primary_key=True),
    Column("shard", Integer, primary_key=True),
    # How often something changed on its lists.
    Column("revision", BigInteger),
    # Which attempt makes a list now, and until when it is left alone, in milliseconds.
    Column("holder", String(32)),
    Column("held_until", BigInteger),
)
lists = Table(
    "lists",
    _metadata,
    Column("issuer", String(32), primary_key=True),
    Column("shard", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("revision", BigInteger),
    # The number of the full list that a delta continues; no value in a full list.
    Column("base", BigInteger),
    Column("made", BigInteger),
    Column("until", BigInteger),
    # Empty in full lists that another replaced; a delta may still continue them.
    Column("der", LargeBinary),
    # In a whole list that deltas continue: the revision of each shard when it was made, as JSON.
    Column("parts", Text),
)
publications = Table(
    "publications",
    _metadata,
    # The branch of the directory, and whose entry.
    Column("kind", String(16), primary_key=True),
    Column("id", String(128), primary_key=True),
    # When it has to be looked at.
    Column("due", BigInteger),
    # How often it was touched.
    Column("revision", BigInteger),
    # Since when a change waits to be shown; no value when none does.
    Column("waiting", BigInteger),
    Column("refused", Boolean),
)
heard = Table(
    "heard",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("position", BigInteger),
)
withheld = Table(
    "withheld",
    _metadata,
    Column("serial", String(40), primary_key=True),
    # Whose account is shut.
    Column("subject", String(128)),
)
outbox = Outbox(_metadata)


@dataclass(frozen=True, kw_only=True)
class Note:
    """An encoded event for the outbox, with its idempotency key."""

    key: str
    body: bytes


Together = Callable[[Connection], None]
"""What somebody else wants committed with a change, or not at all: a note of a list that the change ticks off."""


class Part:
    """One part of the store; all parts share a database."""

    def __init__(self, database: Database) -> None:
        self._database = database


def put(connection: Connection, *notes: Note) -> None:
    """Queue records with the change that they tell of."""
    outbox.put_all(connection, [(note.key, note.body) for note in notes])


def insert_or(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can say what happens if the row is there; both databases have it, each in its own words."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def seconds(at: datetime) -> int:
    """A moment as it is stored."""
    return int(at.timestamp())


def moment(stored: int) -> datetime:
    """The reverse."""
    return datetime.fromtimestamp(stored, UTC)
