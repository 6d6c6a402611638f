# SPDX-License-Identifier: Apache-2.0
"""Requests for evidence: they wait until enough witnesses have cosigned a checkpoint that covers their entry.

Lives in the log's loop; the rounds of asking run in a thread of their own and only say when one is over.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import RecordUnavailable
from ..models import Receipt, Wait
from ..witness.rounds import Rounds
from .connection import Answer

# Seconds after which nobody waits on the other end any more.
PATIENCE = 30.0
_MOST = 4096


@dataclass(frozen=True)
class _Waiting:
    index: int
    leaf: bytes
    answer: Answer
    until: float


class Evidence:
    """What waits for witnesses, in the order in which it came."""

    def __init__(self, rounds: Rounds, *, origin: str) -> None:
        self._rounds = rounds
        self._origin = origin
        self._waiting: deque[_Waiting] = deque()
        self._met: bool | None = None
        self._stopped = False

    def start(self, *, flush: Callable[[], None], changed: Callable[[bool], None]) -> None:
        """Begin the rounds; ``changed`` hears when the quorum is lost, and when it is back."""
        loop = asyncio.get_running_loop()
        self._loop, self._flush, self._changed = loop, flush, changed

        def told() -> None:
            # The loop is closed before the thread has noticed that it should stop.
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._tell)

        self._rounds.start(told)

    def add(self, index: int, leaf: bytes, answer: Answer) -> None:
        """Answer at once if the entry is covered already; else when it is, or that it was not in time."""
        if self._answered(index, leaf, answer):
            return
        if self._stopped or len(self._waiting) >= _MOST:
            answer(RecordUnavailable())
            return
        self._waiting.append(_Waiting(index, leaf, answer, self._loop.time() + PATIENCE))
        self._rounds.wanted()

    def stop(self) -> None:
        """Refuse whoever still waits."""
        self._stopped = True
        self._rounds.stop()
        while self._waiting:
            self._waiting.popleft().answer(RecordUnavailable())

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        now = self._loop.time()
        for each in waiting:
            if self._answered(each.index, each.leaf, each.answer):
                continue
            if each.until <= now or self._stopped:
                each.answer(RecordUnavailable())
            else:
                self._waiting.append(each)
        self._flush()
        if self._waiting:
            self._rounds.wanted()
        met = self._rounds.cosigning.met
        if met is not None and met is not self._met:
            # That all is well from the start is no news.
            if self._met is not None or not met:
                self._changed(met)
            self._met = met

    def _answered(self, index: int, leaf: bytes, answer: Answer) -> bool:
        kept = self._rounds.cosigning.kept
        if index >= kept.size:
            return False
        answer(Receipt(log=self._origin, index=index, leaf=leaf, level=Wait.WITNESSED, checkpoint=kept.note))
        return True

    _loop: asyncio.AbstractEventLoop
    _flush: Callable[[], None]
    _changed: Callable[[bool], None]
