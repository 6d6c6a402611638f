# SPDX-License-Identifier: Apache-2.0
"""Counts made into pictures: each chart twice, for a wide and a narrow page, with the words that stand beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.charts import NARROW, Size, Timed, heat, spark, stacked
from core.errors import N_

from ..charts import Crossings, Traffic, crossings
from ..console.picture import CERTIFICATES, OUTCOMES, Picture, Which, ended, failed_login, of_type
from ..events import KINDS
from ..models import Outcome
from ..search.query import ZONES
from ..search.words import OUTCOMES as OUTCOME_WORDS

_WIDE, _HALF = Size(960, 280), Size(460, 220)
_MAPS = (Size(960, 0), Size(340, 560, "narrow"))
_STRONG = (("external", "internal"), ("internal", "management"))


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One figure with its course and how it stood before."""

    says: str
    tone: str
    total: int
    before: int
    line: str
    area: str
    # Filters of the search behind it.
    filters: Mapping[str, str]

    @property
    def change(self) -> int | None:
        """In per cent of the span before; None where nothing was."""
        return round(100 * (self.total - self.before) / self.before) if self.before else None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What went from one network to another."""

    origin: str
    destination: str
    traffic: Traffic
    heat: int
    # Hundredths of the traffic that were refused.
    refused: float


def outcomes_over_time(picture: Picture, *, half: bool = False) -> Timed:
    """Everything, by how it ended; ``half`` if something stands beside it."""
    legend = [(f"is-{outcome.value}", OUTCOME_WORDS[outcome]) for outcome in OUTCOMES]
    return timed(picture, picture.outcomes(), legend, (_HALF if half else _WIDE, NARROW))


def logins_over_time(picture: Picture) -> Timed:
    """Logins that failed, and those that were refused."""
    ends = (Outcome.FAILURE, Outcome.DENIED)
    series = [picture.over_time(of_type("sso.login", end)) for end in ends]
    return timed(picture, series, [(f"is-{end.value}", OUTCOME_WORDS[end]) for end in ends], (_HALF, NARROW))


def certificates_over_time(picture: Picture) -> Timed:
    """Certificates issued, suspended and revoked."""
    series = [picture.over_time(of_type(kind, Outcome.SUCCESS)) for kind in CERTIFICATES]
    classes = ("is-success", "is-failure", "is-denied")
    legend = [(name, KINDS[kind].says) for name, kind in zip(classes, CERTIFICATES, strict=True)]
    return timed(picture, series, legend, (_HALF, NARROW))


def timed(
    picture: Picture, series: Sequence[Sequence[int]], legend: Sequence[tuple[str, str]], sizes: Sequence[Size]
) -> Timed:
    """Columns for any series of a picture."""
    return stacked(picture.starts, picture.span.step, series, legend, sizes)


def tiles(picture: Picture) -> list[Tile]:
    """The figures on top."""
    asked: list[tuple[str, str, Which, Mapping[str, str]]] = [
        (N_("Entries"), "all", lambda _count: True, {}),
        *(
            (OUTCOME_WORDS[outcome], outcome.value, ended(outcome), {"outcome": outcome.value})
            for outcome in (Outcome.SUCCESS, Outcome.DENIED, Outcome.FAILURE)
        ),
        (N_("Failed logins"), "failure", failed_login, {"type": "sso.login", "outcome": "failure"}),
    ]
    return [tile(picture, says, tone, which, filters) for says, tone, which, filters in asked]


def tile(picture: Picture, says: str, tone: str, which: Which, filters: Mapping[str, str]) -> Tile:
    """One figure."""
    line, area = spark(picture.over_time(which))
    return Tile(
        says=says,
        tone=tone,
        total=picture.total(which),
        before=picture.earlier(which),
        line=line,
        area=area,
        filters=filters,
    )


def crossing_maps(picture: Picture) -> list[Crossings]:
    """Who went from which network into which, wide and narrow."""
    known = {way: one for way, one in picture.traffic().items() if way[0] in ZONES and way[1] in ZONES}
    return [crossings(ZONES, known, size, strong=_STRONG) for size in _MAPS]


def goals(picture: Picture) -> Sequence[str]:
    """The networks requests went to; the empty one last, if it was not found out where some wanted to go."""
    return (*ZONES, "") if any(not destination for _origin, destination in picture.traffic()) else ZONES


def matrix(picture: Picture) -> list[tuple[str, list[Cell | None]]]:
    """Each network against each: rows are where it came from; None where nothing went."""
    traffic = picture.traffic()
    most = max((one.allowed + one.refused for one in traffic.values()), default=0)

    def cell(origin: str, destination: str) -> Cell | None:
        found = traffic.get((origin, destination))
        if found is None:
            return None
        every = found.allowed + found.refused
        return Cell(
            origin=origin,
            destination=destination,
            traffic=found,
            heat=heat(every, most),
            refused=round(100 * found.refused / every, 1),
        )

    return [(origin, [cell(origin, destination) for destination in goals(picture)]) for origin in ZONES]
