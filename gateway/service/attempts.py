# SPDX-License-Identifier: Apache-2.0
"""Forged tokens and certificates cost us a signature check each; who sends many is told to wait instead.

Counted per address and worker, in memory: it spares work and stops nobody who has a session.
"""

import ipaddress
import threading

from core.clock import Clock

WINDOW = 60.0
"""Seconds over which refusals of one address add up."""
_MOST = 10_000


def counted_as(address: str) -> str:
    """Whom an address is counted as: of IPv6 the network of 64 bits, all of whose addresses are one customer's."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(found.ipv4_mapped or ipaddress.IPv6Network((found, 64), strict=False))


class Attempts:
    """Counts refused credentials."""

    def __init__(self, *, clock: Clock, limit: int) -> None:
        self._clock = clock
        self._limit = limit
        self._lock = threading.Lock()
        # Address to start of its window and count.
        self._refused: dict[str, tuple[float, int]] = {}

    def exhausted(self, address: str) -> bool:
        """Whether this address has to wait."""
        with self._lock:
            since, count = self._refused.get(counted_as(address), (0.0, 0))
            return count >= self._limit and self._clock.monotonic() - since < WINDOW

    def refused(self, address: str) -> None:
        """One more."""
        address, now = counted_as(address), self._clock.monotonic()
        with self._lock:
            since, count = self._refused.get(address, (now, 0))
            if now - since >= WINDOW:
                since, count = now, 0
            if len(self._refused) >= _MOST and address not in self._refused:
                self._refused.clear()
            self._refused[address] = (since, count + 1)


class Shares:
    """What one name may take: so many requests a second, and so many more at once; counted per worker, in memory."""

    def __init__(self, *, clock: Clock, rate: int, burst: int) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = float(burst)
        self._lock = threading.Lock()
        # Name to what is left, and when that was true.
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> bool:
        """Whether there was one left."""
        now = self._clock.monotonic()
        with self._lock:
            left, at = self._left.get(name, (self._burst, now))
            left = min(self._burst, left + (now - at) * self._rate)
            if len(self._left) >= _MOST and name not in self._left:
                self._left.clear()
            self._left[name] = (max(left - 1, 0.0), now)
            return left >= 1
