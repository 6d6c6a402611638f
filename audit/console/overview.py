# SPDX-License-Identifier: Apache-2.0
"""The overview of a span: counts for its pictures, what was refused most, and how the record itself stands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from core.clock import Clock

from ..models import Reader
from ..search import Denials
from ..stamps import Outage, StampSeries
from ..store import IndexChecked, IndexStore
from .console import Console
from .picture import Counting, Picture, Span, picture


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look at the overview answers with."""

    picture: Picture
    denials: Sequence[Denials]
    # Entries that are published and not yet in the index; None if reading stopped at a damaged one.
    lag: int | None
    # How far the index was compared with the log.
    checked: IndexChecked
    # Whether an authority is asked for time-stamps, since when it gives none, and the newest stamp's age.
    stamped: bool
    outage: Outage | None
    stamp_age: timedelta | None


class Overview:
    """The verb of looking from above."""

    def __init__(
        self,
        console: Console,
        *,
        index: IndexStore,
        counting: Counting,
        clock: Clock,
        stamps: StampSeries | None,
        checked: Callable[[], IndexChecked],
    ) -> None:
        self._console = console
        self._stamps = stamps
        self._checked = checked
        self._index = index
        self._counting = counting
        self._clock = clock

    def look(self, reader: Reader, span: Span) -> Look:
        """One span in numbers.

        Raises:
            RecordUnavailable: the look could not be recorded.
        """
        lag = self._console.catch_up()
        found = picture(self._counting, span, self._clock.now())
        denials = self._index.shape(found.since, found.until).denials
        self._console.record(
            "audit.searched",
            reader,
            attributes={"view": "overview", "span": span.name, "hits": found.total()},
        )
        last = self._stamps.last() if self._stamps else None
        return Look(
            picture=found,
            denials=denials,
            lag=lag,
            checked=self._checked(),
            stamped=self._stamps is not None,
            outage=self._stamps.outage() if self._stamps else None,
            stamp_age=max(timedelta(0), self._clock.now() - last.stamp.kept) if last else None,
        )
