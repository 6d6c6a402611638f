# SPDX-License-Identifier: Apache-2.0
"""Sessions at hosts and those being opened, what was taken away, how far the news was heard, and the outbox.

Shared by all workers of the role. Whoever can write here can let a known cookie live longer or forget a revocation;
he cannot make an identity, because a session's roles come from the directory and its cookie is stored only hashed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from core.db import Database, Drain, Outbox

from .models import Session

_metadata = MetaData()
_sessions = Table(
    "sessions",
    _metadata,
    Column("digest", String(64), primary_key=True),
    Column("session", String(200), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("acr", Integer, nullable=False),
    Column("methods", String(400), nullable=False),
    Column("host", String(255), nullable=False),
    Column("listener", String(20), nullable=False),
    Column("opened", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("id_token", Text, nullable=False),
    Column("mandate", Text, nullable=False, server_default=""),
    Column("mandate_ends", BigInteger, nullable=False, server_default="0"),
)
_revoked = Table(
    "revoked",
    _metadata,
    Column("kind", String(20), primary_key=True),
    Column("value", String(200), primary_key=True),
    Column("until", BigInteger, nullable=True),
)
# Intents to open a session that have no outcome yet: key and encoded event.
_openings = Table(
    "openings",
    _metadata,
    Column("key", String(64), primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("begun", BigInteger, nullable=False),
)
# Proofs of possession that came, until they could not come again.
_proofs = Table(
    "proofs",
    _metadata,
    Column("id", String(64), primary_key=True),
    Column("until", BigInteger, nullable=False),
)
# Sockets that are open, and the encoded event of their end, as far as it is known beforehand.
_sockets = Table(
    "sockets",
    _metadata,
    Column("key", String(64), primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("opened", BigInteger, nullable=False),
)
_cursor = Table(
    "cursor", _metadata, Column("id", Integer, primary_key=True), Column("next", BigInteger, nullable=False)
)
_outbox = Outbox(_metadata)
_MOST_READ = 16_384
# Asked for by every decision, so built once.
_BY_DIGEST = select(_sessions).where(_sessions.c.digest == bindparam("digest"))
_TOUCH = update(_sessions).where(_sessions.c.digest == bindparam("touched")).values(seen=bindparam("at"))
_PLACE = select(_cursor.c.next).where(_cursor.c.id == 1)
_LOOK_UP = f"SELECT {', '.join(column.name for column in _sessions.c)} FROM sessions WHERE digest = ?"  # noqa: S608 - our own names


class Kind(StrEnum):
    """What can be taken away by name."""

    SESSION = "session"
    SUBJECT = "subject"
    DEVICE = "device"
    GRANT = "grant"
    # Serial, lower-case hexadecimal.
    CERTIFICATE = "certificate"
    # What an emergency switch shuts, as the record names it.
    SWITCH = "switch"
    # The right of one person to act for another: both subjects and what for.
    MANDATE = "mandate"
    # Nothing is: the number of the release of policies that the record announced last.
    RELEASE = "release"
    # One access token, by its ``jti``.
    TOKEN = "token"  # noqa: S105 - a kind of name


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What one entry of the record does to access here: takes something away, or lifts that again."""

    kind: Kind
    value: str
    lifts: bool = False
    # Nothing can depend on it after this; None stands until lifted.
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Note:
    """An encoded event, as it waits for the log, and its key."""

    key: str
    body: bytes


class SessionRevoked(Exception):
    """The sign-on session ended while the gateway's was being opened; nothing was stored."""


class OpeningOver(Exception):
    """The opening took so long that it was taken for dead; nothing was stored."""


