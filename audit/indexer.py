# SPDX-License-Identifier: Apache-2.0
"""Follows the published log into the search index; the position moves in the transaction that adds the rows.

Several processes may run an indexer over one index: whoever comes second finds the position moved and reads on from
there. A crash loses nothing but the batch being read.
"""

import threading

from core.log import logger

from .errors import LogDamaged, RecordUnavailable
from .models import Entry
from .search import LogView, NameTokens, row_of
from .store import IndexStore

BATCH = 256
_INTERVAL = 0.25
_log = logger(__name__)


class Indexer:
    """Keeps one index level with one log."""

    def __init__(self, *, log: LogView, store: IndexStore, names: NameTokens, interval: float = _INTERVAL) -> None:
        self._log = log
        self._store = store
        self._names = names
        self._interval = interval
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def catch_up(self, *, batches: int | None = None) -> int:
        """Read until the index holds what is published now, or until ``batches`` were read; the lag that is left."""
        size = self._log.size()
        position = self._store.position()
        done = 0
        while position < size and (batches is None or done < batches) and not self._stopped.is_set():
            self._step(position, min(BATCH, size - position))
            position = self._store.position()
            done += 1
        return max(0, size - position)

    def rebuild(self) -> int:
        """Throw everything away and read the log again from entry 0; how many entries the index holds."""
        self._store.clear()
        self.catch_up()
        return self._store.position()

    def start(self) -> None:
        """Follow in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="indexer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the batch it is at."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        known = ""
        while not self._stopped.is_set():
            try:
                self.catch_up()
                cause = ""
            except Exception as error:  # noqa: BLE001 - the thread must live, whatever it was
                # The index stays behind and says so on every page; the next round tries again.
                cause = type(error).__name__
            if cause != known:
                _log.warning("index_follows" if not cause else "index_behind", cause=cause)
            known = cause
            self._stopped.wait(self._interval)

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
