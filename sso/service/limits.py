# SPDX-License-Identifier: Apache-2.0
"""Named limits: so many attempts of one kind are free, each more doubles the wait; all processes count together."""

from collections.abc import Mapping

from core.clock import Clock
from core.errors import TooMany

from ..config import SSOSettings
from ..store import Door, Patience, Store, digest


class Limits:
    """Counts before anything is looked at, so that parallel attempts cannot slip by."""

    def __init__(self, *, store: Store, settings: SSOSettings, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._patience = Patience.of(settings)
        # How many of each kind are free within the memory of the site.
        self._free: Mapping[str, int] = {
            "user code, person": settings.user_codes_free,
            "user code, network": settings.user_codes_network_free,
            "user code, itself": settings.user_codes_free,
            "device, client and network": settings.devices_free,
            "registration, token": settings.registrations_free,
            "registration, network": settings.registrations_free,
        }

    def count(self, **named: str) -> None:
        """Count one attempt of each kind; ``named`` are kinds, in words joined by ``__`` and ``_``, and about whom.

        Raises:
            TooMany: one of them has to wait; nothing was counted.
        """
        if not self._store.attempts.knock(self._doors(named), self._patience, at=self._now()):
            raise TooMany

    def forgive(self, **named: str) -> None:
        """What was counted last was no failure."""
        self._store.attempts.forgive(self._doors(named))

    def _doors(self, named: Mapping[str, str]) -> list[Door]:
        kinds = {kind.replace("__", ", ").replace("_", " "): about for kind, about in named.items()}
        return [
            Door(key=digest(f"{kind}\0{about}"), free=self._free[kind], forgets=False) for kind, about in kinds.items()
        ]

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
