# SPDX-License-Identifier: Apache-2.0
"""How far an issuance came: intended, signed, delivered; or abandoned."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlalchemy.exc import IntegrityError

from core.errors import TallygateError

from ..errors import AlreadyRevoked, SerialTaken
from ..models import Certificate, Reason, Standing, State
from . import keys, publications, standings
from .rows import certificate, joined
from .tables import Note, Part, certificates, put, seconds

# Built once: composing a statement costs as much as running it.
_TAKE = insert(certificates)
_SIGN = (
    update(certificates)
    .where(certificates.c.serial == bindparam("this"), certificates.c.state == State.INTENDED)
    # The bytes that were signed stand in the certificate; the store would grow by half for keeping them twice.
    .values(state=State.SIGNED, der=bindparam("der"), tbs=b"")
    .returning(certificates.c.key_hash)
)
_DELIVER = (
    update(certificates)
    .where(certificates.c.serial == bindparam("this"), certificates.c.state == State.SIGNED)
    .values(state=State.DELIVERED)
)


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What is stored before a signature."""

    serial: str
    issuer: str
    profile: str
    subject: str
    actor: str
    at: datetime
    name: str
    not_before: datetime
    not_after: datetime
    key_hash: str
    tbs: bytes
    # Key of the commitment that the record holds instead of the bytes.
    commitment_key: bytes
    # Which revocation list its bytes name.
    shard: int = 0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What is stored after one."""

    serial: str
    der: bytes
    note: Note
    # The record of its revocation, should its key have been reported as compromised since the intent.
    if_blocked: Note
    at: datetime
    # The entry of the directory that will show it.
    shown: publications.Entry | None = None


class Issuances(Part):
    """The states of issuances."""

    def intend(self, intent: Intent) -> None:
        """Take the serial and the key, and store what is about to be signed, in one transaction.

        Raises:
            SerialTaken: it is taken.
            KeyRefused: the key is compromised, or vouches for somebody else.
        """
        try:
            with self._database.transaction() as connection:
                keys.claim(connection, intent.key_hash, subject=intent.subject)
                connection.execute(_TAKE, row_of(intent))
        except IntegrityError as error:
            raise SerialTaken from error

    def intend_all(self, intents: Sequence[Intent]) -> dict[str, TallygateError]:
        """The same of many in one transaction; by serial, what ``intend`` would raise of those that were refused.

        Raises:
            SerialTaken: one is taken; nothing was stored.
        """
        refused: dict[str, TallygateError] = {}
        # Whoever takes several keys takes them in one order, so that no two wait for each other.
        ordered = sorted(intents, key=lambda each: each.key_hash)
        try:
            with self._database.transaction() as connection:
                refusals = keys.claim_all(connection, [(each.key_hash, each.subject) for each in ordered])
                for intent, refusal in zip(ordered, refusals, strict=True):
                    if refusal is not None:
                        refused[intent.serial] = refusal
                rows = [row_of(each) for each in intents if each.serial not in refused]
                if rows:
                    connection.execute(_TAKE, rows)
        except IntegrityError as error:
            raise SerialTaken from error
        return refused

    def signed(self, outcomes: Sequence[Outcome], *, delivered: Sequence[str] = ()) -> frozenset[str]:
        """Store certificates and the records of their outcome, together; and say which others were handed over.

        A key that was reported as compromised since the intent makes it a revoked certificate in the same
        transaction, with ``if_blocked`` as the record of that. Returns the serials of those that are good.

        Raises:
            SerialTaken: the reaper of another process took one for dead; it and all others stay as they were.
        """
        good = []
        with self._database.transaction() as connection:
            hashes = {}
            for each in outcomes:
                row = connection.execute(_SIGN, {"this": each.serial, "der": each.der}).one_or_none()
                if row is None:
                    raise SerialTaken
                hashes[each.serial] = row.key_hash
            put(connection, *(each.note for each in outcomes))
            if delivered:
                connection.execute(_DELIVER, [{"this": each} for each in delivered])
            blocked = keys.blocked(connection, sorted(hashes.values()))
            for each in outcomes:
                if hashes[each.serial] not in blocked:
                    good.append(each.serial)
                    if each.shown is not None:
                        publications.touch(connection, each.shown, at=each.at)
                    continue
                # An officer may have revoked it while it was only intended.
                with suppress(AlreadyRevoked):
                    standings.withdraw(
                        connection,
                        each.serial,
                        standing=Standing.REVOKED,
                        reason=Reason.KEY_COMPROMISE,
                        at=each.at,
                        note=each.if_blocked,
                    )
        return frozenset(good)

    def deliver(self, serials: Sequence[str]) -> None:
        """Say that the callers have them."""
        with self._database.transaction() as connection:
            connection.execute(_DELIVER, [{"this": each} for each in serials])

    def abandon(self, serial: str, note: Note | None) -> None:
        """End an issuance whose certificate was not signed; its key is free again if nothing else uses it."""
        ended = update(certificates).where(
            certificates.c.serial == serial, certificates.c.state.in_([State.RESERVED, State.INTENDED])
        )
        with self._database.transaction() as connection:
            given_up = connection.execute(
                ended.values(state=State.ABANDONED).returning(certificates.c.key_hash)
            ).scalar_one_or_none()
            if given_up:
                keys.give_up(connection, given_up)
            if note is not None:
                put(connection, note)

    def stale(self, before: datetime, *, limit: int = 256) -> list[Certificate]:
        """Issuances that began before that moment, did not end and were not yet reported."""
        query = joined().where(
            certificates.c.state.in_([State.RESERVED, State.INTENDED]),
            certificates.c.created < seconds(before),
            certificates.c.reaped.is_(False),
        )
        with self._database.reading() as connection:
            return [certificate(row) for row in connection.execute(query.limit(limit))]

    def reap(self, serial: str, note: Note) -> None:
        """Keep a stale intent as possibly issued, and say so once."""
        with self._database.transaction() as connection:
            query = update(certificates).where(certificates.c.serial == serial, certificates.c.reaped.is_(False))
            if connection.execute(query.values(reaped=True)).rowcount:
                put(connection, note)


def row_of(intent: Intent) -> dict[str, Any]:
    """The row of an intent."""
    return {
        "serial": intent.serial,
        "issuer": intent.issuer,
        "profile": intent.profile,
        "subject": intent.subject,
        "actor": intent.actor,
        "state": State.INTENDED,
        "created": seconds(intent.at),
        "name": intent.name,
        "not_before": seconds(intent.not_before),
        "not_after": seconds(intent.not_after),
        "key_hash": intent.key_hash,
        "tbs": intent.tbs,
        "commitment_key": intent.commitment_key,
        "der": b"",
        "reaped": False,
        "shard": intent.shard,
    }
