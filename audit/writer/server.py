# SPDX-License-Identifier: Apache-2.0
"""The socket before the log: one loop takes frames; two threads write, so that a batch collects while one is synced.

Batches are whatever waits (no timer); publishing happens at most every ``interval``. If either fails, nobody is
answered, every connection is cut and ``serve`` raises: what is on disk is then for the successor to find out.
"""

import asyncio
import socket
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from core.calls import PairSecrets
from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from ..errors import RecordUnavailable, TilesUnavailable
from ..lineage import Past
from ..models import Event, Outcome, Receipt, Wait
from ..models_codec import new_key
from ..models_rules import check
from ..witness.rounds import Rounds
from .connection import Answer, Connection
from .evidence import Evidence
from .log import Log, Place
from .time import Told, Watching

INTERVAL = 0.25
_BATCH = 512
# What may wait for its batch, in requests and in bytes; beyond this the log says no at once instead of late. One
# caller may take half of either, so that none can crowd out the others.
_MOST_WAITING = 8192
_MOST_BYTES = 32 * 1024 * 1024
_SHARE = 2
# Connections that have not yet shown a secret, and those of one caller: whoever may knock must not use up the
# process's descriptors, without which it could not write.
_MOST_STRANGERS = 64
_MOST_LINES = 64
# Seconds between two attempts to publish while the store of tiles does not answer.
_STORE_PAUSE = 1.0
_log = logger(__name__)


@dataclass(frozen=True)
class Request:
    """One event on its way in, whom to tell, and whose part of the queue it takes."""

    event: Event
    wait: Wait
    answer: Answer
    caller: str
    size: int


