# SPDX-License-Identifier: Apache-2.0
"""Counts from the index's counters, which are kept as entries come in: the cost does not grow with the entries."""

from collections.abc import Iterator
from datetime import datetime

from ..models import Outcome
from ..search.terms import NOWHERE
from ..store import IndexStore
from .picture import Count


class IndexCounting:
    """A ``Counting`` over the search index."""

    def __init__(self, index: IndexStore) -> None:
        self._index = index

    def __call__(self, since: datetime, until: datetime, *, daily: bool) -> Iterator[Count]:
        """Everything in a half-open span."""
        by = ("type", "outcome", "zone", "to_zone", "reason")
        for count in self._index.counts(since, until, by=by, step="day" if daily else "hour"):
            kind, outcome, zone, to_zone, reason = count.values
            yield Count(
                at=count.at,
                type=kind,
                outcome=Outcome(outcome),
                zone=zone,
                to_zone="" if to_zone == NOWHERE else to_zone,
                reason=reason,
                times=count.times,
            )
