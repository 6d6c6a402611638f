# SPDX-License-Identifier: Apache-2.0
"""Undoes at once what nobody recorded, where the site's settings say so, and stops when somebody goes on doing it."""

import hashlib
from dataclasses import replace

from audit import Outcome
from core.clock import Clock
from core.log import logger

from ..errors import ChangedSince
from ..store import Fate, Store
from .events import event, note
from .unrecorded import Unrecorded

_log = logger(__name__)
_WINDOW = 3600
_MOST_AT_ONCE = 100


class Reverting:
    """Called every second by the role that writes, after the watch has looked."""

    def __init__(self, *, store: Store, unrecorded: Unrecorded, clock: Clock, at_once: bool, most: int) -> None:
        self._store = store
        self._unrecorded = unrecorded
        self._clock = clock
        self._at_once = at_once
        self._most = most
        # What could not be undone is for somebody to decide, and not tried again by this process.
        self._left: set[int] = set()

    def tend(self) -> int:
        """Undo what is open, the newest first, as far as the brake allows; returns how many that were.

        Raises:
            DirectoryUnavailable, RecordUnavailable, OutboxFull: it is done the next time.
        """
        if not self._at_once:
            return 0
        done = 0
        for found in self._unrecorded.newest(limit=_MOST_AT_ONCE):
            if found.fate is not Fate.OPEN or found.number in self._left or not found.can_be_undone:
                continue
            if self._store.undone_since(int(self._clock.now().timestamp()) - _WINDOW) >= self._most:
                self._stop()
                break
            try:
                self._unrecorded.undo(found.number, actor="")
            except ChangedSince:
                self._left.add(found.number)
            else:
                done += 1
        return done

    def _stop(self) -> None:
        """Say so, once in an hour."""
        at = self._clock.now()
        hour = f"directory.undo.stopped {int(at.timestamp()) // _WINDOW}"
        key = hashlib.sha256(hour.encode()).hexdigest()[:32]
        what = {"most": self._most, "open": self._unrecorded.open()}
        said = event("directory.undo.stopped", Outcome.FAILURE, at, operation=key, attributes=what)
        if self._store.tell_once(note(replace(said, key=key))):
            _log.error("undo_stopped", most=self._most)
