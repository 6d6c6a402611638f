# SPDX-License-Identifier: Apache-2.0
"""A clock that tests move by hand; passes the same contract tests as the system's."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands still until told."""

    def __init__(self, at: datetime = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)) -> None:
        self._at = at
        self._seconds = 1000.0

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return self._seconds

    def advance(self, by: timedelta) -> None:
        self._at += by
        self._seconds += by.total_seconds()
