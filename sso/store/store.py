# SPDX-License-Identifier: Apache-2.0
"""All tables of sign-on behind one object, and the chore that touches them all."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Column, Table, delete, select

from audit import Event
from core.db import Database, Drain, migrate

from ..models import Session
from .applications import ApplicationRows
from .browsers import BrowserRows
from .clients import ClientRows
from .consents import ConsentRows
from .devices import DeviceRows
from .factors import FactorRows
from .goodbyes import GoodbyeRows
from .grants import GrantRows
from .interactions import InteractionRows
from .invitations import InvitationRows
from .known import KnownRows
from .letters import LetterRows
from .limits import AttemptRows
from .locks import LockRows
from .news import NewsRows
from .once import CodeRows, PushedRows, RefreshTokenRows, SeenRows
from .passkeys import PasskeyRows
from .recoveries import RecoveryRows
from .resets import ResetRows
from .sessions import SessionRows
from .suspicions import SuspicionRows
from .tables import (
    ASSERTIONS,
    ATTEMPTS,
    BARRED,
    CHALLENGES,
    CODES,
    DEVICE_CODES,
    ENDED_TOKENS,
    FACTOR_RESETS,
    GRANTS,
    HANDOVERS,
    INITIAL_TOKENS,
    KNOWN_BROWSERS,
    LETTERS,
    OUTBOX,
    PROOFS,
    PUSHED,
    RECOVERIES,
    REFRESH_TOKENS,
    REMINDERS,
    SESSIONS,
    SIMULATED,
    SPENT,
    SUSPICIONS,
    UPSTREAM_ANSWERS,
)
from .upstreams import UpstreamRows

# Rows removed per transaction, so that housekeeping never holds the write lock for long.
BATCH = 200
# Used codes and ended families stay this long, so that a replay is still recognised.
_MEMORY = 24 * 3600

_EXPIRING: tuple[tuple[Table, Column[str], Column[int], int], ...] = (
    (SPENT, SPENT.c.id, SPENT.c.expires_at, 0),
    (HANDOVERS, HANDOVERS.c.ticket, HANDOVERS.c.expires_at, 0),
    (PUSHED, PUSHED.c.digest, PUSHED.c.expires_at, 0),
    (ASSERTIONS, ASSERTIONS.c.id, ASSERTIONS.c.expires_at, 0),
    (PROOFS, PROOFS.c.id, PROOFS.c.expires_at, 0),
    (ENDED_TOKENS, ENDED_TOKENS.c.id, ENDED_TOKENS.c.expires_at, 0),
    (CHALLENGES, CHALLENGES.c.id, CHALLENGES.c.expires_at, 0),
    (SIMULATED, SIMULATED.c.id, SIMULATED.c.expires_at, 0),
    (UPSTREAM_ANSWERS, UPSTREAM_ANSWERS.c.id, UPSTREAM_ANSWERS.c.expires_at, 0),
    (ATTEMPTS, ATTEMPTS.c.key, ATTEMPTS.c.last_at, _MEMORY),
    (CODES, CODES.c.digest, CODES.c.expires_at, _MEMORY),
    (REFRESH_TOKENS, REFRESH_TOKENS.c.digest, REFRESH_TOKENS.c.expires_at, _MEMORY),
    (DEVICE_CODES, DEVICE_CODES.c.digest, DEVICE_CODES.c.expires_at, _MEMORY),
    (INITIAL_TOKENS, INITIAL_TOKENS.c.digest, INITIAL_TOKENS.c.expires_at, 0),
    (GRANTS, GRANTS.c.id, GRANTS.c.expires_at, _MEMORY),
    (KNOWN_BROWSERS, KNOWN_BROWSERS.c.digest, KNOWN_BROWSERS.c.expires_at, 0),
    (SUSPICIONS, SUSPICIONS.c.id, SUSPICIONS.c.expires_at, 0),
    (LETTERS, LETTERS.c.id, LETTERS.c.expires_at, 0),
    (REMINDERS, REMINDERS.c.id, REMINDERS.c.expires_at, 0),
    (RECOVERIES, RECOVERIES.c.id, RECOVERIES.c.expires_at, _MEMORY),
    (FACTOR_RESETS, FACTOR_RESETS.c.id, FACTOR_RESETS.c.expires_at, _MEMORY),
    # No worker that is fit to serve is so far behind the news.
    (BARRED, BARRED.c.id, BARRED.c.released_at, _MEMORY),
)


class Store:
    """The tables, by subject."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.clients = ClientRows(database)
        self.applications = ApplicationRows(database)
        self.invitations = InvitationRows(database)
        self.goodbyes = GoodbyeRows(database)
        self.interactions = InteractionRows(database)
        self.sessions = SessionRows(database)
        self.grants = GrantRows(database)
        # One-time values, each kind with its own verbs.
        self.codes = CodeRows(database)
        self.refresh_tokens = RefreshTokenRows(database)
        self.pushed = PushedRows(database)
        self.devices = DeviceRows(database)
        self.assertions = SeenRows(database, ASSERTIONS)
        self.proofs = SeenRows(database, PROOFS)
        self.challenges = SeenRows(database, CHALLENGES)
        self.simulated = SeenRows(database, SIMULATED)
        self.upstream_answers = SeenRows(database, UPSTREAM_ANSWERS)
        self.upstreams = UpstreamRows(database)
        self.consents = ConsentRows(database)
        self.factors = FactorRows(database)
        self.passkeys = PasskeyRows(database)
        self.browsers = BrowserRows(database)
        self.suspicions = SuspicionRows(database)
        self.letters = LetterRows(database)
        self.recoveries = RecoveryRows(database)
        self.resets = ResetRows(database)
        self.locks = LockRows(database)
        self.attempts = AttemptRows(database)
        self.known = KnownRows(database)
        self.news = NewsRows(database)
        # Records on their way to the log.
        self.outbox = Drain(database, OUTBOX)

    def migrate(self) -> None:
        """Bring the schema to its newest revision."""
        migrate(self._database, Path(__file__).parent.parent / "migrations")

    def check(self) -> None:
        """Answer one trivial query.

        Raises:
            DatabaseUnavailable: it did not.
        """
        self._database.check()

    def purge(self, at: int, ended: Callable[[Session], Event]) -> int:
        """One small batch of housekeeping: end sessions whose time is over, remove rows nobody can use any more."""
        gone = len(self.sessions.end_expired(at, ended, limit=BATCH))
        for table, key, column, memory in _EXPIRING:
            gone += self._remove(table, key, column, at - memory)
        return gone + self._remove(SESSIONS, SESSIONS.c.sid, SESSIONS.c.ended_at, at - _MEMORY)

    def _remove(self, table: Table, key: Column[str], column: Column[int], before: int) -> int:
        with self._database.reading() as connection:
            found = connection.execute(select(key).where(column < before).order_by(column).limit(BATCH))
            keys = list(found.scalars())
        if not keys:
            return 0
        with self._database.transaction() as connection:
            return connection.execute(delete(table).where(key.in_(keys), column < before)).rowcount
