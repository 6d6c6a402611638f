# SPDX-License-Identifier: Apache-2.0
"""Named limits: so many attempts of one kind are free, each more doubles the wait; all processes count together."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from core.clock import Clock
from core.errors import TooMany

from ..config import SSOSettings
from ..store import Door, Patience, Store, digest


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How often something may be tried, and what trying more often costs."""

    # How many cost nothing.
    count: int
    # After how long without another all are forgotten.
    window: timedelta
    # The first wait; each further one is twice as long, up to the longest.
    first: timedelta
    longest: timedelta

    def patience(self) -> Patience:
        """As the table counts it."""
        first, longest, window = (int(each.total_seconds()) for each in (self.first, self.longest, self.window))
        return Patience(first=first, longest=longest, memory=window)


def limits_of(settings: SSOSettings) -> Mapping[str, Limit]:
    """Every kind by its name; how many are free, the site says."""
    hour, day = timedelta(hours=1), timedelta(days=1)
    short, long_ = timedelta(seconds=5), timedelta(minutes=1)
    return {
        "user code, person": Limit(count=settings.user_codes_free, window=hour, first=short, longest=hour),
        "user code, network": Limit(count=settings.user_codes_network_free, window=hour, first=short, longest=hour),
        # No longer than the code itself lives.
        "user code, itself": Limit(
            count=settings.user_codes_free,
            window=settings.device_lifetime,
            first=long_,
            longest=settings.device_lifetime,
        ),
        "password, person": Limit(count=settings.passwords_free, window=hour, first=long_, longest=hour),
        "recovery, name": Limit(count=settings.recoveries_free, window=day, first=long_, longest=day),
        "recovery, network": Limit(count=settings.recoveries_network_free, window=day, first=short, longest=hour),
        "device, client and network": Limit(count=settings.devices_free, window=hour, first=short, longest=hour),
        "mandate code, person": Limit(count=settings.mandate_codes_free, window=hour, first=short, longest=hour),
        "application, person": Limit(count=settings.applications_free, window=day, first=long_, longest=day),
        "simulation, network": Limit(count=settings.simulations_free, window=hour, first=short, longest=hour),
        "registration, token": Limit(count=settings.registrations_free, window=day, first=long_, longest=day),
        "registration, network": Limit(count=settings.registrations_free, window=day, first=long_, longest=hour),
    }


class Limits:
    """Counts before anything is looked at, so that parallel attempts cannot slip by."""

    def __init__(self, *, store: Store, settings: SSOSettings, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits_of(settings)
        self._patience = Patience.of(settings)

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
            Door(
                key=digest(f"{kind}\0{about}"),
                free=self._limits[kind].count,
                forgets=False,
                patience=self._limits[kind].patience(),
            )
            for kind, about in kinds.items()
        ]

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
