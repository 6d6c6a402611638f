# SPDX-License-Identifier: Apache-2.0
"""Where agreed jobs are issued: threads of one process at a time, which holds a lock as long as it lives.

Whoever gets the lock knows that its last holder is dead, and takes up what that one left. Two threads share the work,
so that one lints while the other waits for the record and the disk.
"""

import fcntl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from core.errors import TallygateError
from core.log import logger

from .service import Bulk

_log = logger(__name__)

THREADS = 2
INTERVAL = 2.0
"""Seconds between two looks for jobs that another process was given."""


class Workshop:
    """A daemon thread that looks for jobs, and those that issue."""

    def __init__(self, bulk: Bulk, *, lock: Path, interval: float = INTERVAL) -> None:
        self._bulk = bulk
        self._path = lock
        self._interval = interval
        self._held: BinaryIO | None = None
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="ca-bulk", daemon=True)

    def start(self) -> None:
        """Begin; at once, so that a restart goes on with what was interrupted."""
        self._bulk.begin = self._wake.set
        self._wake.set()
        self._thread.start()

    def stop(self) -> None:
        """End, wait for the batches under way, and give the lock back."""
        self._stopped = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._held is not None:
            self._held.close()
            self._held = None

    def round(self) -> int:
        """Issue everything there is; returns how many lines.

        Raises:
            TallygateError: not now; what is left is for a later round.
        """
        if not self._mine():
            return 0
        done = 0
        for identifier in self._bulk.running():
            with ThreadPoolExecutor(THREADS, "ca-bulk-issue") as threads:
                done += sum(threads.map(self._drain, [identifier] * THREADS))
            self._bulk.finish(identifier)
        return done

    def _drain(self, identifier: str) -> int:
        done = 0
        while not self._stopped and (count := self._bulk.step(identifier)):
            done += count
        return done

    def _mine(self) -> bool:
        if self._held is not None:
            return True
        file = self._path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._bulk.recover()
        self._held = file
        return True

    def _run(self) -> None:
        while True:
            self._wake.wait(self._interval)
            if self._stopped:
                return
            self._wake.clear()
            try:
                self.round()
            except TallygateError as error:
                _log.warning("bulk_postponed", code=error.code)
            except Exception:  # noqa: BLE001 - without this thread agreed jobs would wait for ever unnoticed
                _log.error("bulk_failed", exc_info=True)
