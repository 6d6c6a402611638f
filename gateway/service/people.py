# SPDX-License-Identifier: Apache-2.0
"""Who somebody is now: people and devices as the directory says, kept for seconds and dropped by news."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

from core.clock import Clock
from directory import Device, Person

T = TypeVar("T")
_MOST = 20_000


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
        self._people: _Shelf[Person] = _Shelf()
        self._devices: _Shelf[Device] = _Shelf()

    def person(self, subject: str) -> Person:
        """One person.

        Raises:
            NoSuchPerson: there is none.
            DirectoryUnavailable: nobody knows.
        """
        return self._get(self._people, subject, self._directory.person)

    def device(self, identifier: str) -> Device:
        """One device.

        Raises:
            NoSuchDevice: there is none.
            DirectoryUnavailable: nobody knows.
        """
        return self._get(self._devices, identifier, self._directory.device)

    def drop(self, identifier: str) -> None:
        """Forget one person or device."""
        with self._lock:
            for shelf in (self._people, self._devices):
                shelf.kept.pop(identifier, None)
                shelf.generation += 1

    def _get(self, shelf: _Shelf[T], name: str, read: Callable[[str], T]) -> T:
        now = self._clock.monotonic()
        with self._lock:
            found = shelf.kept.get(name)
            if found is not None and now - found[0] < self._lifetime:
                return found[1]
            generation = shelf.generation
        fresh = read(name)
        with self._lock:
            if shelf.generation == generation:
                if len(shelf.kept) >= _MOST:
                    shelf.kept.clear()
                shelf.kept[name] = (now, fresh)
        return fresh
