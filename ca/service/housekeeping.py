# SPDX-License-Identifier: Apache-2.0
"""What the authority does unasked: settle dead issuances, revoke what compromised keys were used for, renew delegates.

And it keeps revocation lists fresh, has registration ``tidy`` up, and takes up authorities that a ceremony left.
"""

import threading
import time
from collections.abc import Callable

from core.errors import TallygateError
from core.log import logger

from .authority import CertificateAuthority

_log = logger(__name__)

INTERVAL = 600.0
RETRY = 2.0
LOOK = 2.0
"""Seconds between two looks whether a ceremony was held."""


class Housekeeping:
    """A daemon thread; begins at once, so that a restart replays unfinished intents."""

    def __init__(
        self,
        authority: CertificateAuthority,
        *,
        tidy: Callable[[], object] = lambda: None,
        interval: float = INTERVAL,
        retry: float = RETRY,
        look: float = LOOK,
    ) -> None:
        self._authority = authority
        self._tidy = tidy
        self._interval = interval
        self._retry = retry
        self._look = look
        self._listed = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ca-housekeeping", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for a round under way."""
        self._stopped.set()
        self._thread.join()

    def round(self) -> None:
        """Everything once.

        Raises:
            TallygateError: the record or the database is away; a later round does it.
        """
        self._authority.settle()
        self._authority.reap()
        if not self._listed:
            # The lists are those of the start.
            self._authority.block_listed()
            self._listed = True
        self._authority.sweep()
        self._authority.renew_responders()
        for issuer in self._authority.issuers:
            self._authority.publish(issuer)
        self._tidy()

    def _run(self) -> None:
        pause = 0.0
        while self._rested(pause):
            try:
                self.round()
                pause = self._interval
            except TallygateError as error:
                _log.warning("housekeeping_postponed", code=error.code)
                pause = self._retry
            except Exception:  # noqa: BLE001 - without this thread lists and delegates would run out unnoticed
                _log.error("housekeeping_failed", exc_info=True)
                pause = self._retry

    def _rested(self, pause: float) -> bool:
        """Wait, less long if a ceremony was held; False to end."""
        until = time.monotonic() + pause
        while not self._stopped.wait(min(self._look, max(0.0, until - time.monotonic()))):
            if self._authority.refresh() or time.monotonic() >= until:
                return True
        return False