class Server:
    """Queue, batches, publishing; the connections call ``submit``."""

    def __init__(
        self,
        log: Log,
        *,
        pairs: PairSecrets,
        clock: Clock,
        interval: float = INTERVAL,
        rounds: Rounds | None = None,
        past: Past | None = None,
    ) -> None:
        self.log = log
        self.pairs = pairs
        self.clock = clock
        self.interval = interval
        self.size = log.size
        self._past = past or Past()
        self._queue: deque[Request] = deque()
        # Requests and bytes in the queue, by caller.
        self._waiting: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._published: list[tuple[int, bytes, Wait, Answer]] = []
        # None where nobody is asked to witness this log.
        self._evidence = Evidence(rounds, origin=log.origin) if rounds else None
        self._connections: set[Connection] = set()
        # In the order in which they came.
        self._strangers: dict[Connection, None] = {}
        self._lines: Counter[str] = Counter()
        self._work = asyncio.Event()
        self._news = asyncio.Event()
        # Nothing more is taken; then: nothing more will be written.
        self._stopping = False
        self._drained = False
        self._clocks = Watching(clock, signed=lambda: log.signed_at)
        # Whether the store of tiles took the last checkpoint.
        self._stored = True

    async def run(self, path: Path, stop: asyncio.Event) -> None:
        """Serve until ``stop``; what was taken is answered before this returns."""
        self._submit_own("log.started", {"size": self.size})
        if self._evidence is not None:
            self._evidence.start(flush=self._flush, changed=self._quorum_changed)
        listener = await asyncio.get_running_loop().create_unix_server(lambda: Connection(self), sock=_bound(path))
        tasks = [asyncio.create_task(task) for task in (self._write(), self._publish(), stop.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            listener.close()
            for task in tasks[:2]:
                if task.done():
                    task.result()
            if stop.is_set():
                # A start without this before it was no stop as told.
                self._submit_own("log.stopped", {"size": self.size})
            self._stopping = True
            self._work.set()
            await tasks[0]
            self._drained = True
            self._news.set()
            await tasks[1]
        finally:
            if self._evidence is not None:
                self._evidence.stop()
                self._flush()
            for task in tasks:
                task.cancel()
            for connection in list(self._connections):
                connection.abort()

    @property
    def place(self) -> int:
        """Where the next entry will stand among all of the site's logs."""
        return self._past.size + self.size

    def recent(self, place: int, limit: int) -> list[bytes]:
        """Entries that are not published yet, from memory; nothing if the first is."""
        return self.log.recent(place - self._past.size, limit) if place >= self._past.size else []

    def read(self, place: int, limit: int) -> list[bytes]:
        """Entries from a place on, of a closed log or of this one; fewer than ``limit`` is not the end."""
        if place < self._past.size:
            return self._past.read(place, limit)
        return self.log.read(place - self._past.size, limit)

    def join(self, connection: Connection) -> None:
        """A connection exists; if too many have not said who they are, the one that has been silent longest goes."""
        self._connections.add(connection)
        self._strangers[connection] = None
        if len(self._strangers) > _MOST_STRANGERS:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            oldest.abort()

    def admit(self, connection: Connection, caller: str) -> bool:
        """A connection has shown its secret; False if its caller has too many already."""
        self._strangers.pop(connection, None)
        if self._lines[caller] >= _MOST_LINES:
            return False
        self._lines[caller] += 1
        return True

    def leave(self, connection: Connection, caller: str) -> None:
        """A connection is gone; ``caller`` is empty if it was never admitted."""
        self._connections.discard(connection)
        self._strangers.pop(connection, None)
        if caller:
            self._lines[caller] -= 1

    def submit(self, event: Event, wait: Wait, answer: Answer, *, caller: str = "", size: int = 0) -> None:
        """Queue one event of ``size`` bytes; ``answer`` is called once, or never if the process dies."""
        nobody = wait is Wait.WITNESSED and self._evidence is None
        if self._stopping or nobody or not self._has_room(caller, size):
            answer(RecordUnavailable())
            return
        self._queue.append(Request(event, wait, answer, caller, size))
        self._waiting[caller] += 1
        self._bytes[caller] += size
        self._work.set()

    def _has_room(self, caller: str, size: int) -> bool:
        if len(self._queue) >= _MOST_WAITING or self._bytes.total() + size > _MOST_BYTES:
            return False
        share = self._waiting[caller] < _MOST_WAITING // _SHARE and self._bytes[caller] + size <= _MOST_BYTES // _SHARE
        return not caller or share

    def _next_batch(self) -> list[Request]:
        batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
        for request in batch:
            self._waiting[request.caller] -= 1
            self._bytes[request.caller] -= request.size
        return batch

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "log-append") as thread:
            while self._queue or not self._stopping:
                if not self._queue:
                    self._work.clear()
                    await self._work.wait()
                    continue
                batch = self._next_batch()
                try:
                    places = await loop.run_in_executor(thread, self.log.append, [r.event for r in batch])
                except TallygateError:
                    # Nothing was written (keys or index did not answer); a failed write raises OSError and ends us.
                    places = [RecordUnavailable() for _ in batch]
                self.size = self.log.size
                for request, place in zip(batch, places, strict=True):
                    self._answer(request, place)
                self._tell_clocks(self._clocks.heard([request.event for request in batch if request.caller]))
                self._flush()
                self._news.set()
                types = {request.event.type for request in batch}
                for connection in self._connections:
                    connection.grown(types)

    def _answer(self, request: Request, place: Place | TallygateError) -> None:
        if isinstance(place, TallygateError):
            request.answer(place)
        elif request.wait is Wait.SEQUENCED:
            request.answer(Receipt(log=self.log.origin, index=place.index, leaf=place.leaf, level=Wait.SEQUENCED))
        else:
            self._published.append((place.index, place.leaf, request.wait, request.answer))

    async def _publish(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "log-publish") as thread:
            while True:
                await self._news.wait()
                self._news.clear()
                began = loop.time()
                pause = self.interval
                self._tell_clocks(self._clocks.look())
                try:
                    await loop.run_in_executor(thread, self.log.integrate)
                    self._storage(whole=True)
                except TilesUnavailable as error:
                    # What is sequenced is on our own disk. Whoever waits for a checkpoint waits, or gives up.
                    self._storage(whole=False)
                    _log.warning("not_published", size=self.log.size, exc_info=error)
                    if self._drained:
                        return
                    pause = _STORE_PAUSE
                    self._news.set()
                self._tell_published()
                if self._drained and self.log.size == self.log.published:
                    return
                await asyncio.sleep(max(0.0, pause - (loop.time() - began)))

    def _storage(self, *, whole: bool) -> None:
        if whole is not self._stored:
            self._stored = whole
            outcome = Outcome.SUCCESS if whole else Outcome.FAILURE
            kind = "log.storage.back" if whole else "log.storage.lost"
            self._submit_own(kind, {"size": self.log.published}, outcome)

    def _tell_published(self) -> None:
        size, note = self.log.published, self.log.note
        waiting, self._published = self._published, []
        for index, leaf, wait, answer in waiting:
            if index >= size:
                self._published.append((index, leaf, wait, answer))
            elif wait is Wait.WITNESSED and self._evidence is not None:
                self._evidence.add(index, leaf, answer)
            else:
                answer(Receipt(log=self.log.origin, index=index, leaf=leaf, level=Wait.PUBLISHED, checkpoint=note))
        self._flush()

    def _tell_clocks(self, found: Iterable[Told]) -> None:
        for told in found:
            whose = {"clock_of": told.source} if told.source else {}
            wrong = told.type in ("log.clock.stepped", "log.clock.behind", "log.clock.disagrees")
            outcome = Outcome.FAILURE if wrong else Outcome.SUCCESS
            self._submit_own(told.type, {"seconds": told.seconds, **whose}, outcome)

    def _flush(self) -> None:
        for connection in list(self._connections):
            connection.flush()

    def _quorum_changed(self, met: bool) -> None:  # noqa: FBT001 - a callback with one fact
        outcome = Outcome.SUCCESS if met else Outcome.FAILURE
        kind = "log.witnesses.back" if met else "log.witnesses.lost"
        self._submit_own(kind, {"size": self.log.published}, outcome)

    def own_event(
        self,
        kind: str,
        actor: str,
        attributes: Mapping[str, str | int | bool],
        outcome: Outcome = Outcome.SUCCESS,
    ) -> Event:
        """An event of which the log itself is the source.

        Raises:
            BadEvent: it breaks a rule; nobody else would notice before it stands in the log for ever.
        """
        event = Event(
            key=new_key(),
            type=kind,
            outcome=outcome,
            at=self.clock.now(),
            source="audit",
            actor=actor,
            attributes=attributes,
        )
        check(event)
        return event

    def _submit_own(
        self, kind: str, attributes: Mapping[str, str | int | bool], outcome: Outcome = Outcome.SUCCESS
    ) -> None:
        self.submit(self.own_event(kind, "", attributes, outcome), Wait.SEQUENCED, lambda _: None)


def _bound(path: Path) -> socket.socket:
    """The socket's file; the folder's lock is ours, so one that lies here is a dead predecessor's."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    # Every role's user may knock; the pair secret decides.
    path.chmod(0o666)
    return listener


async def serve(
    log: Log,
    path: Path,
    *,
    pairs: PairSecrets,
    clock: Clock,
    stop: asyncio.Event,
    interval: float = INTERVAL,
    rounds: Rounds | None = None,
    past: Past | None = None,
) -> None:
    """Own the log until ``stop``; ``rounds`` go to the witnesses, if there are any; ``past`` are the logs before it.

    Raises:
        OSError: a write failed; nobody was told that it had succeeded.
        LogDamaged: what was stored is not what was written.
    """
    await Server(log, pairs=pairs, clock=clock, interval=interval, rounds=rounds, past=past).run(path, stop)
