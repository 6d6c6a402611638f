# SPDX-License-Identifier: Apache-2.0
"""Time comes in as an argument; this is the only place that reads it."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where a service gets the time from."""

    def now(self) -> datetime:
        """Civil time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for waiting and freshness."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Civil time, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()
