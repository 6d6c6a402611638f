# SPDX-License-Identifier: Apache-2.0
"""Checks in the background, a stretch at a time: what is new within minutes, everything again when a sweep is due."""

import threading
import time
from datetime import timedelta

from core.errors import TallygateError
from core.log import logger

from .checker import Checker

_log = logger(__name__)
IDLE = 60.0
"""Seconds between two looks for what is new."""
REST = 4.0
"""So many times as long as a stretch of a sweep took it rests: a sweep takes a fifth of one processor at most."""


class Watchman:
    """A daemon thread; what it did not finish it goes on with after a restart."""

    def __init__(self, checker: Checker, *, every: timedelta, idle: float = IDLE, rest: float = REST) -> None:
        self._checker = checker
        self._every = every
        self._idle = idle
        self._rest = rest
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ca-checker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for a stretch under way."""
        self._stopped.set()
        self._thread.join()

    def round(self) -> bool:
        """One stretch of what is new, and one of a sweep if one is due; whether there is more to do at once.

        Raises:
            TallygateError: the database is away; a later round does it.
        """
        more = not self._checker.check_new().ended
        if self._checker.sweep_due(self._every):
            self._checker.begin()
            more = not self._checker.sweep().ended or more
        return more

    def _run(self) -> None:
        pause = 1.0
        while not self._stopped.wait(pause):
            try:
                began = time.monotonic()
                more = self.round()
                pause = (time.monotonic() - began) * self._rest if more else self._idle
            except TallygateError as error:
                _log.warning("check_postponed", code=error.code)
                pause = self._idle
            except Exception:  # noqa: BLE001 - without this thread nothing wrong would be noticed any more
                _log.error("check_failed", exc_info=True)
                pause = self._idle
