# SPDX-License-Identifier: Apache-2.0
"""Has the log's work done by its helping processes; subjects' keys reach them over their sockets alone."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

from core.crew import Crew, Helper
from core.log import logger

from ..errors import BadEvent
from ..models_codec import Draft
from .work import Job, Made, Work, asked_to_make, asked_to_read, make, read, told_made, told_read

# Fewer are done for less than it costs to send them and hear of them again.
_FEW = 128
_log = logger(__name__)
_T = TypeVar("_T")
_A = TypeVar("_A")


class Press:
    """Reads and makes; any thread may ask."""

    def __init__(self, helpers: int = 0) -> None:
        """Start so many processes; with none, whoever asks computes."""
        self._crew = Crew("audit.press", helpers, died=_died)
        self._threads = ThreadPoolExecutor(self.at_once, "log-press")

    @property
    def helpers(self) -> Sequence[Helper]:
        """The processes as they are now."""
        return self._crew.helpers

    @property
    def at_once(self) -> int:
        """How many pieces of work are done at the same time."""
        return max(1, len(self.helpers))

    def read(self, events: Sequence[bytes]) -> list[Draft | BadEvent]:
        """Check encoded events; the answer to each in their order."""
        return self._asked(
            events, read, lambda: Work.READ.ask(asked_to_read(events)), lambda answer: told_read(events, answer)
        )

    def make(self, jobs: Sequence[Job]) -> list[Made | None]:
        """Seal, encode and hash, shared among the helpers; None where the entry became too long."""
        if not self._shared(jobs):
            return make(jobs)
        size = -(-len(jobs) // len(self.helpers))
        parts = [jobs[start : start + size] for start in range(0, len(jobs), size)]
        return list(chain.from_iterable(self._threads.map(self._make, parts)))

    def close(self) -> None:
        """End the helpers."""
        self._threads.shutdown()
        self._crew.close()

    def _make(self, jobs: Sequence[Job]) -> list[Made | None]:
        return self._asked(jobs, make, lambda: Work.MAKE.ask(asked_to_make(jobs)), told_made)

    def _shared(self, items: Sequence[object]) -> bool:
        return bool(self.helpers) and len(items) > _FEW

    def _asked(
        self,
        items: Sequence[_T],
        here: Callable[[Sequence[_T]], list[_A]],
        question: Callable[[], bytes],
        told: Callable[[bytes], list[_A]],
    ) -> list[_A]:
        if not self._shared(items):
            return here(items)
        found = self._crew.ask(question(), told, wait=True)
        return here(items) if found is None else found


def _died(error: Exception) -> None:
    _log.warning("log_helper_died", exc_info=error)
