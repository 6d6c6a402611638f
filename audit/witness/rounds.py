# SPDX-License-Identifier: Apache-2.0
"""The thread that goes round the witnesses: at once when somebody waits for them, else now and then."""

import threading
from collections.abc import Callable

from core.errors import TallygateError
from core.log import logger

from .asking import Cosigning

# Between two rounds, however many wait: a witness serves many logs.
_BREATH = 0.25
_log = logger(__name__)


class Rounds:
    """Keeps ``cosigning`` going; nothing that happens to it stops the log."""

    def __init__(self, cosigning: Cosigning, *, interval: float, breath: float = _BREATH) -> None:
        self.cosigning = cosigning
        self._interval = interval
        self._breath = breath
        self._wanted = threading.Event()
        # The first round comes with the start: how the witnesses stand should be known.
        self._wanted.set()
        self._stopping = threading.Event()

    def start(self, told: Callable[[], None]) -> None:
        """Begin; ``told`` is called in the thread after each round."""
        # A daemon: a witness that does not answer must not keep the process from ending.
        threading.Thread(target=self._run, args=(told,), name="witnesses", daemon=True).start()

    def wanted(self) -> None:
        """Somebody waits."""
        self._wanted.set()

    def stop(self) -> None:
        """No further round; one that is under way is left to itself."""
        self._stopping.set()
        self._wanted.set()

    def _run(self, told: Callable[[], None]) -> None:
        while True:
            self._wanted.wait(self._interval)
            self._wanted.clear()
            if self._stopping.is_set():
                return
            try:
                self.cosigning.advance()
            except (TallygateError, OSError) as error:
                _log.error("witnesses_not_asked", error=str(error))
            except Exception:  # noqa: BLE001 - the thread must live: without it nothing is witnessed any more
                _log.error("witnesses_not_asked", exc_info=True)
            if self._stopping.is_set():
                return
            told()
            self._stopping.wait(self._breath)
