# SPDX-License-Identifier: Apache-2.0
"""What must not be left lying: documents that are over, and acts whose process died. Looked after in the background."""

import threading
from collections.abc import Callable, Sequence

from core.log import logger

_PAUSE = 60.0
_log = logger(__name__)


class Housekeeping:
    """Does each of a few works again and again; one that fails is tried again at the next round."""

    def __init__(self, works: Sequence[Callable[[], object]], *, pause: float = _PAUSE) -> None:
        self._works = list(works)
        self._pause = pause
        self._stop = threading.Event()

    def round(self) -> None:
        """Do each once."""
        for work in self._works:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - whatever it was, the next round tries again, and the other works go on
                _log.warning("housekeeping_failed", cause=type(error).__name__)

    def start(self) -> None:
        """Begin in a thread that ends with the process."""
        threading.Thread(target=self._run, name="housekeeping", daemon=True).start()

    def stop(self) -> None:
        """No further round."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            self.round()
