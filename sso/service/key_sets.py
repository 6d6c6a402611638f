# SPDX-License-Identifier: Apache-2.0
"""Keys that clients keep at an address of theirs: fetched by the one guarded way out, for five minutes at a time."""

import threading
from dataclasses import replace

from core.clock import Clock
from core.errors import Unavailable

from ..errors import BadClient
from ..models import Client
from ..oauth.rfc7517 import canonical
from .requests import Fetch

FRESH = 300
"""Seconds; a client publishes a key so long before it signs with it."""
_AGAIN = 20
# A set that cannot be fetched again counts so long, so that a client's bad minute is not everybody's.
_STALE = 3600
_MOST = 2000


class KeySets:
    """Each worker's own memory; what is forgotten is fetched again."""

    def __init__(self, *, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        # By address: the set, when it was fetched, and when that was last tried.
        self._known: dict[str, tuple[str, int, int]] = {}

    def keyed(self, client: Client) -> Client:
        """The client with its keys; without any if nothing usable lies at its address."""
        if not client.jwks_uri:
            return client
        return replace(client, jwks=self._at(client.jwks_uri))

    def _at(self, address: str) -> str:
        now = int(self._clock.now().timestamp())
        found, fetched, tried = self._known.get(address, ("", 0, 0))
        if now - fetched < FRESH or now - tried < _AGAIN:
            return found if now - fetched < _STALE else ""
        # Others go on with what is known while one asks.
        self._keep(address, found, fetched, now)
        try:
            found, fetched = canonical(self._fetch(address)), now
            self._keep(address, found, fetched, now)
        except (Unavailable, BadClient):
            return found if now - fetched < _STALE else ""
        return found

    def _keep(self, address: str, found: str, fetched: int, tried: int) -> None:
        with self._lock:
            if len(self._known) >= _MOST and address not in self._known:
                self._known.clear()
            self._known[address] = (found, fetched, tried)
