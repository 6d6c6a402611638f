# SPDX-License-Identifier: Apache-2.0
"""Telling clients by the back channel that a session ended (OpenID Connect Back-Channel Logout 1.0).

A thread of its own: a client that does not answer must hold up neither the logout nor the news. Whoever cannot be told
is tried again with growing pauses for an hour; its tokens ended with the session in any case.
"""

import secrets
import threading
from collections.abc import Callable

from core.clock import Clock
from core.errors import TallygateError, Unavailable
from core.log import logger

from ..models import Goodbye
from ..oauth.openid.goodbye import LOGOUT_TYP, logout_claims
from ..oauth.rfc7517 import KeyRing
from ..store import Store
from .subjects import Subjects

Tell = Callable[[str, str], bool]
"""Bring a logout token to an address by the one guarded way out; whether it was taken. Raises Unavailable."""

_INTERVAL = 1.0
_LIMIT = 50
# To one client in one round, so that none is stormed and none holds up the others.
_EACH = 5
# Seconds for which a worker has taken one upon itself, doubled with each attempt.
_FIRST, _LONGEST = 15, 900


class Goodbyes:
    """Every worker looks; one delivers each."""

    def __init__(
        self, *, issuer: str, store: Store, keys: KeyRing, subjects: Subjects, tell: Tell, clock: Clock
    ) -> None:
        self._issuer = issuer
        self._store = store
        self._keys = keys
        self._subjects = subjects
        self._tell = tell
        self._clock = clock
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Deliver in the background from now on."""
        self._thread = threading.Thread(target=self._run, name="goodbyes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def round(self) -> int:
        """Deliver what is due, a few to each client; how many were taken."""
        sent: dict[str, int] = {}
        taken = 0
        for goodbye in self._store.goodbyes.due(self._now(), limit=_LIMIT):
            sent[goodbye.client_id] = sent.get(goodbye.client_id, 0) + 1
            pause = min(_FIRST << min(goodbye.attempts, 10), _LONGEST)
            if sent[goodbye.client_id] <= _EACH and self._store.goodbyes.take(goodbye, due_at=self._now() + pause):
                taken += self._delivered(goodbye)
        return taken

    def _delivered(self, goodbye: Goodbye) -> bool:
        client = self._store.clients.find(goodbye.client_id)
        if client is None or not client.logout_uri:
            self._store.goodbyes.done(goodbye)
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

    def _run(self) -> None:
        while not self._stopping.wait(_INTERVAL):
            try:
                self.round()
            except TallygateError as error:
                logger(__name__).warning("goodbyes_wait", error=str(error))
            except Exception:  # noqa: BLE001 - the thread must live, or nobody is told any more
                logger(__name__).exception("goodbyes_failed")

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