class Store:
    """The tables of the gateway."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sqlite = database.engine.dialect.name == "sqlite"
        # Rows as they were read last, each with what was made of it; read anew they are all the same.
        self._sessions: dict[str, tuple[tuple[Any, ...], Session]] = {}
        # Records on their way to the log.
        self.outbox = Drain(database, _outbox)

    def begin_opening(self, intent: Note, *, at: datetime) -> None:
        """Remember that a session is about to be opened, before its intent is recorded."""
        with self._database.transaction() as connection:
            connection.execute(_openings.insert().values(key=intent.key, body=intent.body, begun=_seconds(at)))

    def open_session(
        self,
        session: Session,
        *,
        intent: str,
        outcome: Note,
        replaces: str = "",
        note: Callable[[Session], tuple[str, bytes]] | None = None,
    ) -> None:
        """Keep a session together with its outcome's record, and end the opening that its intent's key names.

        ``replaces`` is the digest of the browser's old cookie; ``note`` makes the record of the session's end that was
        kept by it, if there was one.

        Raises:
            SessionRevoked: its sign-on session, its person or its mandate was taken away meanwhile.
            OpeningOver: the opening has its outcome already.
            OutboxFull: the record cannot keep up.
        """
        with self._database.transaction() as connection:
            hangs_on = (
                (Kind.SESSION, session.session),
                (Kind.SUBJECT, session.subject),
                # Given anew meanwhile, it opens nothing that was begun under the old one.
                (Kind.MANDATE, f"{session.subject} {session.mandate}"),
            )
            taken = or_(*((_revoked.c.kind == kind) & (_revoked.c.value == value) for kind, value in hangs_on))
            # Not beside a worker that applies the news: it would take away what it cannot see yet, and leave it open.
            connection.execute(_PLACE.with_for_update(read=True))
            if connection.execute(select(_revoked.c.kind).where(taken)).first() is not None:
                raise SessionRevoked
            if not _over(connection, intent):
                raise OpeningOver
            if replaces:
                row = connection.execute(_BY_DIGEST, {"digest": replaces}).first()
                gone = connection.execute(delete(_sessions).where(_sessions.c.digest == replaces)).rowcount
                if row is not None and gone and note is not None:
                    key, body = note(_session(row))
                    _outbox.put(connection, key=key, body=body)
            connection.execute(
                _sessions.insert().values(
                    digest=session.digest,
                    session=session.session,
                    subject=session.subject,
                    acr=session.acr,
                    methods=" ".join(session.methods),
                    host=session.host,
                    listener=session.listener,
                    opened=_seconds(session.opened),
                    seen=_seconds(session.seen),
                    id_token=session.id_token,
                    mandate=session.mandate,
                    mandate_ends=session.mandate_ends,
                )
            )
            _outbox.put(connection, key=outcome.key, body=outcome.body)

    def end_opening(self, intent: str, *notes: Note) -> bool:
        """End an opening that opened nothing, with what is to be recorded of it; False if it has its outcome already.

        Raises:
            OutboxFull: the record cannot keep up; the opening stays unfinished.
        """
        with self._database.transaction() as connection:
            ended = _over(connection, intent)
            if ended:
                for note in notes:
                    _outbox.put(connection, key=note.key, body=note.body)
        return ended

    def unfinished_openings(self, *, before: datetime) -> list[Note]:
        """Intents older than this that have no outcome; a few at a time."""
        query = select(_openings).where(_openings.c.begun < _seconds(before)).order_by(_openings.c.begun).limit(100)
        with self._database.reading() as connection:
            return [Note(key=row.key, body=row.body) for row in connection.execute(query)]

    def open_socket(self, end: Note, *, at: datetime) -> None:
        """Remember that a socket is open, with what is to be recorded should this process die before it ends."""
        with self._database.transaction() as connection:
            connection.execute(_sockets.insert().values(key=end.key, body=end.body, opened=_seconds(at)))

    def close_sockets(self, *ends: Note) -> int:
        """Forget sockets together with the records of their ends; how many of them were open.

        Raises:
            OutboxFull: the record cannot keep up; the rows stay for the next start.
        """
        closed = 0
        with self._database.transaction() as connection:
            for end in ends:
                if connection.execute(delete(_sockets).where(_sockets.c.key == end.key)).rowcount:
                    _outbox.put(connection, key=end.key, body=end.body)
                    closed += 1
        return closed

    def open_sockets(self) -> list[Note]:
        """What was open when the keeper died; a few at a time."""
        query = select(_sockets).order_by(_sockets.c.opened, _sockets.c.key).limit(500)
        with self._database.reading() as connection:
            return [Note(key=row.key, body=row.body) for row in connection.execute(query)]

    def session(self, digest: str) -> Session | None:
        """One session, or None."""
        if self._sqlite:
            found = self._database.look_up(_LOOK_UP, (digest,))
            return self._read(digest, found[0]) if found else None
        with self._database.reading() as connection:
            row = connection.execute(_BY_DIGEST, {"digest": digest}).first()
        return None if row is None else _session(row)

    def _read(self, digest: str, row: tuple[Any, ...]) -> Session:
        """The session of a row; the very same as the last time where the row is."""
        known = self._sessions.get(digest)
        if known is not None and known[0] == row:
            return known[1]
        made = _session(row)
        if len(self._sessions) >= _MOST_READ:
            self._sessions.clear()
        self._sessions[digest] = row, made
        return made

    def touch(self, seen: Mapping[str, datetime]) -> None:
        """Remember when sessions were used, by digest; what ended meanwhile stays ended."""
        if not seen:
            return
        values = [{"touched": name, "at": _seconds(at)} for name, at in sorted(seen.items())]
        with self._database.transaction() as connection:
            connection.execute(_TOUCH, values)

    def present(self, *, after: str, limit: int) -> list[str]:
        """People who have a session, in order of subject, behind one; each once."""
        chosen = select(_sessions.c.subject).where(_sessions.c.subject > after).distinct()
        with self._database.reading() as connection:
            found = connection.execute(chosen.order_by(_sessions.c.subject).limit(limit))
            return [str(row.subject) for row in found]

    def end_session(self, digest: str, *, note: Callable[[Session], tuple[str, bytes]]) -> Session | None:
        """Forget one session and return what it was; ``note`` makes the record of it that is kept with the act.

        Raises:
            OutboxFull: the record cannot keep up.
        """
        with self._database.transaction() as connection:
            row = connection.execute(_BY_DIGEST, {"digest": digest}).first()
            gone = connection.execute(delete(_sessions).where(_sessions.c.digest == digest)).rowcount
            # Whoever asks twice at once ends it once.
            ended = _session(row) if row is not None and gone else None
            if ended is not None:
                key, body = note(ended)
                _outbox.put(connection, key=key, body=body)
        return ended

    def forget(self, *, opened_before: datetime, seen_before: datetime, at: datetime) -> None:
        """Drop sessions that are over and revocations nothing depends on."""
        with self._database.transaction() as connection:
            connection.execute(
                delete(_sessions).where(
                    or_(_sessions.c.opened < _seconds(opened_before), _sessions.c.seen < _seconds(seen_before))
                )
            )
            connection.execute(delete(_revoked).where(_revoked.c.until < _seconds(at)))
            connection.execute(delete(_proofs).where(_proofs.c.until < _seconds(at)))

    def take_proof(self, name: str, *, until: int) -> bool:
        """Remember a proof of possession; exactly one of many callers gets True."""
        with self._database.transaction() as connection:
            # Both databases have the clause; neither driver counts reliably, so the row itself says it.
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            made = dialect.insert(_proofs).values(id=name, until=until).on_conflict_do_nothing()
            return connection.execute(made.returning(_proofs.c.id)).first() is not None

    def next_entry(self) -> int:
        """Index of the first entry not heard yet."""
        with self._database.reading() as connection:
            found = connection.execute(_PLACE).scalar()
        return found or 0

    def apply(self, effects: Iterable[Effect], *, next_entry: int) -> None:
        """Apply what was heard and move on, in one transaction; workers may repeat each other."""
        with self._database.transaction() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            connection.execute(dialect.insert(_cursor).values(id=1, next=0).on_conflict_do_nothing())
            # One worker after the other; on SQLite a transaction is that already.
            if connection.execute(_PLACE.with_for_update()).scalar_one() >= next_entry:
                # Another worker was faster. Repeating it could undo what came after it.
                return
            for effect in effects:
                _apply(connection, effect)
            connection.execute(update(_cursor).where(_cursor.c.id == 1).values(next=next_entry))

    def revoked(self) -> dict[tuple[Kind, str], datetime | None]:
        """Everything taken away, with the time after which nothing can depend on it."""
        with self._database.reading() as connection:
            return {
                (Kind(row.kind), row.value): None if row.until is None else datetime.fromtimestamp(row.until, UTC)
                for row in connection.execute(select(_revoked))
            }

    def check(self) -> None:
        """Answer one trivial query.

        Raises:
            DatabaseUnavailable: it did not.
        """
        self._database.check()


def _over(connection: Connection, intent: str) -> bool:
    """Forget an opening; whoever does so first may say how it ended."""
    return bool(connection.execute(delete(_openings).where(_openings.c.key == intent)).rowcount)


def _apply(connection: Connection, effect: Effect) -> None:
    where = (_revoked.c.kind == effect.kind.value) & (_revoked.c.value == effect.value)
    connection.execute(delete(_revoked).where(where))
    if effect.lifts:
        return
    until = None if effect.until is None else _seconds(effect.until)
    connection.execute(_revoked.insert().values(kind=effect.kind.value, value=effect.value, until=until))
    if effect.kind is Kind.SESSION:
        connection.execute(delete(_sessions).where(_sessions.c.session == effect.value))
    elif effect.kind is Kind.SUBJECT:
        connection.execute(delete(_sessions).where(_sessions.c.subject == effect.value))
    elif effect.kind is Kind.MANDATE:
        # Given anew, it opens nothing that was begun under the old one.
        holder, _, mandate = effect.value.partition(" ")
        ended = (_sessions.c.subject == holder) & (_sessions.c.mandate == mandate)
        connection.execute(delete(_sessions).where(ended))


def _session(row: Sequence[Any]) -> Session:
    """A row of the table, its columns in their order."""
    digest, session, subject, acr, methods, host, listener, opened, seen, id_token, mandate, mandate_ends = row
    return Session(
        digest=digest,
        session=session,
        subject=subject,
        acr=acr,
        methods=tuple(methods.split()),
        host=host,
        listener=listener,
        opened=datetime.fromtimestamp(opened, UTC),
        seen=datetime.fromtimestamp(seen, UTC),
        id_token=id_token,
        mandate=mandate,
        mandate_ends=mandate_ends,
    )


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
