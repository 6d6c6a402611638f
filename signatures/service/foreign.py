# SPDX-License-Identifier: Apache-2.0
"""Asks issuers that are not the site's own whether a certificate is revoked: only at hosts that the settings name.

The addresses stand in certificates, so strangers write them. Asking tells the issuer that somebody here looks at that
certificate, so nobody is asked unless the settings want it. What comes back is judged in the reading process like what
comes with a document; here nothing of it is read.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from core.clock import Clock
from core.errors import Unavailable
from core.log import logger

from ..models import Ask

_KEPT, _KEPT_FAILURE = timedelta(minutes=10), timedelta(minutes=1)
_MOST, _MOST_BYTES = 6, 64 * 1024 * 1024
_OK = 200
_PORTS = {"http": 80, "https": 443}
_log = logger(__name__)


class Got(Protocol):
    """What an address answered."""

    @property
    def status(self) -> int:
        """Of HTTP."""
        ...

    @property
    def body(self) -> bytes:
        """All of it."""
        ...


Send = Callable[[str, bytes | None], Got]
"""Asks an address, with a question to post or none; raises Unavailable."""


@dataclass(frozen=True)
class _Held:
    until: datetime
    # Empty: it could not be had.
    body: bytes


class ForeignStatus:
    """Keeps what it was told for ten minutes, and that it was told nothing for one."""

    def __init__(self, *, hosts: Collection[str], send: Send, within: timedelta, clock: Clock) -> None:
        """``within`` bounds all questions about one document together; the last may end later by one answer."""
        self._hosts = frozenset(hosts)
        self._send = send
        self._within = within.total_seconds()
        self._clock = clock
        self._lock = threading.Lock()
        self._held: OrderedDict[Ask, _Held] = OrderedDict()

    def __call__(self, asks: Sequence[Ask]) -> list[bytes]:
        """What could be had; what could not is missing, and the verdict then says "cannot tell"."""
        begun, found = self._clock.monotonic(), []
        for ask in [each for each in dict.fromkeys(asks) if self._may(each.unverified_url)][:_MOST]:
            body = self._known(ask)
            if body is None:
                if self._clock.monotonic() - begun > self._within:
                    break
                body = self._asked(ask)
            if body:
                found.append(body)
        return found

    def _may(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return False
        if parts.scheme not in _PORTS or parts.username is not None or not parts.hostname:
            return False
        usual = port is None or port == _PORTS[parts.scheme]
        return (parts.hostname if usual else f"{parts.hostname}:{port}") in self._hosts

    def _asked(self, ask: Ask) -> bytes:
        body = b""
        try:
            got = self._send(ask.unverified_url, ask.question or None)
        except Unavailable:
            _log.warning("foreign_status_unavailable", url=ask.unverified_url[:200])
        else:
            body = got.body if got.status == _OK else b""
        with self._lock:
            self._held[ask] = _Held(self._clock.now() + (_KEPT if body else _KEPT_FAILURE), body)
            self._held.move_to_end(ask)
            while sum(len(each.body) + 1000 for each in self._held.values()) > _MOST_BYTES:
                self._held.popitem(last=False)
        return body

    def _known(self, ask: Ask) -> bytes | None:
        with self._lock:
            held = self._held.get(ask)
            return held.body if held is not None and self._clock.now() < held.until else None
