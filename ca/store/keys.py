# SPDX-License-Identifier: Apache-2.0
"""Which public key vouches for whom, and which are known to be compromised; exact and without a race.

One row for each key under a unique index. Whoever certifies a key, gives it up or blocks it holds that row until the
transaction ends, so that two requests for one key, or a request and a report of its loss, come one after the other.
A transaction that holds certificates too takes them first.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, exists, func, select
from sqlalchemy.dialects import postgresql, sqlite

from core.errors import N_

from ..errors import KeyRefused, SerialTaken
from ..models import State
from .tables import certificates, insert_or, keys

_TRIES = 5
# Built once: composing a statement costs as much as running it.
_TAKE = {
    "sqlite": sqlite.insert(keys).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(keys).on_conflict_do_nothing(),
}
_HOLD = select(keys).where(keys.c.hash == bindparam("this")).with_for_update()
_HOLD_ALL = (
    select(keys).where(keys.c.hash.in_(bindparam("these", expanding=True))).order_by(keys.c.hash).with_for_update()
)


def claim(connection: Connection, key_hash: str, *, subject: str) -> None:
    """Take a key for a subject, who may have it already.

    Raises:
        KeyRefused: it is compromised, or vouches for somebody else.
        SerialTaken: others keep giving it up at the same moment; a new attempt will do.
    """
    for _ in range(_TRIES):
        connection.execute(_TAKE[connection.dialect.name], {"hash": key_hash, "subject": subject, "blocked": None})
        row = connection.execute(_HOLD, {"this": key_hash}).one_or_none()
        if row is None:
            # On PostgreSQL the row may have gone between the two statements: its last issuance was abandoned.
            continue
        refusal = _refusal(row, subject)
        if refusal is not None:
            raise refusal
        return
    raise SerialTaken


def claim_all(connection: Connection, wanted: Sequence[tuple[str, str]]) -> list[KeyRefused | None]:
    """Take keys, each for its subject and in this order; what ``claim`` would raise of each that cannot be had.

    Raises:
        SerialTaken: others gave one up at the same moment; a new attempt will do.
    """
    rows = [{"hash": key_hash, "subject": subject, "blocked": None} for key_hash, subject in wanted]
    if rows:
        connection.execute(_TAKE[connection.dialect.name], rows)
    held = {row.hash: row for row in connection.execute(_HOLD_ALL, {"these": [key_hash for key_hash, _ in wanted]})}
    answers: list[KeyRefused | None] = []
    for key_hash, subject in wanted:
        row = held.get(key_hash)
        if row is None:
            # See ``claim``.
            raise SerialTaken
        answers.append(_refusal(row, subject))
    return answers


def blocked(connection: Connection, hashes: Sequence[str]) -> frozenset[str]:
    """Which keys are compromised; until the transaction ends none of the others becomes so."""
    rows = connection.execute(_HOLD_ALL, {"these": list(hashes)})
    return frozenset(row.hash for row in rows if row.blocked is not None)


def is_blocked(connection: Connection, key_hash: str) -> bool:
    """Whether a key is compromised; until the transaction ends it does not become so."""
    row = connection.execute(_HOLD, {"this": key_hash}).one_or_none()
    return row is not None and row.blocked is not None


def block(connection: Connection, key_hash: str, *, subject: str, at: int) -> None:
    """Never certify a key again; the first report counts."""
    known = insert_or(connection, keys).values(hash=key_hash, subject=subject, blocked=at)
    first = func.coalesce(keys.c.blocked, at)
    connection.execute(known.on_conflict_do_update(index_elements=[keys.c.hash], set_={"blocked": first}))


def give_up(connection: Connection, key_hash: str) -> None:
    """Let a key go that no issuance used after all; a blocked one stays."""
    connection.execute(_HOLD, {"this": key_hash})
    used = exists().where(certificates.c.key_hash == key_hash, certificates.c.state != State.ABANDONED)
    connection.execute(delete(keys).where(keys.c.hash == key_hash, keys.c.blocked.is_(None), ~used))


def _refusal(row: Row[Any], subject: str) -> KeyRefused | None:
    if row.blocked is not None:
        return KeyRefused(why=N_("this key is known to be compromised"))
    if row.subject != subject:
        return KeyRefused(why=N_("this key belongs to another holder already"))
    return None
