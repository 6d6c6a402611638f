# SPDX-License-Identifier: Apache-2.0
"""Events of one event loop on their way into the log, sent together: what comes while some are under way goes next.

The loop itself speaks with the log, over a line of its own, so that nobody is woken for a record but the loop; only
the line is opened beside it, because the log proves itself first. An event without a receipt is not recorded as far as
anybody may say. What nobody sent within ``patience`` seconds is not sent any more, and what was sent when the line
broke is sent once more, which its key makes safe.
"""

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import NamedTuple, Protocol

from core.errors import TallygateError
from core.log import logger

from ..errors import BadEvent, RecordUnavailable
from ..models import Wait
from ..wire import LONGEST_EVENT, MAX_MANY, Frame, Frames, WireBroken, append_many_frame, many, read_refusals

Told = Callable[[TallygateError | None], None]
"""Is called once: with nothing where the event is in the log, or with the reason why it is not known to be."""
_MOST = 1024
_NUMBERS = 2**32
_log = logger(__name__)


class Opening(Protocol):
    """What opens a line to the log (``RecorderClient``)."""

    def open_line(self) -> socket.socket:
        """A line on which the log takes events; may wait, raises RecordUnavailable."""
        ...


class _Waiting(NamedTuple):
    event: bytes
    since: float
    told: Told
    # Whether it was on a line that broke.
    again: bool = False


class Together:
    """Belongs to the loop that it was started with, and to nobody else."""

    def __init__(
        self, recorder: Opening, *, patience: float = 5.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._recorder = recorder
        self._patience = patience
        self._monotonic = monotonic
        self._waiting: deque[_Waiting] = deque()
        # What is under way, by number; nothing else is sent meanwhile.
        self._sent: dict[int, Sequence[_Waiting]] = {}
        self._numbers = count()
        self._line: _Line | None = None
        self._opening: asyncio.Task[None] | None = None
        self._due = False
        self._limit: asyncio.TimerHandle | None = None
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send from now on."""
        self._loop = loop

    def stop(self) -> None:
        """Cut the line; whoever waits is told that nothing is known to be recorded."""
        self._stopping = True
        if self._opening is not None:
            self._opening.cancel()
        if self._line is not None:
            self._line.cut()
        self._fail([*self._under_way(), *self._waiting])
        self._waiting.clear()

    def submit(self, event: bytes, told: Told) -> None:
        """Append one encoded event; what is told comes later, in the loop, and its errors end nothing."""
        if self._loop is None or self._stopping:
            told(RecordUnavailable())
        elif len(event) > LONGEST_EVENT:
            told(BadEvent(why="it is longer than 65,535 bytes"))
        else:
            self._waiting.append(_Waiting(event, self._monotonic(), told))
            if not self._sent:
                self._soon()

    def _soon(self) -> None:
        """Send what waits, and with it whatever else this round of the loop brings."""
        if not self._due and self._loop is not None:
            self._due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._due = False
        if self._sent or self._stopping or self._loop is None:
            return
        if self._line is None:
            if self._waiting and self._opening is None:
                self._opening = self._loop.create_task(self._open())
            return
        if not (taken := self._taken()):
            return
        frames, start = [], 0
        for events in many([each.event for each in taken]):
            number = next(self._numbers) % _NUMBERS
            self._sent[number] = taken[start : start + len(events)]
            start += len(events)
            frames.append(append_many_frame(number, Wait.SEQUENCED, events))
        self._line.send(b"".join(frames))
        self._limit = self._loop.call_later(self._patience, self._too_late)

    def _taken(self) -> list[_Waiting]:
        """The next to be sent; whoever waited too long is told so."""
        now = self._monotonic()
        taken: list[_Waiting] = []
        while self._waiting and len(taken) < _MOST:
            each = self._waiting.popleft()
            if now - each.since < self._patience:
                taken.append(each)
            else:
                self._fail([each])
        return taken

    async def _open(self) -> None:
        """Open the line; where that fails, everybody who waits for it is told."""
        loop = asyncio.get_running_loop()
        try:
            opened = await loop.run_in_executor(None, self._recorder.open_line)
            try:
                await loop.create_unix_connection(lambda: _Line(self), sock=opened)
            except BaseException:
                opened.close()
                raise
        except (TallygateError, OSError) as error:
            _log.warning("no_line_to_the_log", cause=type(error).__name__)
        except Exception:  # noqa: BLE001 - whoever waits must be told, whatever it was
            _log.error("no_line_to_the_log", exc_info=True)
        finally:
            self._opening = None
        if self._line is None:
            waiting = list(self._waiting)
            self._waiting.clear()
            self._fail(waiting)
        self._flush()

    def made(self, line: "_Line") -> None:
        """There is a line."""
        if self._stopping:
            line.cut()
        else:
            self._line = line

    def answered(self, kind: Frame, content: bytes) -> None:
        """One answer of the log's.

        Raises:
            WireBroken: it is none, or malformed.
        """
        if kind is not Frame.RECEIPTS:
            raise WireBroken
        number, level, places, refused = read_refusals(content)
        part = self._sent.pop(number, None)
        if part is None:
            # Of a request that nobody waits for any more.
            return
        if level is not Wait.SEQUENCED or places != len(part):
            self._fail(part)
        else:
            for i, each in enumerate(part):
                _tell(each.told, refused.get(i) if refused else None)
        if not self._sent:
            self._under_way()
            self._soon()

    def lost(self, line: "_Line") -> None:
        """The line broke: what was on it goes once more, before everything else."""
        if line is not self._line:
            return
        self._line = None
        sent = self._under_way()
        if self._stopping:
            self._fail(sent)
            return
        self._waiting.extendleft(each._replace(again=True) for each in reversed(sent) if not each.again)
        self._fail([each for each in sent if each.again])
        self._flush()

    def _too_late(self) -> None:
        """The log did not answer in time; should it still do, nobody listens."""
        self._fail(self._under_way())
        self._flush()

    def _under_way(self) -> list[_Waiting]:
        """Take back everything that was sent."""
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        sent = [each for part in self._sent.values() for each in part]
        self._sent.clear()
        return sent

    def _fail(self, waiting: Iterable[_Waiting]) -> None:
        for each in waiting:
            _tell(each.told, RecordUnavailable())


class _Line(asyncio.Protocol):
    """A line to the log that a loop reads."""

    def __init__(self, owner: Together) -> None:
        self._owner = owner
        self._frames = Frames(MAX_MANY)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has it now."""
        self._transport = transport  # type: ignore[assignment]  # a stream's is asyncio.Transport
        self._owner.made(self)

    def data_received(self, data: bytes) -> None:
        """Answers; anything else ends the line."""
        try:
            for kind, content in self._frames.feed(data):
                self._owner.answered(kind, content)
        except WireBroken:
            self.cut()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature of asyncio
        """It broke, or was cut."""
        self._transport = None
        self._owner.lost(self)

    def send(self, content: bytes) -> None:
        """Write whole frames."""
        if self._transport is not None:
            self._transport.write(content)

    def cut(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.abort()


def _tell(told: Told, error: TallygateError | None) -> None:
    try:
        told(error)
    except Exception:  # noqa: BLE001 - the others on the line must be told all the same
        _log.error("answer_not_taken", exc_info=True)
