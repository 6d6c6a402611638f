# SPDX-License-Identifier: Apache-2.0
"""How often one address may be wrong and one device may ask; over it, the answer says when to come again."""

from datetime import datetime, timedelta

from core.clock import Clock

from ..config import EstSettings
from ..errors import EnrolsTooOften
from .store import Store

FAILURES_WITHIN = timedelta(minutes=10)
CERTIFICATES_WITHIN = timedelta(hours=1)


class Limits:
    """Counts in the store, so that all processes count together."""

    def __init__(self, *, store: Store, clock: Clock, settings: EstSettings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings

    def may_fail(self, address: str) -> None:
        """Whether another look at a secret is allowed after what failed before.

        Raises:
            EnrolsTooOften: too many failures.
        """
        self._check(self._store.struck(f"failure {address}", at=self._clock.now(), most=self._settings.failures_limit))

    def failed(self, address: str) -> None:
        """Count a wrong secret."""
        at, most = self._clock.now(), self._settings.failures_limit
        self._store.strike(f"failure {address}", at=at, until=at + FAILURES_WITHIN, most=most)

    def worthless(self, address: str) -> None:
        """Count a certificate that is worth nothing. Good ones of the same address are taken all the same.

        Raises:
            EnrolsTooOften: too many; the record has heard enough of them.
        """
        at, most = self._clock.now(), self._settings.failures_limit
        self._check(self._store.strike(f"certificate {address}", at=at, until=at + FAILURES_WITHIN, most=most))

    def certificate(self, device: str) -> None:
        """Count a certificate that a device wants.

        Raises:
            EnrolsTooOften: too many.
        """
        at, most = self._clock.now(), self._settings.certificates_limit
        self._check(self._store.strike(f"device {device}", at=at, until=at + CERTIFICATES_WITHIN, most=most))

    def _check(self, free: datetime | None) -> None:
        if free is not None:
            raise EnrolsTooOften(seconds=max(1, int((free - self._clock.now()).total_seconds()) + 1))
