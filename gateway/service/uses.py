# SPDX-License-Identifier: Apache-2.0
"""When sessions were used: noted by the decisions, written together a moment later.

A write for each would make a decision wait for the disk, and many of them for each other. What was noted and not
written when a process dies is lost: its sessions count as idle a moment earlier than they were, never later.
"""

import threading
from datetime import datetime

from core.errors import TallygateError
from core.log import logger

from ..store import Store

EVERY = 1.0
"""Seconds between two writings."""
_log = logger(__name__)


class Uses:
    """One per worker; safe for its threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._noted: dict[str, datetime] = {}

    def note(self, digest: str, *, at: datetime) -> None:
        """Remember that a session was used."""
        with self._lock:
            self._noted[digest] = at

    def write(self) -> None:
        """Write what was noted; what the tables do not take is kept for the next time, but for what is newer.

        Raises:
            DatabaseUnavailable: nothing was written.
        """
        with self._lock:
            noted, self._noted = self._noted, {}
        try:
            self._store.touch(noted)
        except BaseException:
            with self._lock:
                self._noted = noted | self._noted
            raise

    def start(self) -> None:
        """Write again and again, in a thread of its own."""
        threading.Thread(target=self._keep_writing, name="gateway-uses", daemon=True).start()

    def _keep_writing(self) -> None:
        pause = threading.Event()
        while not pause.wait(EVERY):
            try:
                self.write()
            except TallygateError as error:
                _log.warning("uses_wait", code=error.code)
            except Exception:  # noqa: BLE001 - without this thread every session would end as idle
                _log.error("uses_not_written", exc_info=True)
