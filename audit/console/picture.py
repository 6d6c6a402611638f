# SPDX-License-Identifier: Apache-2.0
"""What a span of time looks like: counts put together for the pictures of a page. Pure: counts in, numbers out."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from ..charts import Traffic
from ..models import Outcome

LOGIN = "sso.login"
DECISION = "gateway.decision"
CERTIFICATES = ("ca.certificate.issued", "ca.certificate.suspended", "ca.certificate.revoked")
OUTCOMES = (Outcome.SUCCESS, Outcome.INTENDED, Outcome.FAILURE, Outcome.DENIED)
"""As they are stacked, from the floor."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Span:
    """One of the spans an officer chooses from, and how finely it is drawn."""

    name: str
    length: timedelta
    step: timedelta

    def bounds(self, now: datetime) -> tuple[datetime, datetime]:
        """Begin and end, a half-open span of whole steps that holds the present one."""
        until = _EPOCH + self.step * ((now - _EPOCH) // self.step + 1)
        return until - self.length, until


SPANS = {
    span.name: span
    for span in (
        Span(name="24h", length=timedelta(hours=24), step=timedelta(hours=1)),
        Span(name="7d", length=timedelta(days=7), step=timedelta(hours=6)),
        Span(name="30d", length=timedelta(days=30), step=timedelta(days=1)),
    )
}


@dataclass(frozen=True, kw_only=True)
class Count:
    """How often something happened in one hour or day."""

    at: datetime
    type: str
    outcome: Outcome
    zone: str
    to_zone: str
    reason: str
    times: int


class Counting(Protocol):
    """Where counts come from."""

    def __call__(self, since: datetime, until: datetime, *, daily: bool) -> Iterable[Count]:
        """Everything in a half-open span of whole hours, or whole days."""
        ...


Which = Callable[[Count], bool]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One span in numbers, and what was in the span of the same length before it."""

    span: Span
    since: datetime
    until: datetime
    counts: Sequence[Count]
    before: Sequence[Count]

    @property
    def starts(self) -> Sequence[datetime]:
        """Where each step begins."""
        return [self.since + self.span.step * place for place in range(self.span.length // self.span.step)]

    def total(self, which: Which = lambda _count: True) -> int:
        """How many."""
        return sum(count.times for count in self.counts if which(count))

    def earlier(self, which: Which = lambda _count: True) -> int:
        """How many there were in the span before."""
        return sum(count.times for count in self.before if which(count))

    def over_time(self, which: Which = lambda _count: True) -> Sequence[int]:
        """How many in each step."""
        found = [0] * len(self.starts)
        for count in self.counts:
            if which(count):
                found[(count.at - self.since) // self.span.step] += count.times
        return found

    def outcomes(self) -> Sequence[Sequence[int]]:
        """Each outcome over time, as they are stacked."""
        return [self.over_time(ended(outcome)) for outcome in OUTCOMES]

    def types(self) -> Mapping[str, Mapping[Outcome, int]]:
        """How often each type ended how."""
        found: dict[str, dict[Outcome, int]] = {}
        for count in self.counts:
            ends = found.setdefault(count.type, {})
            ends[count.outcome] = ends.get(count.outcome, 0) + count.times
        return found

    def reasons(self, which: Which) -> Sequence[tuple[str, int]]:
        """Why, the most frequent first."""
        found = Counter[str]()
        for count in self.counts:
            if which(count):
                found[count.reason] += count.times
        return sorted(found.items(), key=lambda each: (-each[1], each[0]))

    def traffic(self) -> Mapping[tuple[str, str], Traffic]:
        """What was let through and refused between each two networks; where to is empty if that was never found out."""
        allowed, refused = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for count in self.counts:
            if count.type == DECISION and count.zone:
                into = allowed if count.outcome is Outcome.SUCCESS else refused
                into[count.zone, count.to_zone] += count.times
        return {way: Traffic(allowed[way], refused[way]) for way in sorted(allowed | refused)}


def picture(counting: Counting, span: Span, now: datetime, *, which: Which = lambda _count: True) -> Picture:
    """Count one span and the one before it."""
    since, until = span.bounds(now)
    found = [
        count for count in counting(since - span.length, until, daily=span.step >= timedelta(days=1)) if which(count)
    ]
    return Picture(
        span=span,
        since=since,
        until=until,
        counts=[count for count in found if count.at >= since],
        before=[count for count in found if count.at < since],
    )


def ended(outcome: Outcome) -> Which:
    """What ended so."""
    return lambda count: count.outcome is outcome


def of_type(kind: str, *outcomes: Outcome) -> Which:
    """What is of this type and, if any are named, ended in one of these ways."""
    return lambda count: count.type == kind and (not outcomes or count.outcome in outcomes)


def failed_login(count: Count) -> bool:
    """A login that proved nobody or was refused."""
    return count.type == LOGIN and count.outcome in {Outcome.FAILURE, Outcome.DENIED}
