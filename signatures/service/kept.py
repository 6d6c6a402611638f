# SPDX-License-Identifier: Apache-2.0
"""What the authority said of certificates, kept until the record tells of a change: asked once, not for every document.

The record is followed from its present end. Everything is forgotten when a certificate was revoked, suspended or
released, and when a session with the log begins; nothing is kept while the log is silent, for then a change might go
unheard. So a change bites here as soon as the record tells of it, or a second after the record fell silent.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import ClassVar, Generic, Protocol, TypeVar

from audit import Entry, FeedStale
from core.clock import Clock

K = TypeVar("K")
V = TypeVar("V")
_MOST = 4096


class Freshness(Protocol):
    """The follower of the feed."""

    def check(self) -> None:
        """Raise FeedStale if nothing was heard for too long."""
        ...


class Changes:
    """Counts what the feed tells of certificates; what was learnt under one count holds until the next."""

    about: ClassVar[tuple[str, ...]] = (
        "ca.certificate.released",
        "ca.certificate.revoked",
        "ca.certificate.suspended",
    )

    def __init__(self, *, latest: int) -> None:
        # The feed's name for its present end.
        self._latest = latest
        self._lock = threading.Lock()
        self._count = 0
        # A session's first heartbeat says that nothing between its beginning and us is missing.
        self._whole = False

    def start(self) -> int:
        """Where the feed is to be read from: nothing is kept that an earlier entry could change."""
        with self._lock:
            self._whole = False
        return self._latest

    def hear(self, entries: Sequence[Entry]) -> None:
        """Take entries in order; an empty sequence is a heartbeat."""
        with self._lock:
            if not self._whole or any(entry.event.type in self.about for entry in entries):
                self._count += 1
            self._whole = self._whole or not entries

    @property
    def count(self) -> int | None:
        """The present count; None until the session is whole."""
        with self._lock:
            return self._count if self._whole else None


class Kept(Generic[K, V]):
    """Answers by key, asked for when there is none or something has changed since."""

    def __init__(
        self,
        ask: Callable[[K], V],
        *,
        changes: Changes,
        freshness: Freshness,
        clock: Clock,
        longest: timedelta = timedelta(minutes=1),
    ) -> None:
        self._ask = ask
        self._changes = changes
        self._freshness = freshness
        self._clock = clock
        # In seconds; lists are made anew from time to time though nothing changed.
        self._longest = longest.total_seconds()
        self._lock = threading.Lock()
        self._answers: dict[K, tuple[V, int, float]] = {}

    def __call__(self, key: K) -> V:
        """The answer; what ``ask`` raises goes through, and is not kept."""
        count, now = self._count(), self._clock.monotonic()
        with self._lock:
            kept = self._answers.get(key)
        if kept is not None and kept[1] == count and now - kept[2] < self._longest:
            return kept[0]
        answer = self._ask(key)
        # What changed while we asked may be missing from the answer.
        if count is not None and self._changes.count == count:
            with self._lock:
                if len(self._answers) >= _MOST:
                    self._answers.clear()
                self._answers[key] = (answer, count, now)
        return answer

    def _count(self) -> int | None:
        try:
            self._freshness.check()
        except FeedStale:
            return None
        return self._changes.count
