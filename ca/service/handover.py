# SPDX-License-Identifier: Apache-2.0
"""Which certificates were handed over, until a transaction that is made anyway says so in the tables.

A commit for that alone would be a sync for each certificate. A process that dies with some in here leaves them
"signed", which is worth as much: they can be fetched by their serial.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue

_MOST = 100


class Handover:
    """The serials that wait to be called delivered; shared by all threads."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[str] = SimpleQueue()

    def add(self, serial: str) -> None:
        """Remember one that goes to its requester now."""
        self._waiting.put(serial)

    @contextmanager
    def taken(self) -> Iterator[list[str]]:
        """Some of those that wait; if what is done with them fails, they wait on."""
        serials: list[str] = []
        with suppress(Empty):
            while len(serials) < _MOST:
                serials.append(self._waiting.get_nowait())
        try:
            yield serials
        except BaseException:
            for serial in serials:
                self._waiting.put(serial)
            raise
