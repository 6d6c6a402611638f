# SPDX-License-Identifier: Apache-2.0
"""Looks after OCSP answers made beforehand: every second at what changed, here or in another process, and at age."""

import threading

from core.errors import TallygateError
from core.log import logger

from .authority import CertificateAuthority

_log = logger(__name__)

INTERVAL = 1.0
ROUNDS = 300
"""So many looks at changes to one walk over all answers, which reads a folder as large as what was ever asked."""


class AnswerKeeper:
    """A daemon thread; begins at once, so that what a crash left is gone before much is asked."""

    def __init__(self, authority: CertificateAuthority, *, interval: float = INTERVAL, rounds: int = ROUNDS) -> None:
        self._authority = authority
        self._interval = interval
        self._rounds = rounds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ca-answers", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for a round under way."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        done = 0
        while not self._stopped.wait(self._interval if done else 0.0):
            done += 1
            try:
                self._authority.look_after_answers()
                if done % self._rounds == 0:
                    self._authority.renew_answers()
            except TallygateError as error:
                _log.warning("answers_wait", code=error.code)
            except Exception:  # noqa: BLE001 - without this thread old answers would stay unnoticed
                _log.error("answers_failed", exc_info=True)
