# SPDX-License-Identifier: Apache-2.0
"""How much one address or account may ask for; over it, the answer says when to come again."""

from datetime import datetime, timedelta

from core.clock import Clock

from ..config import AcmeSettings
from .models import Identifier
from .problems import Problem, Type
from .store import Store

ACCOUNTS_WITHIN = timedelta(hours=3)
ORDERS_WITHIN = timedelta(hours=1)
FAILURES_WITHIN = timedelta(hours=1)


class Limits:
    """Counts in the store, so that all processes count together."""

    def __init__(self, *, store: Store, clock: Clock, settings: AcmeSettings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings

    def new_account(self, address: str) -> None:
        """Count a new account of a network address.

        Raises:
            Problem: too many.
        """
        self._count(f"account {address}", ACCOUNTS_WITHIN, self._settings.accounts_limit, "new accounts")

    def new_order(self, account: str) -> None:
        """Count an order or pre-authorisation.

        Raises:
            Problem: too many, or too many authorizations wait.
        """
        if self._store.orders.waiting(account) >= self._settings.pending_limit:
            raise _limited("authorizations that wait", 60)
        self._count(f"order {account}", ORDERS_WITHIN, self._settings.orders_limit, "orders")

    def may_fail(self, account: str, identifier: Identifier) -> None:
        """Whether another look is allowed after what failed before.

        Raises:
            Problem: too many failures.
        """
        bucket = _failures(account, identifier)
        free = self._store.marks.struck(bucket, at=self._clock.now(), most=self._settings.failures_limit)
        if free is not None:
            raise _limited("failed validations of this identifier", self._seconds(free))

    def failed(self, account: str, identifier: Identifier) -> None:
        """Count a failed validation."""
        at = self._clock.now()
        bucket, most = _failures(account, identifier), self._settings.failures_limit
        self._store.marks.strike(bucket, at=at, until=at + FAILURES_WITHIN, most=most)

    def _count(self, bucket: str, within: timedelta, most: int, what: str) -> None:
        at = self._clock.now()
        free = self._store.marks.strike(bucket, at=at, until=at + within, most=most)
        if free is not None:
            raise _limited(what, self._seconds(free))

    def _seconds(self, free: datetime) -> int:
        return max(1, int((free - self._clock.now()).total_seconds()) + 1)


def _failures(account: str, identifier: Identifier) -> str:
    return f"failure {account} {identifier.value}"


def _limited(what: str, seconds: int) -> Problem:
    return Problem(Type.RATE_LIMITED, f"too many {what}; see Retry-After", retry_after=seconds)
