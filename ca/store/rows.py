# SPDX-License-Identifier: Apache-2.0
"""Rows of certificates, with what was withdrawn of them, and the models they become."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from core.db import Database

from ..errors import NoSuchCertificate
from ..models import Certificate, Reason, Standing, State
from .tables import certificates, moment, revocations

# Built once: composing a statement costs as much as running it.
_STANDING = (
    select(
        certificates.c.issuer,
        certificates.c.state,
        certificates.c.not_after,
        revocations.c.standing.label("withdrawn"),
        revocations.c.reason.label("why"),
        revocations.c.at.label("changed"),
    )
    .outerjoin(revocations, certificates.c.serial == revocations.c.serial)
    .where(certificates.c.serial == bindparam("this"))
)

# The same in SQLite's own words, for the thousands of OCSP questions a second that carry a nonce.
_LOOK_UP = (
    "SELECT c.issuer, c.state, c.not_after, r.standing, r.reason, r.at FROM certificates c "
    "LEFT JOIN revocations r ON r.serial = c.serial WHERE c.serial = ?"
)


@dataclass(frozen=True, kw_only=True)
class StoredStanding:
    """What an OCSP answer is made of."""

    issuer: str
    standing: Standing
    not_after: datetime
    changed: datetime | None
    reason: Reason | None


def standing(database: Database, serial: str) -> StoredStanding | None:
    """What a serial is worth; None if it was never used."""
    if database.engine.dialect.name == "sqlite":
        rows = database.look_up(_LOOK_UP, (serial,))
    else:
        with database.reading() as connection:
            rows = [tuple(row) for row in connection.execute(_STANDING, {"this": serial})]
    for issuer, state, not_after, withdrawn, why, changed in rows:
        return StoredStanding(
            issuer=issuer,
            standing=_standing(State(state), withdrawn),
            not_after=moment(not_after),
            changed=moment(changed) if changed is not None else None,
            reason=Reason(why) if why else None,
        )
    return None


def joined() -> Select[Any]:
    """Certificates, each with what was withdrawn of it."""
    return select(
        certificates,
        revocations.c.standing.label("withdrawn"),
        revocations.c.reason.label("why"),
        revocations.c.at.label("changed"),
    ).outerjoin(revocations, certificates.c.serial == revocations.c.serial)


def one(connection: Connection, serial: str) -> Certificate:
    """One certificate.

    Raises:
        NoSuchCertificate: the serial was never used.
    """
    row = connection.execute(joined().where(certificates.c.serial == serial)).one_or_none()
    if row is None:
        raise NoSuchCertificate
    return certificate(row)


def lock(connection: Connection, serial: str) -> str:
    """Hold one certificate until the transaction ends; the hash of its key.

    SQLite has the write lock already. PostgreSQL needs the row's, and in a statement of its own: what a waiting
    statement joined to the row before it waited is old.

    Raises:
        NoSuchCertificate: the serial was never used.
    """
    query = select(certificates.c.key_hash).where(certificates.c.serial == serial).with_for_update()
    held = connection.execute(query).scalar_one_or_none()
    if held is None:
        raise NoSuchCertificate
    return str(held)


def certificate(row: Any) -> Certificate:
    """The model of a joined row."""
    state = State(row.state)
    return Certificate(
        serial=row.serial,
        issuer=row.issuer,
        profile=row.profile,
        subject=row.subject,
        name=row.name,
        state=state,
        standing=_standing(state, row.withdrawn),
        actor=row.actor,
        created=moment(row.created),
        not_before=moment(row.not_before),
        not_after=moment(row.not_after),
        der=row.der,
        changed=moment(row.changed) if row.changed is not None else None,
        reason=Reason(row.why) if row.why else None,
        shard=row.shard,
    )


def _standing(state: State, withdrawn: str | None) -> Standing:
    if state in (State.RESERVED, State.ABANDONED):
        return Standing.UNKNOWN
    if withdrawn is not None:
        return Standing(withdrawn)
    return Standing.POSSIBLY_ISSUED if state is State.INTENDED else Standing.GOOD
