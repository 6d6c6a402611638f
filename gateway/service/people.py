# SPDX-License-Identifier: Apache-2.0
"""Who somebody is now: people and devices as the directory says, kept for minutes and dropped by news.

What was read soon after news of it may come from a copy that has not heard them yet, and is kept for seconds only. On
another day everything is read again, because what people may do ends and begins by days.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

from core.clock import Clock
from directory import Device, Person

T = TypeVar("T")
_MOST = 20_000
_UNSETTLED = 30.0
"""Seconds after news for which what is read is not believed for longer than that either."""


class WouldWait(Exception):
    """The directory would have to be asked about ``subject``, and the caller cannot wait here."""

    def __init__(self, subject: str) -> None:
        super().__init__(subject)
        self.subject = subject


class DirectorySource(Protocol):
    """The part of the directory that decisions read."""

    def person(self, subject: str) -> Person:
        """One person; raises NoSuchPerson."""
        ...

    def device(self, identifier: str) -> Device:
        """One device; raises NoSuchDevice."""
        ...


@dataclass
class _Shelf(Generic[T]):
    # With the time until which it holds.
    kept: dict[str, tuple[float, T]] = field(default_factory=dict)
    # Rises with every drop: an answer that was on its way when the news came is used once and not kept.
    generation: int = 0


class People:
    """Reads through a short memory; errors are never remembered."""

    def __init__(self, *, directory: DirectorySource, clock: Clock, lifetime: timedelta) -> None:
        self._directory = directory
        self._clock = clock
        self._lifetime = lifetime.total_seconds()
        self._lock = threading.Lock()
        # Until when each is unsettled, and everybody.
        self._unsettled: dict[str, float] = {}
        self._all_unsettled = 0.0
        self._day = clock.now().date()
        self._people: _Shelf[Person] = _Shelf()
        self._devices: _Shelf[Device] = _Shelf()

    def person(self, subject: str, *, at_once: bool = False) -> Person:
        """One person; with ``at_once`` only if nobody has to be asked.

        Raises:
            NoSuchPerson: there is none.
            DirectoryUnavailable: nobody knows.
            WouldWait: it is not kept.
        """
        return self._get(self._people, subject, _wait if at_once else self._directory.person)

    def device(self, identifier: str) -> Device:
        """One device.

        Raises:
            NoSuchDevice: there is none.
            DirectoryUnavailable: nobody knows.
        """
        return self._get(self._devices, identifier, self._directory.device)

    def drop(self, identifier: str) -> None:
        """Forget one person or device."""
        until = self._clock.monotonic() + _UNSETTLED
        with self._lock:
            if len(self._unsettled) >= _MOST:
                self._unsettled.clear()
                self._all_unsettled = until
            self._unsettled[identifier] = until
            for shelf in (self._people, self._devices):
                shelf.kept.pop(identifier, None)
                shelf.generation += 1

    def drop_all(self) -> None:
        """Forget everybody: something changed, and it is not said for whom."""
        with self._lock:
            self._all_unsettled = self._clock.monotonic() + _UNSETTLED
            self._empty()

    def _get(self, shelf: _Shelf[T], name: str, read: Callable[[str], T]) -> T:
        now, day = self._clock.monotonic(), self._clock.now().date()
        with self._lock:
            if day != self._day:
                self._day = day
                self._empty()
            found = shelf.kept.get(name)
            if found is not None and now < found[0]:
                return found[1]
            generation = shelf.generation
        fresh = read(name)
        with self._lock:
            if shelf.generation == generation:
                if len(shelf.kept) >= _MOST:
                    shelf.kept.clear()
                shelf.kept[name] = (now + self._lasting(name, now), fresh)
        return fresh

    def _lasting(self, name: str, now: float) -> float:
        unsettled = max(self._all_unsettled, self._unsettled.get(name, 0.0))
        if now < unsettled:
            return min(_UNSETTLED, self._lifetime)
        self._unsettled.pop(name, None)
        return self._lifetime

    def _empty(self) -> None:
        for shelf in (self._people, self._devices):
            shelf.kept.clear()
            shelf.generation += 1


def _wait(subject: str) -> Person:
    raise WouldWait(subject)
