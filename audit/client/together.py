# SPDX-License-Identifier: Apache-2.0
"""Events of one event loop on their way into the log, sent together: what comes while some are under way goes next.

One thread sends and waits, so that the loop never does. An event without a receipt is not recorded as far as anybody
may say; what nobody sent within ``patience`` seconds is not sent any more.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from core.errors import TallygateError
from core.log import logger

from ..errors import RecordUnavailable
from ..models import Receipt

_MOST = 1024
_log = logger(__name__)


class Many(Protocol):
    """A way into the log that takes many at once (``RecorderClient``)."""

    def record_all(self, events: Sequence[bytes]) -> list[Receipt | TallygateError]:
        """Append encoded events; the answer to each in their order."""
        ...


class _Waiting(NamedTuple):
    event: bytes
    since: float
    told: asyncio.Future[Receipt]


class Together:
    """``record`` belongs to the loop that called ``start``."""

    def __init__(
        self, recorder: Many, *, patience: float = 5.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._recorder = recorder
        self._patience = patience
        self._monotonic = monotonic
        # The loop adds at one end, the thread takes at the other.
        self._waiting: deque[_Waiting] = deque()
        self._there = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send from now on."""
        self._loop = loop
        self._thread = threading.Thread(target=self._run, name="recorder-together", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what waits is told that it is not recorded."""
        self._stopping = True
        self._there.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    async def record(self, event: bytes) -> Receipt:
        """Append one encoded event and wait for its receipt.

        Raises:
            RecordUnavailable: no receipt; sending the event again is safe.
            BadEvent, KeyReused: the log refused it.
        """
        if self._loop is None or self._stopping:
            raise RecordUnavailable
        told: asyncio.Future[Receipt] = self._loop.create_future()
        self._waiting.append(_Waiting(event, self._monotonic(), told))
        self._there.set()
        return await told

    def _run(self) -> None:
        while not self._stopping:
            self._there.wait()
            # Before anything is taken: what is added from here on sets it again.
            self._there.clear()
            while taken := self._taken():
                self._send(taken)
        self._tell([(each, RecordUnavailable()) for each in self._taken()])

    def _taken(self) -> list[_Waiting]:
        taken: list[_Waiting] = []
        while self._waiting and len(taken) < _MOST:
            taken.append(self._waiting.popleft())
        return taken

    def _send(self, taken: Sequence[_Waiting]) -> None:
        begun = self._monotonic()
        sent = [each for each in taken if begun - each.since < self._patience]
        answers: list[Receipt | TallygateError] = []
        try:
            if sent:
                answers = self._asked([each.event for each in sent], begun)
        except TallygateError as error:
            answers = [error for _ in sent]
        except Exception:  # noqa: BLE001 - the thread must live, and nobody is granted anything by an error
            _log.error("not_recorded_together", exc_info=True)
            answers = [RecordUnavailable() for _ in sent]
        late = [(each, RecordUnavailable()) for each in taken if begun - each.since >= self._patience]
        self._tell([*zip(sent, answers, strict=True), *late])

    def _asked(self, events: Sequence[bytes], begun: float) -> list[Receipt | TallygateError]:
        try:
            return self._recorder.record_all(events)
        except RecordUnavailable:
            # As for one alone: a line that broke is opened once more, and their keys make it safe to send them again.
            if self._monotonic() - begun >= self._patience:
                raise
            return self._recorder.record_all(events)

    def _tell(self, told: Sequence[tuple[_Waiting, Receipt | TallygateError]]) -> None:
        if self._loop is not None and told:
            try:
                self._loop.call_soon_threadsafe(partial(_told, told))
            except RuntimeError:
                # The loop has ended, and with it whoever asked.
                self._stopping = True


def _told(told: Sequence[tuple[_Waiting, Receipt | TallygateError]]) -> None:
    for (_, _, future), answer in told:
        if future.done():
            continue
        if isinstance(answer, TallygateError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
