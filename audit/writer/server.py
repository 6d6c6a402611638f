# SPDX-License-Identifier: Apache-2.0
"""The socket before the log: one loop takes frames; two threads write, so that a batch collects while one is synced.

Batches are whatever waits (no timer). Publishing happens every ``interval`` where somebody waits for it; else it takes
no more than a tenth of the time, and comes within four intervals. If writing or publishing fails, nobody is answered,
every connection is cut and ``serve`` raises: what is on disk is then for the successor to find out. A disk that hangs
keeps nobody from hearing no at once, so the loop itself never waits for one.
"""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from core.calls import PairSecrets, listening
from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from ..errors import BadEvent, RecordUnavailable, TilesUnavailable
from ..lineage import Past
from ..models import Event, Outcome, Receipt, Wait
from ..models_codec import Draft, draft_of, new_key
from ..models_settings import CHANGED, Stated
from ..witness.rounds import Rounds
from .beside import Beside
from .connection import Answer, Answers, Connection
from .evidence import Evidence
from .log import Log, Place
from .memory import give_back
from .settings import Settings
from .time import Told, Watching, latest
from .turns import Act, Turns

INTERVAL = 0.25
# Events that share a sync; the last request that is taken may go beyond.
_BATCH = 2048
# Events that are read where they come in: for less than it costs to have another thread hear of them.
_FEW = 32
# Publishing takes this part of the time at most, unless somebody waits for it or so many intervals, or seconds, have
# passed.
_PART = 10
_LATEST = 4
_LONGEST = 1.0
# What may wait for its batch, in events and in bytes; beyond this the log says no at once instead of late. One
# caller may take half of either, so that none can crowd out the others.
_MOST_WAITING = 32_768
_MOST_BYTES = 32 * 1024 * 1024
_SHARE = 2
# Connections that have not yet shown a secret, and those of one caller: whoever may knock must not use up the
# process's descriptors, without which it could not write.
_MOST_STRANGERS = 64
_MOST_LINES = 64
# After so many entries, once nothing waits, what they took is given back: 23 MiB of a run of batches.
_GIVE_BACK = 32_768
# Seconds between two attempts to publish while the store of tiles does not answer.
_STORE_PAUSE = 1.0
_log = logger(__name__)


