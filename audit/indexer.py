# SPDX-License-Identifier: Apache-2.0
"""Follows the published log into the search index; the position moves in the transaction that adds the rows.

Several processes may run an indexer over one index: whoever comes second finds the position moved and reads on from
there. A crash loses nothing but the batch being read.
"""

from collections.abc import Callable

from core.log import logger

from .errors import LogDamaged, RecordUnavailable
from .models import Entry
from .search import LogView, NameTokens, row_of
from .store import IndexStore

BATCH = 256
_log = logger(__name__)


class Indexer:
    """Keeps one index level with one log."""

    def __init__(self, *, log: LogView, store: IndexStore, names: NameTokens) -> None:
        self._log = log
        self._store = store
        self._names = names

    def catch_up(self, *, batches: int | None = None, stopped: Callable[[], bool] = lambda: False) -> int:
        """Read until the index holds what is published now, or until ``batches`` were read; the lag that is left."""
        size = self._log.size()
        position = self._store.position()
        done = 0
        while position < size and (batches is None or done < batches) and not stopped():
            self._step(position, min(BATCH, size - position))
            position = self._store.position()
            done += 1
        return max(0, size - position)

    def rebuild(self) -> int:
        """Throw everything away and read the log again from entry 0; how many entries the index holds."""
        self._store.clear()
        self.catch_up()
        return self._store.position()

    def _step(self, start: int, limit: int) -> None:
        entries = self._log.read(start, limit)
        if not entries or entries[0].index != start:
            raise RecordUnavailable
        tokens: dict[str, set[bytes]] = {}
        for entry in entries:
            if found := self._names_in(entry):
                tokens.setdefault(entry.event.subject, set()).update(found)
        self._store.add(start, [row_of(entry) for entry in entries], tokens)

    def _names_in(self, entry: Entry) -> frozenset[bytes]:
        try:
            sealed = self._log.unseal(entry) if entry.ciphertext else None
        except LogDamaged as error:
            # One unreadable part must not hide all later entries; opening this one reports the damage.
            _log.error("sealed_part_damaged", index=entry.index, exc_info=error)
            return frozenset()
        return self._names.tokens(sealed) if sealed else frozenset()
