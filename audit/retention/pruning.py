# SPDX-License-Identifier: Apache-2.0
"""Bundles of entries whose classes have all run out: how far that goes, and removing them.

Hash tiles stay for ever, so every proof that was handed out still leads to the root. A bundle that holds an entry
about a person on whom a hold lies stays, and with it everything after.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from ..blobs import BlobStore
from ..events import KINDS, Retention
from ..merkle import LogKey
from ..merkle.pruning import PRUNED, Pruning
from ..merkle.tiles import WIDTH, bundle_path
from ..reader import LogReader

MOST = 4096
"""Bundles looked at in one run: a million entries."""
_AT_ONCE = 256


class Bundles:
    """The entry bundles of one log."""

    def __init__(self, blobs: BlobStore, reader: LogReader, key: LogKey) -> None:
        self._blobs = blobs
        self._reader = reader
        self._key = key

    def expired(self, now: datetime, terms: Mapping[Retention, int], held: Callable[[str], bool]) -> int:
        """The entry below which every bundle is full and has run out; 0 if there is nothing new to remove."""
        first, size = self._reader.first(), self._reader.size()
        reached = first
        for _ in range(MOST):
            # The newest full bundle stays too: the writer goes on from there.
            if reached + 2 * WIDTH > size:
                break
            found = [entry.event for entry in self._reader.entries(reached, WIDTH)]
            if any(each.at + timedelta(days=terms[KINDS[each.type].retention]) > now for each in found):
                break
            if any(held(each.subject) for each in found if each.subject):
                break
            reached += WIDTH
        return reached if reached > first else 0

    def prune(self, first: int, recorded: int) -> None:
        """Remove every bundle below an entry; that it is policy is signed before the first one goes."""
        was = self._reader.first()
        if first > was:
            note = Pruning(self._key.origin, first, recorded).sign(self._key)
            self._blobs.replace(PRUNED, note)
        # From the beginning of what any cut-off run may have left.
        paths = [bundle_path(index) for index in range(max(0, first // WIDTH - MOST), first // WIDTH)]
        for start in range(0, len(paths), _AT_ONCE):
            self._blobs.remove(paths[start : start + _AT_ONCE])
