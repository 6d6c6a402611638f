# SPDX-License-Identifier: Apache-2.0
"""Sends the published log to one target: in order, each entry at least once, none before the ones before it.

A batch is bounded and the next one is not read before the target took this one, so a slow target holds up nobody and
fills no memory. The cursor moves in the exporter's own table after the target has taken something. A stream gives no
answer: what it carried counts as taken when the other side's kernel had all of it and the line stayed whole for a
while after. If it breaks before, or this process dies, the stretch is sent again, and each record has the same
identifier as before. What a receiver took from the line and lost afterwards is not noticed here; that is what a replay
is for.

Sessions, and every batch with personal parts, are recorded before anything leaves.
"""

import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from core.clock import Clock
from core.errors import TallygateError

from ..config import ExportTarget, Personal
from ..models import Attribute, Entry, Event, Outcome, Recorder
from ..models_codec import new_key
from .errors import PeerSilent
from .formats import Outgoing
from .peers import Peer
from .store import Cursor, ExportStore

MOST_ENTRIES = 256
MOST_BYTES = 512 * 1024
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 300.0
_MOST_FAILURES = 20
ERASURES = frozenset({"audit.person.erased"})
"""Types that tell targets with personal parts that they have to forget somebody; sent to those whatever they filter."""


class Source(Protocol):
    """The published log as an exporter reads it."""

    origin: str

    def size(self) -> int:
        """How many entries are published."""
        ...

    def first(self) -> int:
        """The first entry that is still kept."""
        ...

    def address(self, place: int) -> tuple[str, int]:
        """The origin of the log in which an entry stands, and its index there."""
        ...

    def read(self, start: int, limit: int) -> Sequence[tuple[Entry, bytes]]:
        """Entries with the bytes that were hashed; fewer than ``limit`` is not the end."""
        ...


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one target stands, for pages and probes."""

    name: str
    target: ExportTarget
    cursor: Cursor
    # Entries that are published and not known to have arrived.
    behind: int


class Exporter:
    """One target's; lives in one thread of one process."""

    def __init__(
        self,
        name: str,
        target: ExportTarget,
        *,
        source: Source,
        peer: Callable[[], Peer],
        store: ExportStore,
        recorder: Recorder,
        clock: Clock,
        unseal: Callable[[Entry], Mapping[str, str] | None] = lambda _entry: None,
        jitter: Callable[[], float] = lambda: secrets.randbelow(1000) / 1000,
    ) -> None:
        """``unseal`` opens a personal part, None if its key was destroyed; ``jitter`` gives numbers from 0 to 1."""
        self._name = name
        self._target = target
        self._source = source
        self._make = peer
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._unseal = unseal
        self._jitter = jitter
        self._peer: Peer | None = None
        # What was handed over: ends of batches and when, in order; the cursor follows when they have settled.
        self._sent: deque[tuple[int, float]] = deque()
        self._moved = -1
        self._failures = 0
        self._not_before = 0.0
        self._error: TallygateError | None = None

    def round(self, stopped: Callable[[], bool]) -> None:
        """Send what there is, as far as the target takes it.

        Raises:
            PeerSilent: it takes nothing now; also while the pause after a failure lasts.
            RecordUnavailable: the session could not be recorded, so nothing was sent.
        """
        waits = self._error is not None and self._clock.monotonic() < self._not_before
        # What an officer did is tried at once.
        if waits and self._error is not None and self._store.cursor(self._name).moved == self._moved:
            raise self._error
        try:
            self._advance(stopped)
        except TallygateError as error:
            self._failed(error)
            raise
        except OSError as error:
            # Certificates and keys of the settings that cannot be read or used.
            silent = PeerSilent(why=error.strerror or type(error).__name__)
            self._failed(silent)
            raise silent from error
        self._error = None

    def close(self) -> None:
        """Hang up; what had not settled is sent again."""
        self._sent.clear()
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    def _advance(self, stopped: Callable[[], bool]) -> None:
        while not stopped():
            cursor = self._store.cursor(self._name)
            if cursor.moved != self._moved:
                # Paused, resumed or sent back by an officer; or this process is new.
                self.close()
                self._moved = cursor.moved
            if cursor.paused:
                return
            if self._peer is not None:
                self._peer.check()
            cursor = self._settle(cursor)
            start = max(self._sent[-1][0] if self._sent else cursor.next, self._source.first())
            end = min(self._source.size(), start + MOST_ENTRIES)
            if start >= end:
                return
            self._step(cursor, start, end, stopped)

    def _outgoing(self, entry: Entry, raw: bytes, personal: Mapping[str, str]) -> Outgoing:
        """An entry under its index in its own log, by which receivers know it."""
        log, index = self._source.address(entry.index)
        return Outgoing(log=log, entry=replace(entry, index=index), raw=raw, personal=personal)

    def _step(self, cursor: Cursor, start: int, end: int, stopped: Callable[[], bool]) -> None:
        if start == cursor.next and cursor.until > start:
            end = min(end, cursor.until)
        chosen, end = self._batch(start, end)
        if not chosen:
            self._pass(cursor, end)
            return
        peer = self._opened(start)
        if not peer.settles and not self._store.begin(cursor, end):
            return
        opened = [entry for entry, _raw in chosen if entry.ciphertext] if self._may_open(cursor) else []
        personal = self._open(cursor, opened, start, end) if opened else {}
        outgoing = [self._outgoing(entry, raw, personal.get(entry.index, {})) for entry, raw in chosen]
        peer.deliver(outgoing, first=start, last=end - 1, stopped=stopped)
        self._failures = 0
        self._sent.append((end, self._clock.monotonic() + peer.settles))
        self._settle(cursor)

    def _batch(self, start: int, end: int) -> tuple[list[tuple[Entry, bytes]], int]:
        """What goes there of a stretch, and where the stretch ends so that it is not too much at once."""
        chosen: list[tuple[Entry, bytes]] = []
        size = 0
        for entry, raw in self._source.read(start, end - start):
            if size and size + len(raw) > MOST_BYTES:
                return chosen, entry.index
            if self._wants(entry.event.type):
                chosen.append((entry, raw))
                size += len(raw)
            start = entry.index + 1
        return chosen, start

    def _wants(self, kind: str) -> bool:
        told = self._target.personal is Personal.OPENED and kind in ERASURES
        return told or self._target.wants(kind)

    def _pass(self, cursor: Cursor, end: int) -> None:
        if self._sent:
            # In order behind what has not settled yet.
            self._sent.append((end, self._sent[-1][1]))
        else:
            self._store.passed(cursor, end)

    def _settle(self, cursor: Cursor) -> Cursor:
        now, reached = self._clock.monotonic(), cursor.next
        while self._sent and self._sent[0][1] <= now:
            reached = self._sent.popleft()[0]
        if reached == cursor.next:
            return cursor
        if not self._store.advance(cursor, reached, int(self._clock.now().timestamp())):
            self.close()
        return self._store.cursor(self._name)

    def _opened(self, start: int) -> Peer:
        if self._peer is None:
            self._record("audit.export.begun", {"target": self._name, "first": start})
            self._peer = self._make()
        return self._peer

    def _may_open(self, cursor: Cursor) -> bool:
        allowed = cursor.allowed_until > self._clock.now().timestamp()
        return self._target.personal is Personal.OPENED and allowed

    def _open(self, cursor: Cursor, entries: Sequence[Entry], first: int, end: int) -> dict[int, Mapping[str, str]]:
        self._record(
            "audit.export.opened",
            {
                "target": self._name,
                "first": first,
                "last": end - 1,
                "opened": len(entries),
                "warrant": cursor.warrant,
            },
        )
        return {entry.index: self._unseal(entry) or {} for entry in entries}

    def _failed(self, error: TallygateError) -> None:
        self.close()
        pause = min(_FIRST_PAUSE * 2**self._failures, _LONGEST_PAUSE)
        self._failures = min(self._failures + 1, _MOST_FAILURES)
        # Many targets behind one broken line must not all come back at once.
        pause = pause / 2 + pause / 2 * self._jitter()
        wait = error.parameters.get("wait", 0)
        self._not_before = self._clock.monotonic() + max(pause, float(wait))
        self._error = error
        cursor = self._store.cursor(self._name)
        why = str(error.parameters.get("why", ""))
        self._store.failed(cursor, code=error.code, why=why, at=int(self._clock.now().timestamp()))

    def _record(self, kind: str, attributes: Mapping[str, Attribute]) -> None:
        self._recorder.record(
            Event(
                key=new_key(),
                type=kind,
                outcome=Outcome.SUCCESS,
                at=self._clock.now(),
                source="audit",
                object=self._name,
                attributes=attributes,
            )
        )


EVERY = timedelta(milliseconds=250)
"""How often a target is looked after; while there is something to send a round goes on."""
