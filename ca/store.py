# SPDX-License-Identifier: Apache-2.0
"""Serials and their states, revocations, revocation lists: rows in, models out.

A serial is taken before anything is signed; the bytes about to be signed are stored before the key is touched. Every
change of standing commits together with its record in the outbox.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from core.db import Database, Drain, Outbox

from .errors import AlreadyRevoked, AlreadySuspended, NoSuchCertificate, NotSuspended, SerialTaken
from .models import Certificate, Reason, Standing, State
from .x509.lists import Withdrawn

_metadata = MetaData()
_certificates = Table(
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
)
_revocations = Table(
    "revocations",
    _metadata,
    Column("serial", String(40), primary_key=True),
    Column("issuer", String(32)),
    Column("standing", String(16)),
    Column("reason", String(32)),
    Column("at", BigInteger),
    Column("not_after", BigInteger),
)
_revisions = Table(
    "revisions", _metadata, Column("issuer", String(32), primary_key=True), Column("revision", BigInteger)
)
_crls = Table(
    "crls",
    _metadata,
    Column("issuer", String(32), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("revision", BigInteger),
    Column("made", BigInteger),
    Column("until", BigInteger),
    Column("der", LargeBinary),
)
_outbox = Outbox(_metadata)


_MOST_KEY_USES = 1000


class Objection(StrEnum):
    """What speaks against a key."""

    # It was revoked as lost or stolen.
    COMPROMISED = "compromised"
    # It vouches for somebody else already: a signature must have one owner.
    ANOTHERS = "anothers"


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What is stored before a signature."""

    serial: str
    name: str
    not_before: datetime
    not_after: datetime
    key_hash: str
    tbs: bytes
    # Key of the commitment that the record holds instead of the bytes.
    commitment_key: bytes


@dataclass(frozen=True, kw_only=True)
class Note:
    """An encoded event for the outbox, with its idempotency key."""

    key: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class KeptList:
    """A revocation list as it was published."""

    number: int
    revision: int
    made: datetime
    until: datetime
    der: bytes