@dataclass(frozen=True)
class Request:
    """Events on their way in together, whom to tell, and whose part of the queue they take."""

    drafts: Sequence[Draft]
    wait: Wait
    answer: Answers
    caller: str
    size: int
    # Who waits for witnesses, which only single events do.
    witnessed: Answer | None = None


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
        settings: Settings | None = None,
    ) -> None:
        self.log = log
        self.pairs = pairs
        self.clock = clock
        self.interval = interval
        self.size = log.size
        self._past = past or Past()
        # None where nobody keeps what was recorded of them.
        self._settings = settings
        self._queue: deque[Request] = deque()
        # Events and bytes in the queue or being read for it, by caller.
        self._waiting: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        # Sequenced, and waiting for the checkpoint.
        self._published: list[tuple[Request, Sequence[Place | TallygateError]]] = []
        self._reading: set[asyncio.Task[None]] = set()
        self._turns = Turns()
        self._readers = ThreadPoolExecutor(log.press.at_once, "log-read")
        # None where nobody is asked to witness this log.
        self._evidence = Evidence(rounds, origin=log.origin) if rounds else None
        self._connections: set[Connection] = set()
        # Those of them that follow, and those that have something to be written.
        self._feeding: set[Connection] = set()
        self._unsent: set[Connection] = set()
        # In the order in which they came.
        self._strangers: dict[Connection, None] = {}
        self._lines: Counter[str] = Counter()
        self._work = asyncio.Event()
        self._news = asyncio.Event()
        # Somebody waits for a checkpoint.
        self._wanted = asyncio.Event()
        # Nothing more is taken; then: nothing more will be written.
        self._stopping = False
        self._drained = False
        self._clocks = Watching(clock, signed=lambda: log.signed_at)
        # Whether the store of tiles took the last checkpoint.
        self._stored = True
        # Size at which memory was given back.
        self._given_back = log.size

    async def run(self, path: Path, stop: asyncio.Event) -> None:
        """Serve until ``stop``; what was taken is answered before this returns."""
        self._submit_own("log.started", {"size": self.size})
        if self._evidence is not None:
            self._evidence.start(flush=self._flush, changed=self._quorum_changed)
        tasks = [asyncio.create_task(task) for task in (self._write(), self._publish(), stop.wait())]
        try:
            if await self._begun(tasks):
                # Every role's user may knock; the pair secret decides. The folder's lock is ours: a file here is a dead
                # one's.
                knocked = listening(path, mode=0o666)
                listener = await asyncio.get_running_loop().create_unix_server(lambda: Connection(self), sock=knocked)
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
            self._wanted.set()
            await tasks[1]
        finally:
            if self._evidence is not None:
                self._evidence.stop()
                self._flush()
            for task in tasks:
                task.cancel()
            self._readers.shutdown(wait=False, cancel_futures=True)
            for connection in list(self._connections):
                connection.abort()

    async def take_settings(self, stated: Stated, role: str) -> None:
        """Have the settings with which a role begins on the record.

        Raises:
            RecordUnavailable: they are not.
            OSError: they are, and that could not be kept.
        """
        if self._settings is None:
            raise RecordUnavailable
        await self._settings.take(stated, role=role, record=self._record_settings)

    async def _record_settings(self, facts: Mapping[str, str | int | bool]) -> None:
        answered: asyncio.Future[Receipt | TallygateError] = asyncio.get_running_loop().create_future()

        def told(result: Receipt | TallygateError) -> None:
            # Whoever asked may be gone.
            if not answered.done():
                answered.set_result(result)

        self.submit(self.own_event(CHANGED, "", facts), Wait.SEQUENCED, told)
        if isinstance(result := await answered, TallygateError):
            raise result

    async def _begun(self, tasks: Sequence[asyncio.Task[Any]]) -> bool:
        """Have our own settings on the record before anybody can ask for anything; False if we end before."""
        if self._settings is None:
            return True
        own = asyncio.create_task(self.take_settings(self._settings.own, "log"))
        await asyncio.wait([own, *tasks], return_when=asyncio.FIRST_COMPLETED)
        if not own.done():
            own.cancel()
            return False
        own.result()
        return True

    @property
    def place(self) -> int:
        """Where the next entry will stand among all of the site's logs."""
        return self._past.size + self.size

    def kept_from(self, place: int) -> int:
        """The first place from this one on at which an entry is kept; asks the store of tiles."""
        return self._past.kept_from(place, self.log.reader)

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

    def feeds(self, connection: Connection) -> None:
        """A connection follows from now on."""
        if connection in self._connections:
            self._feeding.add(connection)

    def sends(self, connection: Connection) -> None:
        """A connection has something to be written with the batch."""
        self._unsent.add(connection)

    def leave(self, connection: Connection, caller: str) -> None:
        """A connection is gone; ``caller`` is empty if it was never admitted."""
        for each in (self._connections, self._feeding, self._unsent):
            each.discard(connection)
        self._strangers.pop(connection, None)
        if caller:
            self._lines[caller] -= 1

    def submit(
        self, draft: Draft, wait: Wait, answer: Answer, *, caller: str = "", size: int = 0, line: Hashable = None
    ) -> None:
        """Queue one event of ``size`` bytes; ``answer`` is called once, or never if the process dies.

        What comes over one ``line`` is written in the order in which it came.
        """
        nobody = wait is Wait.WITNESSED and self._evidence is None
        if self._stopping or nobody or not self._has_room(caller, 1, size):
            answer(RecordUnavailable())
            return

        def told(places: Sequence[Place | TallygateError], checkpoint: str) -> None:
            [place] = places
            if isinstance(place, TallygateError):
                answer(place)
            else:
                level = Wait.PUBLISHED if checkpoint else Wait.SEQUENCED
                answer(
                    Receipt(log=self.log.origin, index=place.index, leaf=place.leaf, level=level, checkpoint=checkpoint)
                )

        self._hold(caller, 1, size)
        request = Request([draft], wait, told, caller, size, answer)
        self._turns.after(line, lambda: self._enqueue(request))

    def submit_many(
        self,
        events: Sequence[bytes],
        wait: Wait,
        answer: Answers,
        *,
        refused: Callable[[Draft], BadEvent | None],
        caller: str,
        size: int,
        line: Hashable = None,
    ) -> None:
        """Have events read, and queue those that keep the rules and are not ``refused``; else as ``submit``."""
        if self._stopping or wait is Wait.WITNESSED or not self._has_room(caller, len(events), size):
            answer([RecordUnavailable() for _ in events], "")
            return
        self._hold(caller, len(events), size)
        request = Request((), wait, answer, caller, size)
        if len(events) <= _FEW:
            found = self.log.press.read(events)
            self._turns.after(line, lambda: self._receive(found, request, refused))
            return
        reading = asyncio.get_running_loop().create_task(self._read(events, request, refused, self._turns.hold(line)))
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)

    async def _read(
        self,
        events: Sequence[bytes],
        request: Request,
        refused: Callable[[Draft], BadEvent | None],
        go: Callable[[Act], None],
    ) -> None:
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._readers, self.log.press.read, events)
        except BaseException:
            go(lambda: self._unavailable(request, len(events)))
            raise
        go(lambda: self._receive(found, request, refused))

    def _receive(
        self, found: Sequence[Draft | BadEvent], request: Request, refused: Callable[[Draft], BadEvent | None]
    ) -> None:
        answers = [each if isinstance(each, BadEvent) else refused(each) for each in found]
        drafts = [
            each for each, no in zip(found, answers, strict=True) if no is None and not isinstance(each, BadEvent)
        ]
        # Of those that are refused nothing waits any more.
        size = sum(len(draft.encoded) for draft in drafts)
        self._let_go(request.caller, len(found) - len(drafts), request.size - size)

        def told(places: Sequence[Place | TallygateError], checkpoint: str) -> None:
            given = iter(places)
            request.answer([next(given) if no is None else no for no in answers], checkpoint)

        if not drafts:
            told((), "")
        else:
            self._enqueue(replace(request, drafts=drafts, size=size, answer=told))

    def _enqueue(self, request: Request) -> None:
        if self._stopping:
            self._unavailable(request, len(request.drafts))
            return
        self._queue.append(request)
        self._work.set()

    def _unavailable(self, request: Request, count: int) -> None:
        self._let_go(request.caller, count, request.size)
        request.answer([RecordUnavailable() for _ in range(count)], "")

    def _has_room(self, caller: str, count: int, size: int) -> bool:
        if self._waiting.total() + count > _MOST_WAITING or self._bytes.total() + size > _MOST_BYTES:
            return False
        waiting, bytes_ = self._waiting[caller] + count, self._bytes[caller] + size
        return not caller or (waiting <= _MOST_WAITING // _SHARE and bytes_ <= _MOST_BYTES // _SHARE)

    def _hold(self, caller: str, count: int, size: int) -> None:
        self._waiting[caller] += count
        self._bytes[caller] += size

    def _let_go(self, caller: str, count: int, size: int) -> None:
        self._waiting[caller] -= count
        self._bytes[caller] -= size

    def _next_batch(self) -> list[Request]:
        batch: list[Request] = []
        count = 0
        while self._queue and count < _BATCH:
            request = self._queue.popleft()
            batch.append(request)
            count += len(request.drafts)
            self._let_go(request.caller, len(request.drafts), request.size)
        return batch

    async def _write(self) -> None:
        with Beside("log-append") as thread:
            while self._queue or not self._stopping:
                if not self._queue:
                    self._work.clear()
                    await self._work.wait()
                    continue
                batch = self._next_batch()
                drafts = [draft for request in batch for draft in request.drafts]
                try:
                    places = await thread.do(self.log.take, drafts)
                except TallygateError:
                    # Nothing was written (keys or index did not answer); a failed write raises OSError and ends us.
                    places = [RecordUnavailable() for _ in drafts]
                self.size = self.log.size
                given = iter(places)
                for request in batch:
                    self._answer(request, list(islice(given, len(request.drafts))))
                theirs = latest(draft for request in batch if request.caller for draft in request.drafts)
                self._tell_clocks(self._clocks.heard(theirs))
                self._flush()
                self._news.set()
                types = {draft.type for draft in drafts}
                for connection in self._feeding:
                    connection.grown(types)

    def _answer(self, request: Request, places: Sequence[Place | TallygateError]) -> None:
        placed = any(isinstance(place, Place) for place in places)
        if request.wait is Wait.SEQUENCED or not placed:
            request.answer(places, "")
        else:
            self._published.append((request, places))
            self._wanted.set()

    async def _publish(self) -> None:
        with Beside("log-publish") as thread:
            while True:
                await self._news.wait()
                self._news.clear()
                began, pause = self.clock.monotonic(), 0.0
                self._tell_clocks(self._clocks.look())
                try:
                    await thread.do(self.log.integrate)
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
                if self._idle() and self.size - self._given_back >= _GIVE_BACK:
                    self._given_back = self.size
                    await thread.do(give_back)
                await self._rest(self.clock.monotonic() - began, pause)

    async def _rest(self, took: float, pause: float) -> None:
        """Until it is time to publish again after that took so long, and not before ``pause`` has passed."""
        soonest = max(pause, self.interval)
        await asyncio.sleep(max(0.0, soonest - took))
        longest = max(soonest, min(self.interval * _LATEST, _LONGEST))
        if self._published or self._stopping or took * _PART <= soonest:
            return
        self._wanted.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(longest, took * _PART) - soonest):
                await self._wanted.wait()

    def _idle(self) -> bool:
        return not self._queue and not self._reading and self.log.size == self.log.published

    def _storage(self, *, whole: bool) -> None:
        if whole is not self._stored:
            self._stored = whole
            outcome = Outcome.SUCCESS if whole else Outcome.FAILURE
            kind = "log.storage.back" if whole else "log.storage.lost"
            self._submit_own(kind, {"size": self.log.published}, outcome)

    def _tell_published(self) -> None:
        size, note = self.log.published, self.log.note
        waiting, self._published = self._published, []
        for request, places in waiting:
            if any(isinstance(place, Place) and place.index >= size for place in places):
                self._published.append((request, places))
            elif request.wait is Wait.WITNESSED and self._evidence is not None and request.witnessed is not None:
                for place in places:
                    if isinstance(place, Place):
                        self._evidence.add(place.index, place.leaf, request.witnessed)
            else:
                request.answer(places, note)
        self._flush()

    def _tell_clocks(self, found: Iterable[Told]) -> None:
        for told in found:
            whose = {"clock_of": told.source} if told.source else {}
            wrong = told.type in ("log.clock.stepped", "log.clock.behind", "log.clock.disagrees")
            outcome = Outcome.FAILURE if wrong else Outcome.SUCCESS
            self._submit_own(told.type, {"seconds": told.seconds, **whose}, outcome)

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, set()
        for connection in unsent:
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
    ) -> Draft:
        """An event of which the log itself is the source.

        Raises:
            BadEvent: it breaks a rule; nobody else would notice before it stands in the log for ever.
        """
        return draft_of(
            Event(
                key=new_key(),
                type=kind,
                outcome=outcome,
                at=self.clock.now(),
                source="audit",
                actor=actor,
                attributes=attributes,
            )
        )

    def _submit_own(
        self, kind: str, attributes: Mapping[str, str | int | bool], outcome: Outcome = Outcome.SUCCESS
    ) -> None:
        self.submit(self.own_event(kind, "", attributes, outcome), Wait.SEQUENCED, lambda _: None)


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
    settings: Settings | None = None,
) -> None:
    """Own the log until ``stop``; ``rounds`` go to the witnesses, if there are any; ``past`` are the logs before it.

    Nobody is served before ``settings``, by which this process works, are on the record.

    Raises:
        OSError: a write failed; nobody was told that it had succeeded.
        LogDamaged: what was stored is not what was written.
    """
    server = Server(log, pairs=pairs, clock=clock, interval=interval, rounds=rounds, past=past, settings=settings)
    await server.run(path, stop)
