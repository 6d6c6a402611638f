# SPDX-License-Identifier: Apache-2.0
"""What a certificate is worth: the authority is asked, and where it is away, what it signed before is read.

Once the authority said good, the news keep that true. What was read from files is looked at each time, since it gets
older; and what nobody can say is a refusal of its own.
"""

import threading
from datetime import datetime, timedelta
from typing import Protocol

from ca import CertificateStatus
from core.clock import Clock
from core.errors import Unavailable
from core.log import logger

AGAIN = 2.0
"""Seconds for which an authority that did not answer is not asked again, so that nobody waits for it in a row."""
_MOST_GOOD = 10_000
_log = logger(__name__)


class Authority(Protocol):
    """The authority, as it is asked."""

    def status(self, serial: str) -> CertificateStatus:
        """What one serial is worth now."""
        ...


class Left(Protocol):
    """What the authority left where everybody reads."""

    def status(self, serial: str, *, authority: str, at: datetime, oldest: timedelta) -> CertificateStatus:
        """The same, from files; raises StatusUnknown."""
        ...


class Standings:
    """One per worker; safe for its threads."""

    def __init__(self, *, authority: Authority, left: Left, clock: Clock, oldest: timedelta) -> None:
        """``oldest`` is the age up to which something that was left is believed."""
        self._authority = authority
        self._left = left
        self._clock = clock
        self._oldest = oldest
        self._lock = threading.Lock()
        self._good: dict[str, CertificateStatus] = {}
        self._away = 0.0

    def status(self, serial: str, *, authority: str) -> CertificateStatus:
        """What one serial of an authority, by name, is worth.

        Raises:
            NoSuchCertificate: the authority never heard of it.
            StatusUnknown: the authority is away, and nothing it left can be believed.
        """
        with self._lock:
            if known := self._good.get(serial):
                return known
            asks = self._clock.monotonic() >= self._away
        if asks:
            try:
                said = self._authority.status(serial)
            except Unavailable as error:
                _log.warning("authority_away", code=error.code)
                with self._lock:
                    self._away = self._clock.monotonic() + AGAIN
            else:
                self._keep(said)
                return said
        return self._left.status(serial, authority=authority, at=self._clock.now(), oldest=self._oldest)

    def _keep(self, said: CertificateStatus) -> None:
        if not said.good:
            return
        with self._lock:
            if len(self._good) >= _MOST_GOOD:
                self._good.clear()
            self._good[said.serial] = said
