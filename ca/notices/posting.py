# SPDX-License-Identifier: Apache-2.0
"""Plans and hands over notices every few minutes; a mail server that is slow keeps nothing else waiting."""

import threading

from core.errors import TallygateError
from core.log import logger

from .service import Notices

_log = logger(__name__)
INTERVAL = 300.0


class NoticeKeeper:
    """A daemon thread; what it did not finish waits in the tables."""

    def __init__(self, notices: Notices, *, interval: float = INTERVAL) -> None:
        self._notices = notices
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ca-notices", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for a round under way."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        pause = 1.0
        while not self._stopped.wait(pause):
            pause = self._interval
            try:
                self._notices.round()
            except TallygateError as error:
                _log.warning("notices_wait", code=error.code)
            except Exception:  # noqa: BLE001 - without this thread nobody would be told any more
                _log.error("notices_failed", exc_info=True)
