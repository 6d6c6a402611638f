# SPDX-License-Identifier: Apache-2.0
"""Telling clients by the back channel that a session ended (OpenID Connect Back-Channel Logout 1.0).

Threads of its own, one client in each: a client that does not answer holds up neither the logout nor the news, nor any
other client. Whoever cannot be told is tried again with growing pauses for an hour; then that is recorded, and shown at
the desk until it is reached again. Its tokens ended with the session in any case.

What is due stands in the tables, so a process that dies loses nothing: somebody else finds it after the first pause. A
client may then be told twice of the same end, never not at all.
"""

import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from audit import Event
from core.clock import Clock
from core.errors import TallygateError, Unavailable
from core.log import logger

from ..models import BackChannel, Goodbye
from ..oauth.openid.goodbye import LOGOUT_TYP, logout_claims
from ..oauth.rfc7517 import KeyRing
from ..store import Store
from .records import Records
from .subjects import Subjects

Tell = Callable[[str, str], bool]
"""Bring a logout token to an address by the one guarded way out; whether it was taken. Raises Unavailable."""

_INTERVAL = 1.0
# Clients that are told at the same time, by one process.
_TOGETHER = 8
# Looked at in one round.
_CLIENTS = 64
_OVER = 100
# To one client in one round, so that none is stormed.
_EACH = 5
# Seconds for which a worker has taken one upon itself, doubled with each attempt.
_FIRST, _LONGEST = 15, 900
# Shown at the desk.
_SHOWN = 50


class Goodbyes:
    """Every worker looks; one delivers each."""

    def __init__(
        self,
        *,
        issuer: str,
        store: Store,
        keys: KeyRing,
        subjects: Subjects,
        records: Records,
        tell: Tell,
        hourly: int,
        clock: Clock,
        nudge: Callable[[], None],
    ) -> None:
        """``hourly`` is the most that one client is sent in an hour."""
        self._issuer = issuer
        self._store = store
        self._keys = keys
        self._subjects = subjects
        self._records = records
        self._tell = tell
        self._hourly = hourly
        self._clock = clock
        self._nudge = nudge
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(_TOGETHER, thread_name_prefix="goodbyes")
        self._lock = threading.Lock()
        # Clients that are being told something by this process.
        self._busy: set[str] = set()

    def start(self) -> None:
        """Deliver in the background from now on."""
        self._thread = threading.Thread(target=self._run, name="goodbyes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the threads; what is under way is finished."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def round(self) -> int:
        """Deliver what is due, a few to each client, and wait for that; how many were taken."""
        return sum(future.result() for future in self.begin())

    def begin(self) -> Sequence[Future[int]]:
        """Begin to deliver what is due, and record what never was."""
        if self._store.goodbyes.give_up(self._now(), self._undelivered, limit=_OVER):
            self._nudge()
        begun = []
        for client_id in self._store.goodbyes.waiting(self._now(), limit=_CLIENTS):
            with self._lock:
                if client_id in self._busy:
                    continue
                self._busy.add(client_id)
            begun.append(self._pool.submit(self._tell_client, client_id))
        return begun

    def unreached(self) -> Sequence[BackChannel]:
        """Clients that could not be told of something since they were last reached."""
        return self._store.goodbyes.unreached(limit=_SHOWN)

    def _tell_client(self, client_id: str) -> int:
        taken = 0
        try:
            for goodbye in self._store.goodbyes.due(self._now(), limit=_EACH, client_id=client_id):
                at, pause = self._now(), min(_FIRST << min(goodbye.attempts, 10), _LONGEST)
                if self._store.goodbyes.take(goodbye, at=at, due_at=at + pause, hourly=self._hourly):
                    taken += self._delivered(goodbye)
        except TallygateError as error:
            logger(__name__).warning("goodbyes_wait", error=str(error))
        except Exception:  # noqa: BLE001 - whoever waits for this round must not end with it
            logger(__name__).exception("goodbyes_failed")
        finally:
            with self._lock:
                self._busy.discard(client_id)
        return taken

    def _delivered(self, goodbye: Goodbye) -> bool:
        client = self._store.clients.find(goodbye.client_id)
        if client is None or not client.logout_uri:
            self._store.goodbyes.done(goodbye, reached=False)
            return False
        claims = logout_claims(
            issuer=self._issuer,
            client_id=client.id,
            subject=self._subjects.of(client, goodbye.subject),
            sid=goodbye.sid,
            jti=secrets.token_urlsafe(16),
            at=self._now(),
        )
        try:
            good = self._tell(client.logout_uri, self._keys.sign(claims, typ=LOGOUT_TYP))
        except Unavailable:
            good = False
        if good:
            self._store.goodbyes.done(goodbye)
        else:
            logger(__name__).warning("goodbye_waits", client=client.id, attempts=goodbye.attempts + 1)
        return good

    def _undelivered(self, goodbye: Goodbye) -> Event:
        return self._records.goodbye_undelivered(goodbye)

    def _run(self) -> None:
        while not self._stopping.wait(_INTERVAL):
            try:
                self.begin()
            except TallygateError as error:
                logger(__name__).warning("goodbyes_wait", error=str(error))
            except Exception:  # noqa: BLE001 - the thread must live, or nobody is told any more
                logger(__name__).exception("goodbyes_failed")

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
