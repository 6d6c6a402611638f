# SPDX-License-Identifier: Apache-2.0
"""Mirrors read entry bundles: each range is recorded before its first bundle is handed out.

A mirror that copies a long log asks for thousands of bundles in a row. What it has begun to read is recorded as one
range ahead, and while it stays inside nothing more is recorded; so a copy does not make the log grow by what it reads.
"""

import threading

from ..models import Reader
from ..search import LogView, NoSuchTile, TileAddress
from .console import Console

AHEAD = 16_384
"""Entries that one record opens to a mirror; more than it reads in the end, never less."""


class Mirroring:
    """What the console gives to mirrors."""

    def __init__(self, console: Console, log: LogView) -> None:
        self._console = console
        self._log = log
        self._guard = threading.Lock()
        # By mirror and log: first entry that is open to it, and the first that is not any more.
        self._open: dict[tuple[str, str], tuple[int, int]] = {}

    def bundle(self, mirror: str, address: TileAddress, log: str = "") -> bytes:
        """One entry bundle.

        Raises:
            NoSuchTile: no published checkpoint implies it.
            NoSuchEntry: there is no closed log of that name.
            RecordUnavailable: the reading could not be recorded, so there is none.
        """
        size = self._log.tree_size(log)
        found = self._log.bundle(address.index, address.width, log) if address.implied_by(size) else None
        if found is None:
            raise NoSuchTile
        # The full bundle stands where a partial one was asked for, and may hold more.
        first, end = address.first, min(size, address.first + 256)
        with self._guard:
            begun, until = self._open.get((mirror, log), (0, 0))
            if not begun <= first <= end <= until:
                until = min(size, first + AHEAD)
                facts: dict[str, str | int | bool] = {"first": first, "count": until - first}
                self._console.record(
                    "audit.read", Reader(role=f"mirror:{mirror}"), attributes=facts | ({"log": log} if log else {})
                )
                self._open[mirror, log] = (first, until)
        return found
