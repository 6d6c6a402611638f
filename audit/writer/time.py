# SPDX-License-Identifier: Apache-2.0
"""What the log makes of time: the order of entries is theirs by index, whatever clocks say; but clocks are watched.

Three things can be wrong, and each is told once on the record and once more when it is right again: our own clock jumps
while the machine's steady one does not; it stands before the last checkpoint that we signed; a source writes entries of
a time that has not come yet. None of them stops the log: without it nothing could be revoked. What is signed never
goes back in time: a checkpoint's time is at least that of the one before.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.clock import Clock

from ..models import Event
from ..models_codec import Draft

JUMP = timedelta(seconds=5)
"""How far our clock may run apart from the steady one between two looks before it counts as set."""
DRIFT = 0.001
"""What a clock that is being corrected may gain or lose besides, twice what Linux does at most (500 ppm)."""
AHEAD = timedelta(seconds=60)
"""How far a source's clock may be ahead of ours."""
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    """One finding: an event type and how many seconds are wrong; ``source`` is whose clock, if it is not ours."""

    type: str
    seconds: int
    source: str = ""


@dataclass(frozen=True)
class Said:
    """When a source says that something happened."""

    source: str
    at: datetime


def latest(drafts: Iterable[Draft]) -> list[Said]:
    """The latest of each source."""
    found: dict[str, int] = {}
    for draft in drafts:
        if draft.at > found.get(draft.source, 0):
            found[draft.source] = draft.at
    return [Said(source, BEGINNING + timedelta(milliseconds=at)) for source, at in found.items()]


class Watching:
    """Keeps the last look at each clock."""

    def __init__(self, clock: Clock, *, signed: Callable[[], datetime]) -> None:
        self._clock = clock
        # The time of the last checkpoint that was signed.
        self._signed = signed
        self._last = clock.now(), clock.monotonic()
        self._behind = False
        self._ahead: set[str] = set()

    def look(self) -> Iterator[Told]:
        """What is new about our own clock."""
        now, steady = self._clock.now(), self._clock.monotonic()
        passed = timedelta(seconds=steady - self._last[1])
        jump = (now - self._last[0]) - passed
        self._last = now, steady
        if abs(jump) > JUMP + passed * DRIFT:
            yield Told("log.clock.stepped", _seconds(jump))
        late = self._signed() - now
        if (late > JUMP) != self._behind:
            self._behind = late > JUMP
            yield Told("log.clock.behind" if self._behind else "log.clock.right", _seconds(late))

    def heard(self, events: Sequence[Event | Said]) -> Iterator[Told]:
        """What is new about the clocks of those who wrote these events."""
        now = self._clock.now()
        # A source that sends many at once is judged by its latest.
        latest: dict[str, datetime] = {}
        for event in events:
            latest[event.source] = max(latest.get(event.source, BEGINNING), event.at)
        for source, at in latest.items():
            ahead = at - now > AHEAD
            if ahead and source not in self._ahead:
                self._ahead.add(source)
                yield Told("log.clock.disagrees", _seconds(at - now), source)
            elif not ahead and source in self._ahead:
                self._ahead.discard(source)
                yield Told("log.clock.agrees", _seconds(at - now), source)


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())
