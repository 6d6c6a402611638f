# SPDX-License-Identifier: Apache-2.0
"""The full check of our own logs, done again and again: every bundle, leaf, tile and signature, as an outsider would.

A flipped bit off the path of every proof that somebody asked for is found here and nowhere else. What was found stands
in the record itself: a check that passed, or the first entry that is not what was signed. The check goes on telling
until the damage is mended, for a log that is damaged can be answered by its successor only.

The search index is compared with the logs a stretch at a time, and goes round the whole in days. A part that holds
something else than the log, or that cannot be read, is read again from the log and takes the place of the bad one. Not
found are words that an entry has only in the index: whoever searches for them sees an entry too many, and opens it
from the log.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from core.clock import Clock
from core.log import logger

from .blobs import BlobStore
from .errors import LogDamaged
from .indexer import Indexer
from .merkle import VerifierKey
from .models import Attribute, Event, Outcome, Recorder
from .models_codec import new_key
from .search import IndexDamaged, LogView, Stretch
from .store import IndexChecked, IndexStore
from .verify import Report, verify_chain_of

INDEX_CHECK_EVERY = timedelta(minutes=10)
_WHOLE_IN = timedelta(days=7)
_LEAST, _MOST = 1024, 16_384
"""Entries of one round: some seconds of one core at most. An index of more than 16 million takes longer than a week."""
_log = logger(__name__)


class FullCheck:
    """Checks every log of the site from where its public part lies, and that each continues the one before."""

    def __init__(self, logs: Sequence[tuple[BlobStore, str]], *, recorder: Recorder, clock: Clock) -> None:
        """``logs`` are where each lies with its key, oldest first; the last one is the present one."""
        self._logs = [(blobs.get, VerifierKey.parse(key)) for blobs, key in logs]
        self._recorder = recorder
        self._clock = clock

    def round(self) -> list[Report]:
        """Check everything once and record what was found; a report of each log.

        Raises:
            LogDamaged: names the first bad entry; it is on the record.
            RecordUnavailable: what was found could not be recorded.
        """
        try:
            reports = verify_chain_of(self._logs)
        except LogDamaged as error:
            self._record("audit.check.failed", _told(error), Outcome.FAILURE)
            raise
        told: dict[str, Attribute] = {
            "size": sum(report.size for report in reports),
            "tiles": sum(report.tiles for report in reports),
        }
        if len(reports) > 1:
            told["logs"] = len(reports)
        if pruned := sum(report.pruned for report in reports):
            # Of these only the hashes are there to be checked.
            told["pruned"] = pruned
        self._record("audit.check.passed", told, Outcome.SUCCESS)
        return reports

    def _record(self, kind: str, told: dict[str, Attribute], outcome: Outcome) -> None:
        self._recorder.record(
            Event(
                key=new_key(),
                type=kind,
                outcome=outcome,
                at=self._clock.now(),
                source="audit",
                # The first bad entry, if one was found.
                object=str(told.get("index", "")),
                attributes=told,
            )
        )


def _told(error: LogDamaged) -> dict[str, Attribute]:
    return {"index": int(error.parameters["index"]), "reason": str(error.parameters["why"])}


class IndexCheck:
    """Compares the index with the log, a stretch in each round, and mends what is not the same."""

    def __init__(self, *, index: IndexStore, indexer: Indexer, log: LogView, folder: Path, clock: Clock) -> None:
        self._index = index
        self._indexer = indexer
        self._log = log
        self._folder = folder
        self._clock = clock

    def round(self, stopped: Callable[[], bool] = lambda: False) -> IndexChecked:
        """Compare the next stretch, and mend at once what is found.

        Raises:
            IndexInUse: a part is bad and somebody is rebuilding the index; the next round finds it again.
            Pruned: a part is bad and the log no longer keeps its entries.
        """
        for damaged in self._index.damaged():
            self._mend(damaged)
        before = IndexChecked.read(self._folder)
        size = min(self._index.position(), self._log.size())
        begin = max(self._index.begin(), self._log.first())
        place = before.place if begin <= before.place < size else begin
        left = max(_LEAST, min(_MOST, int(size * (INDEX_CHECK_EVERY / _WHOLE_IN))))
        while left > 0 and place < size and not stopped():
            part = self._index.holding(place)
            if part is None:
                break
            end = min(part.end, size, place + left)
            if self._bad(part, place, end):
                self._mend(part)
                size = min(size, self._index.position())
            left -= end - place
            place = end
        # What was found stands there by now.
        after = replace(IndexChecked.read(self._folder), place=place, size=size)
        if place >= size:
            after = replace(after, place=begin, whole=self._clock.now().isoformat())
        after.keep(self._folder)
        return after

    def _bad(self, part: Stretch, place: int, end: int) -> bool:
        try:
            if place == part.first:
                self._index.check_part(place)
            bad = self._indexer.differs(place, end)
        except IndexDamaged:
            return True
        return bad is not None

    def _mend(self, part: Stretch) -> None:
        end = part.end if part.end > part.first else self._log.size()
        known = IndexChecked.read(self._folder)
        if known.mended or known.first != part.first:
            found_at = self._clock.now().isoformat()
            known = replace(known, found=known.found + 1, found_at=found_at, first=part.first, end=end, mended=False)
            known.keep(self._folder)
        _log.error("index_differs", first=part.first, end=end)
        self._indexer.mend(part.first, end)
        replace(known, mended=True).keep(self._folder)
        _log.warning("index_mended", first=part.first, end=end)
