# SPDX-License-Identifier: Apache-2.0
"""Events by HTTP, many at a time, for roles on other machines and for those who bring many at once.

The log itself decides on each event, as it does on its socket: the caller is shown to it by the caller's own secret,
which the audit role shares, so that nobody records in another's name. Nothing is kept here.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from core.errors import N_, Invalid, TallygateError

from .models import Receipt, Wait

LINES = "application/jsonl"
MOST_EVENTS = 2048
LARGEST_BODY = 8 * 1024 * 1024

# Bodies of more events than this wait for each other, so that memory holds few of them taken apart. While two are under
# way, the log is never without work.
_SMALL = 64
_LARGE_AT_ONCE = 2


class BadBatch(Invalid):
    """The body is not events, one on a line."""

    code = "bad_batch"
    message = N_("Send encoded events, one on each line, at most 2,048 of them.")


class Batches(Protocol):
    """A caller's own way into the log (``audit.client.RecorderClient``)."""

    def record_all(self, events: Sequence[bytes], *, wait: Wait) -> list[Receipt | TallygateError]:
        """Append encoded events; the answer to each in their order."""
        ...


class Intake:
    """Takes batches; ``recorder_of`` opens a caller's way into the log."""

    def __init__(self, recorder_of: Callable[[str], Batches]) -> None:
        self._recorder_of = recorder_of
        self._large = threading.BoundedSemaphore(_LARGE_AT_ONCE)

    def take(self, caller: str, body: bytes, *, wait: Wait) -> list[Receipt | TallygateError]:
        """Append the events of a body, each by itself; the answer to each in their order.

        Raises:
            BadBatch: the body has no events or too many.
            RecordUnavailable: it cannot be said of any; sending them again is safe.
        """
        events = body.removesuffix(b"\n").split(b"\n")
        if not body or len(events) > MOST_EVENTS or not all(events):
            raise BadBatch
        if len(events) <= _SMALL:
            return self._recorder_of(caller).record_all(events, wait=wait)
        with self._large:
            return self._recorder_of(caller).record_all(events, wait=wait)