class Store:
    """The authority's own tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Records on their way to the log.
        self.outbox = Drain(database, _outbox)

    def check(self) -> None:
        """Whether the database answers."""
        self._database.check()

    # Issuance: reserved, intended, signed, delivered; or abandoned.

    def reserve(self, serial: str, *, issuer: str, profile: str, subject: str, actor: str, at: datetime) -> None:
        """Take a serial.

        Raises:
            SerialTaken: it is taken.
        """
        try:
            with self._database.transaction() as connection:
                connection.execute(
                    insert(_certificates).values(
                        serial=serial,
                        issuer=issuer,
                        profile=profile,
                        subject=subject,
                        actor=actor,
                        state=State.RESERVED,
                        created=_seconds(at),
                        name="",
                        not_before=0,
                        not_after=0,
                        key_hash="",
                        tbs=b"",
                        commitment_key=b"",
                        der=b"",
                        reaped=False,
                    )
                )
        except IntegrityError as error:
            raise SerialTaken from error

    def intend(self, intent: Intent) -> None:
        """Store what is about to be signed."""
        with self._database.transaction() as connection:
            _advance(
                connection,
                intent.serial,
                State.RESERVED,
                state=State.INTENDED,
                name=intent.name,
                not_before=_seconds(intent.not_before),
                not_after=_seconds(intent.not_after),
                key_hash=intent.key_hash,
                tbs=intent.tbs,
                commitment_key=intent.commitment_key,
            )

    def signed(self, serial: str, der: bytes, note: Note) -> None:
        """Store the certificate and the record of its outcome, together."""
        with self._database.transaction() as connection:
            _advance(connection, serial, State.INTENDED, state=State.SIGNED, der=der)
            _put(connection, note)

    def deliver(self, serial: str) -> None:
        """Say that the caller has it."""
        with self._database.transaction() as connection:
            _advance(connection, serial, State.SIGNED, state=State.DELIVERED)

    def abandon(self, serial: str, note: Note | None) -> None:
        """End an issuance whose key was not touched."""
        with self._database.transaction() as connection:
            query = update(_certificates).where(
                _certificates.c.serial == serial, _certificates.c.state.in_([State.RESERVED, State.INTENDED])
            )
            connection.execute(query.values(state=State.ABANDONED))
            if note is not None:
                _put(connection, note)

    def stale(self, before: datetime, *, limit: int = 256) -> list[Certificate]:
        """Issuances that began before that moment, did not end and were not yet reported."""
        query = _joined().where(
            _certificates.c.state.in_([State.RESERVED, State.INTENDED]),
            _certificates.c.created < _seconds(before),
            _certificates.c.reaped.is_(False),
        )
        with self._database.reading() as connection:
            return [_certificate(row) for row in connection.execute(query.limit(limit))]

    def reap(self, serial: str, note: Note) -> None:
        """Keep a stale intent as possibly issued, and say so once."""
        with self._database.transaction() as connection:
            query = update(_certificates).where(_certificates.c.serial == serial, _certificates.c.reaped.is_(False))
            if connection.execute(query.values(reaped=True)).rowcount:
                _put(connection, note)

    # Lookup.

    def certificate(self, serial: str) -> Certificate:
        """One serial.

        Raises:
            NoSuchCertificate: never used.
        """
        with self._database.reading() as connection:
            return _one(connection, serial)

    def certificates(
        self, *, subject: str = "", name: str = "", key_hash: str = "", before: int = 0, limit: int = 50
    ) -> tuple[list[Certificate], int]:
        """The newest certificates of a subject, name (by its beginning) or key; and where the next page begins."""
        query = _joined().where(_certificates.c.state != State.RESERVED).order_by(_certificates.c.position.desc())
        if subject:
            query = query.where(_certificates.c.subject == subject)
        if name:
            query = query.where(_certificates.c.name.startswith(name, autoescape=True))
        if key_hash:
            query = query.where(_certificates.c.key_hash == key_hash)
        if before:
            query = query.where(_certificates.c.position < before)
        with self._database.reading() as connection:
            rows = list(connection.execute(query.limit(limit + 1)))
        more = rows[limit - 1].position if len(rows) > limit else 0
        return [_certificate(row) for row in rows[:limit]], more

    def objection_to_key(self, key_hash: str, *, subject: str) -> Objection | None:
        """Why a key must not be certified for a subject."""
        known = _joined().where(_certificates.c.key_hash == key_hash, _certificates.c.state != State.ABANDONED)
        with self._database.reading() as connection:
            rows = list(connection.execute(known.limit(_MOST_KEY_USES)))
        if any(row.why == Reason.KEY_COMPROMISE for row in rows):
            return Objection.COMPROMISED
        return Objection.ANOTHERS if any(row.subject != subject for row in rows) else None

    # Standing.

    def withdraw(self, serial: str, *, standing: Standing, reason: Reason, at: datetime, note: Note) -> Certificate:
        """Suspend or revoke, with the record of it, and make the issuer's list stale.

        Raises:
            NoSuchCertificate: never used, or nothing can have been signed with it.
            AlreadyRevoked: that is final.
            AlreadySuspended: it is suspended and shall be suspended.
        """
        with self._database.transaction() as connection:
            found = _one(connection, serial, lock=True)
            if found.standing is Standing.UNKNOWN:
                raise NoSuchCertificate
            if found.standing is Standing.REVOKED:
                raise AlreadyRevoked
            if found.standing is Standing.SUSPENDED and standing is Standing.SUSPENDED:
                raise AlreadySuspended
            connection.execute(delete(_revocations).where(_revocations.c.serial == serial))
            connection.execute(
                insert(_revocations).values(
                    serial=serial,
                    issuer=found.issuer,
                    standing=standing,
                    reason=reason,
                    at=_seconds(at),
                    not_after=_seconds(found.not_after),
                )
            )
            _touch(connection, found.issuer)
            _put(connection, note)
            return found

    def release(self, serial: str, *, note: Note) -> None:
        """End a suspension.

        Raises:
            NoSuchCertificate: never used.
            AlreadyRevoked: that is final.
            NotSuspended: nothing to end.
        """
        with self._database.transaction() as connection:
            found = _one(connection, serial, lock=True)
            require_suspended(found)
            connection.execute(delete(_revocations).where(_revocations.c.serial == serial))
            _touch(connection, found.issuer)
            _put(connection, note)

    def withdrawn(self, issuer: str, *, alive_after: datetime) -> tuple[list[Withdrawn], int]:
        """What belongs on the issuer's list, without certificates that expired before; and the list's revision."""
        query = select(_revocations).where(
            _revocations.c.issuer == issuer, _revocations.c.not_after >= _seconds(alive_after)
        )
        with self._database.reading() as connection:
            # The revision first: should a change slip between the two, the list is made again, never kept stale.
            revision = _revision(connection, issuer)
            return [_withdrawn(row) for row in connection.execute(query.order_by(_revocations.c.serial))], revision

    # Revocation lists.

    def newest_list(self, issuer: str) -> tuple[KeptList | None, int]:
        """The list published last, and the revision a fresh one would have."""
        query = select(_crls).where(_crls.c.issuer == issuer).order_by(_crls.c.number.desc()).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
            kept = row and KeptList(
                number=row.number, revision=row.revision, made=_time(row.made), until=_time(row.until), der=row.der
            )
            return kept or None, _revision(connection, issuer)

    def keep_list(self, issuer: str, kept: KeptList) -> bool:
        """Publish a list; False if another process published one of that number first."""
        try:
            with self._database.transaction() as connection:
                connection.execute(
                    insert(_crls).values(
                        issuer=issuer,
                        number=kept.number,
                        revision=kept.revision,
                        made=_seconds(kept.made),
                        until=_seconds(kept.until),
                        der=kept.der,
                    )
                )
                connection.execute(delete(_crls).where(_crls.c.issuer == issuer, _crls.c.number < kept.number - 1))
        except IntegrityError:
            return False
        return True

    # Outbox.

    def outbox_put(self, note: Note) -> None:
        """Queue a record that goes with no other change."""
        with self._database.transaction() as connection:
            _put(connection, note)


def require_suspended(found: Certificate) -> None:
    """The rule of release.

    Raises:
        AlreadyRevoked: that is final.
        NotSuspended: nothing to end.
    """
    if found.standing is Standing.REVOKED:
        raise AlreadyRevoked
    if found.standing is not Standing.SUSPENDED:
        raise NotSuspended


def _put(connection: Connection, note: Note) -> None:
    _outbox.put(connection, key=note.key, body=note.body)


def _advance(connection: Connection, serial: str, expected: State, **values: Any) -> None:
    query = update(_certificates).where(_certificates.c.serial == serial, _certificates.c.state == expected)
    if connection.execute(query.values(**values)).rowcount != 1:
        # The reaper of another process took this issuance for dead; it stays as that one left it.
        raise SerialTaken


def _joined() -> Select[Any]:
    return select(
        _certificates,
        _revocations.c.standing.label("withdrawn"),
        _revocations.c.reason.label("why"),
        _revocations.c.at.label("changed"),
    ).outerjoin(_revocations, _certificates.c.serial == _revocations.c.serial)


def _one(connection: Connection, serial: str, *, lock: bool = False) -> Certificate:
    query = _joined().where(_certificates.c.serial == serial)
    if lock:
        # SQLite has the write lock already; PostgreSQL needs the row's.
        query = query.with_for_update(of=_certificates)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NoSuchCertificate
    return _certificate(row)


def _certificate(row: Any) -> Certificate:
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
        created=_time(row.created),
        not_before=_time(row.not_before),
        not_after=_time(row.not_after),
        der=row.der,
        changed=_time(row.changed) if row.changed is not None else None,
        reason=Reason(row.why) if row.why else None,
    )


def _standing(state: State, withdrawn: str | None) -> Standing:
    if state in (State.RESERVED, State.ABANDONED):
        return Standing.UNKNOWN
    if withdrawn is not None:
        return Standing(withdrawn)
    return Standing.POSSIBLY_ISSUED if state is State.INTENDED else Standing.GOOD


def _withdrawn(row: Any) -> Withdrawn:
    return Withdrawn(
        serial=int(row.serial, 16), standing=Standing(row.standing), at=_time(row.at), reason=Reason(row.reason)
    )


def _revision(connection: Connection, issuer: str) -> int:
    query = select(func.coalesce(func.max(_revisions.c.revision), 0)).where(_revisions.c.issuer == issuer)
    return int(connection.execute(query).scalar_one())


def _touch(connection: Connection, issuer: str) -> None:
    query = update(_revisions).where(_revisions.c.issuer == issuer).values(revision=_revisions.c.revision + 1)
    if not connection.execute(query).rowcount:
        connection.execute(insert(_revisions).values(issuer=issuer, revision=1))


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
