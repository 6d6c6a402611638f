# SPDX-License-Identifier: Apache-2.0
"""The published log as it is exported: every bundle is checked against the tree before an entry of it leaves."""

from collections.abc import Sequence

from ..lineage import Past
from ..models import Entry
from ..models_codec import decode_entry
from ..reader import LogReader


class PublishedSource:
    """A site's logs as one row of places: the closed ones in ``past``, and the present one."""

    def __init__(self, reader: LogReader, past: Past | None = None) -> None:
        self._reader = reader
        self._past = past or Past()
        self.origin = reader.origin

    def size(self) -> int:
        """How many places are published."""
        return self._past.size + self._reader.size()

    def first(self) -> int:
        """The first place from which on everything is kept."""
        return self._past.first(self._reader)

    def address(self, place: int) -> tuple[str, int]:
        """The origin of the log in which an entry stands, and its index there."""
        log = self._past.at(place)
        return (self.origin, place - self._past.size) if log is None else (log.reader.origin, place - log.base)

    def read(self, start: int, limit: int) -> Sequence[tuple[Entry, bytes]]:
        """Entries with the bytes that were hashed, each under its place; none beyond the checkpoint."""
        if self._past.at(start) is not None:
            found = self._past.read(start, limit)
        else:
            found = self._reader.entries_bytes(start - self._past.size, limit)
        return [(decode_entry(start + i, raw), raw) for i, raw in enumerate(found)]
