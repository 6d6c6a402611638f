# SPDX-License-Identifier: Apache-2.0
"""The shape of a day: what happened how often, hour by hour, and what was refused most."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..models import Outcome


@dataclass(frozen=True, kw_only=True)
class Denials:
    """One thing that was refused, and how often."""

    object: str
    zone: str
    reason: str
    times: int
    # How many different subjects; 0 while nobody was identified.
    subjects: int


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Counts over a half-open span."""

    since: datetime
    until: datetime
    # Type to outcome to count.
    types: dict[str, dict[Outcome, int]]
    # Per hour, oldest first: start, all, refused or failed.
    hours: Sequence[tuple[datetime, int, int]]
    denials: Sequence[Denials]

    @property
    def total(self) -> int:
        """How many entries in all."""
        return sum(self.of(outcome) for outcome in Outcome)

    def of(self, outcome: Outcome) -> int:
        """How many entries ended so."""
        return sum(counts.get(outcome, 0) for counts in self.types.values())
