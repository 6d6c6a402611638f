# SPDX-License-Identifier: Apache-2.0
"""Bundles of entries whose classes have all run out: how far that goes, and removing them.

Hash tiles stay for ever, so every proof that was handed out still leads to the root. A bundle that holds an entry
about a person on whom a hold lies stays, and with it everything after.
"""

from collections.abc import Callable, Mapping, Sequence
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


Held = Callable[[str], bool]


class Bundles:
    """The entry bundles of one log; a ``closed`` one keeps its last bundle, which names its successor."""

    def __init__(self, blobs: BlobStore, reader: LogReader, key: LogKey, *, closed: bool = False) -> None:
        self._blobs = blobs
        self._reader = reader
        self._key = key
        self._closed = closed

    @property
    def size(self) -> int:
        """How many entries are published."""
        return self._reader.size()

    def expired(self, now: datetime, terms: Mapping[Retention, int], held: Held) -> tuple[int, bool]:
        """The entry below which every bundle has run out, 0 if nothing new can go; and whether all of a closed log has.

        Only full bundles go, and of the present log not the newest of them: the writer goes on from there.
        """
        first, size = self._reader.first(), self._reader.size()
        end = (size - 1) // WIDTH * WIDTH if self._closed else max(0, size // WIDTH - 1) * WIDTH
        reached = first
        while reached < end and reached < first + MOST * WIDTH and self._has_run_out(reached, now, terms, held):
            reached += WIDTH
        over = self._closed and reached >= end and self._has_run_out(end, now, terms, held)
        return (reached if reached > first else 0), over

    def _has_run_out(self, start: int, now: datetime, terms: Mapping[Retention, int], held: Held) -> bool:
        found = [entry.event for entry in self._reader.entries(start, WIDTH)]
        if any(each.at + timedelta(days=terms[KINDS[each.type].retention]) > now for each in found):
            return False
        return not any(held(each.subject) for each in found if each.subject)

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


class AllBundles:
    """Those of a site's logs, oldest first, the present one last; counts places.

    A log is begun on when all that came before it has run out, so that from one place on everything is kept.
    """

    def __init__(self, logs: Sequence[Bundles]) -> None:
        self._logs = logs

    @property
    def before(self) -> int:
        """How many places lie before the present log."""
        return sum(log.size for log in self._logs[:-1])

    def expired(self, now: datetime, terms: Mapping[Retention, int], held: Held) -> int:
        """The place below which all that may go has run out; 0 if there is nothing new to remove."""
        found = base = 0
        for log in self._logs:
            reached, over = log.expired(now, terms, held)
            found = base + reached if reached else found
            if not over:
                break
            base += log.size
        return found

    def prune(self, place: int, recorded: int) -> None:
        """Remove what lies below a place.

        A closed log's note says the place of the record, for it is not in that log.
        """
        base = 0
        for log in self._logs[:-1]:
            if (first := min(place - base, log.size - 1) // WIDTH * WIDTH) > 0:
                log.prune(first, recorded)
            base += log.size
        if place > base:
            self._logs[-1].prune(place - base, recorded - base)
