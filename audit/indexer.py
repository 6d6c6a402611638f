# SPDX-License-Identifier: Apache-2.0
"""Follows the published log into the search index; the position moves in the transaction that adds the rows.

Several processes may run an indexer over one index: whoever comes second finds the position moved and reads on from
there. A crash loses nothing but the batch being read. A rebuilding makes a new index beside the old one, which
answers until the new one holds as much as the log. Entries that a policy of retention had pruned are in no index that
is built afterwards; an index that is behind them is built anew.
"""

from collections.abc import Callable, Mapping, Sequence

from core.errors import TallygateError
from core.log import logger

from .errors import Erased, IndexInUse, LogDamaged, Pruned, RecordUnavailable
from .models import Entry
from .search import Indexed, LogView, NameTokens, row_of
from .store import IndexStore

BATCH = 256
_BULK = 16 * BATCH
"""Entries of one transaction while many are read: the full-text index is written in larger pieces."""
_log = logger(__name__)


class Indexer:
    """Keeps one index level with one log."""

    def __init__(self, *, log: LogView, store: IndexStore, names: NameTokens) -> None:
        self._log = log
        self._store = store
        self._names = names

    def catch_up(self, *, batches: int | None = None, stopped: Callable[[], bool] = lambda: False) -> int:
        """Read until the index holds what is published now, or until ``batches`` were read; the lag that is left.

        Raises:
            IndexDamaged: the newest part of the index cannot be read; it must be rebuilt.
        """
        size = self._log.size()
        position = self._store.position()
        done = 0
        while position < size and (batches is None or done < batches) and not stopped():
            bulk = batches is None and size - position >= _BULK
            try:
                self._step(position, _BULK if bulk else min(BATCH, size - position))
            except Pruned:
                # Whoever waits for an answer does not wait for a whole index; the watch builds it.
                if batches is not None or not self._behind(position):
                    break
            position = self._store.position()
            done += 1
        return max(0, size - position)

    def rebuild(self, *, told: Callable[[int, int], None] = lambda _position, _size: None) -> int:
        """Read the log again into a new index, which then takes the place of the old one; what was dropped stays away.

        What is pruned is passed over. How many entries were read; ``told`` hears now and then how far it got. Killed
        midway, the old index stays.

        Raises:
            IndexInUse: somebody else is rebuilding it.
        """
        begin = max(self._store.begin(), self._log.first())
        with self._store.rebuilding(begin) as new:
            indexer = Indexer(log=self._log, store=new, names=self._names)
            while indexer.catch_up(batches=0):
                indexer._step(new.position(), min(_BULK, self._log.size() - new.position()))
                told(new.position(), self._log.size())
            return new.position() - begin

    def differs(self, start: int, end: int) -> int | None:
        """The first entry of a stretch, within one part, that the index holds otherwise than the log; None if none.

        Raises:
            IndexDamaged: the part cannot be read.
        """
        with self._store.adding():
            while start < end:
                entries = self._indexed(self._log.read(start, min(BATCH * 4, end - start)))
                if not entries or entries[0].row.index != start:
                    raise RecordUnavailable
                if (found := self._store.differs(entries)) is not None:
                    return found
                start += len(entries)
        return None

    def mend(self, first: int, end: int) -> None:
        """Read one part's stretch of the log again, into a part that takes its place; until then the old one answers.

        What comes in meanwhile behind ``end`` is read again by whoever catches up.

        Raises:
            IndexInUse: somebody else is rebuilding the index.
            Pruned: its entries are no longer kept.
        """
        with self._store.mending(first) as new:
            indexer = Indexer(log=self._log, store=new, names=self._names)
            while (position := new.position()) < end:
                indexer._step(position, min(_BULK, end - position))

    def _behind(self, position: int) -> bool:
        """Whether a new index was built because this one ends before the first entry that is kept."""
        first = self._log.first()
        if first <= position:
            raise LogDamaged(index=position, why="it is said to be pruned and lies where all is kept")
        _log.warning("index_behind_pruned", position=position, first=first)
        try:
            self.rebuild()
        except IndexInUse:
            return False
        return True

    def _step(self, start: int, limit: int) -> None:
        with self._store.adding():
            found: list[Indexed] = []
            while len(found) < limit:
                entries = self._log.read(start + len(found), min(BATCH, limit - len(found)))
                if not entries or entries[0].index != start + len(found):
                    if found:
                        break
                    raise RecordUnavailable
                found += self._indexed(entries)
            self._store.add(start, found)

    def _indexed(self, entries: Sequence[Entry]) -> list[Indexed]:
        opened = self._log.unseal_all(entries)
        return [self._row(entry, self._part(entry, part)) for entry, part in zip(entries, opened, strict=True)]

    def _row(self, entry: Entry, sealed: Mapping[str, str]) -> Indexed:
        row = row_of(entry)
        marks, words = self._names.words.marks(entry.event, row.reason, sealed)
        return Indexed(row=row, marks=marks, sealed=words, names=self._names.tokens(sealed))

    def _part(self, entry: Entry, part: Mapping[str, str] | TallygateError) -> Mapping[str, str]:
        if not isinstance(part, TallygateError):
            return part
        if not isinstance(part, Erased):
            # One unreadable part must not hide all later entries; opening this one reports the damage.
            _log.error("sealed_part_damaged", index=entry.index, exc_info=part)
        return {}
