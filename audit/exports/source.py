# SPDX-License-Identifier: Apache-2.0
"""The published log as it is exported: every bundle is checked against the tree before an entry of it leaves."""

from collections.abc import Sequence

from ..models import Entry
from ..models_codec import decode_entry
from ..reader import LogReader


class PublishedSource:
    """One log folder."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self.origin = reader.checkpoint().origin

    def size(self) -> int:
        """How many entries are published."""
        return self._reader.size()

    def first(self) -> int:
        """The first entry that is still kept."""
        return self._reader.first()

    def read(self, start: int, limit: int) -> Sequence[tuple[Entry, bytes]]:
        """Entries with the bytes that were hashed; none beyond the checkpoint."""
        found = self._reader.entries_bytes(start, limit)
        return [(decode_entry(start + i, raw), raw) for i, raw in enumerate(found)]
