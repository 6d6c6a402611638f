# SPDX-License-Identifier: Apache-2.0
"""A map of what crosses between networks: outside to inside in a row, arrows over it inwards and under it outwards.

An arrow is as broad as the square root of what went along it. What was refused is an arrow of its own, broken and
ended by a bar before the network that it did not reach, so that it is told apart without any colour.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.charts import Size, places

Point = tuple[float, float]

_BROADEST, _THINNEST = 15.0, 2.0
_APEX = 0.75
"""How high a cubic bow rises between the heights of its ends and of its controls."""
_BESIDE, _MARGIN = (58.0, 50.0), 14.0
"""Room for a number beside the farthest bow of a standing and of a lying picture; room where there is no bow."""
_STOPS_AT = 0.86
"""Part of the way that a refused arrow goes."""


@dataclass(frozen=True)
class Traffic:
    """How often something was let through and refused."""

    allowed: int
    refused: int


@dataclass(frozen=True, kw_only=True)
class Node:
    """One network: its box, and what stayed inside it."""

    name: str
    x: float
    y: float
    width: float
    height: float
    within: Traffic

    @property
    def middle(self) -> float:
        """Across, of its letters."""
        return places(self.x + self.width / 2)

    @property
    def centre(self) -> float:
        """Down, of its letters."""
        return places(self.y + self.height / 2)


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """One direction between two networks: the way of what passed, of what did not, and where the numbers stand."""

    origin: str
    destination: str
    traffic: Traffic
    # SVG paths; empty where nothing went that way. ``bar`` closes the way of what was refused.
    passed: str
    tip: str
    stopped: str
    bar: str
    passed_width: float
    stopped_width: float
    passed_label: Point
    stopped_label: Point


@dataclass(frozen=True, kw_only=True)
class Crossings:
    """The finished map."""

    size: Size
    nodes: Sequence[Node]
    # The walls between neighbours, as paths; the strong ones are those that nothing live may cross.
    walls: Sequence[tuple[str, bool]]
    arrows: Sequence[Arrow]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """How the row lies: along it, and away from it to the side of the arrows inwards."""

    size: Size
    upright: bool
    box: tuple[float, float]
    centres: Sequence[float]
    middle: float
    # Reach of a bow over one, two or three networks, and the distance between the bows' ends.
    reach: Sequence[float]
    pitch: float

    def at(self, along: float, away: float) -> Point:
        point = (self.middle + away, along) if self.upright else (along, self.middle - away)
        return places(point[0]), places(point[1])

    @property
    def half(self) -> float:
        """From the row's middle to where arrows begin."""
        return self.box[0 if self.upright else 1] / 2


def crossings(
    names: Sequence[str],
    traffic: Mapping[tuple[str, str], Traffic],
    size: Size,
    *,
    strong: Sequence[tuple[str, str]] = (),
) -> Crossings:
    """Draw the networks from the outermost to the innermost; wide pictures lie, narrow ones stand."""
    ways = [
        (start, end)
        for start in range(len(names))
        for end in range(len(names))
        if start != end and (names[start], names[end]) in traffic
    ]
    plan = _plan(size, len(names), ways)
    most = max((max(one.allowed, one.refused) for way, one in traffic.items() if way[0] != way[1]), default=0)

    broadest = _BROADEST if size.width > size.height else _BROADEST * 0.7

    def breadth(times: int) -> float:
        return places(_THINNEST + (broadest - _THINNEST) * math.sqrt(times / most)) if times else 0.0

    nodes = []
    for place, name in enumerate(names):
        x, y = plan.at(plan.centres[place], 0)
        width, height = plan.box
        nodes.append(
            Node(
                name=name,
                x=places(x - width / 2),
                y=places(y - height / 2),
                width=width,
                height=height,
                within=traffic.get((name, name), Traffic(0, 0)),
            )
        )
    arrows = [
        _arrow(plan, names, way, traffic[names[way[0]], names[way[1]]], breadth)
        # The near ones last, so that they lie over the far ones.
        for way in sorted(ways, key=lambda way: -abs(way[1] - way[0]))
    ]
    walls = [
        (_wall(plan, place), {names[place], names[place + 1]} in [set(pair) for pair in strong])
        for place in range(len(names) - 1)
    ]
    return Crossings(size=plan.size, nodes=nodes, walls=walls, arrows=arrows)


def _plan(size: Size, count: int, ways: Sequence[tuple[int, int]]) -> _Plan:
    upright = size.height > size.width
    length, across = (size.height, size.width) if upright else (size.width, size.height)
    box = (104.0, 70.0) if upright else (164.0, 78.0)
    along, half = (box[1], box[0] / 2) if upright else (box[0], box[1] / 2)
    first, last = along / 2 + 8, length - along / 2 - 8
    reach = (52.0, 96.0, 140.0) if upright else (84.0, 150.0, 216.0)
    farthest = [
        max((abs(end - start) for start, end in ways if (end > start) is ahead), default=0) for ahead in (True, False)
    ]
    inwards, outwards = (reach[min(way, 3) - 1] * _APEX if way else 0.0 for way in farthest)
    beside = _BESIDE[0 if upright else 1]
    if upright and inwards + outwards > (room := across - box[0] - 2 * beside):
        factor = room / (inwards + outwards)
        reach = (reach[0] * factor, reach[1] * factor, reach[2] * factor)
        inwards, outwards = inwards * factor, outwards * factor
    before, behind = (bow + beside if bow else _MARGIN for bow in (inwards, outwards))
    # A lying picture is as high as its bows; a standing one keeps its width, and all of it stands in the middle.
    middle = (across - before - behind - box[0]) / 2 + behind + half if upright else before + half
    return _Plan(
        size=size if upright else Size(size.width, round(before + behind + 2 * half), size.name),
        upright=upright,
        box=box,
        centres=[first + (last - first) * place / max(1, count - 1) for place in range(count)],
        middle=middle,
        reach=reach,
        pitch=11.0 if upright else 30.0,
    )


def _arrow(
    plan: _Plan, names: Sequence[str], way: tuple[int, int], traffic: Traffic, breadth: Callable[[int], float]
) -> Arrow:
    start, end = way
    distance, inwards = abs(end - start), end > start
    passed, stopped = breadth(traffic.allowed), breadth(traffic.refused)
    # Bows over more networks begin nearer to the middle of a box, so that they lie around the others.
    inset = 8 + (3 - min(distance, 3)) * plan.pitch
    side, ahead = (1, 1) if inwards else (-1, -1)
    reach = plan.reach[min(distance, 3) - 1]
    apart = (passed + stopped) / 2 + 4 if passed and stopped else 0.0

    def bow(shift: float) -> list[Point]:
        from_, to = plan.centres[start] + ahead * (inset - shift), plan.centres[end] - ahead * (inset - shift)
        edge, top = side * (plan.half + 4), side * (plan.half + 4 + reach + shift * 1.45)
        return [(from_, edge), (from_, top), (to, top), (to, edge)]

    outer = bow(apart)
    inner = bow(0.0)
    tip = max(9.0, passed * 0.9 + 5)
    through, through_way = _shortened(inner, side * tip)
    halted = _part(outer, _STOPS_AT)
    # What passed is told inside its bow, what was stopped outside of its own; alone, each stands outside.
    within = -1 if passed and stopped else 1
    gap = 15.0 if plan.upright else 11.0
    passed_at, stopped_at = _middle(inner), _middle(outer)
    return Arrow(
        origin=names[start],
        destination=names[end],
        traffic=traffic,
        passed=_path(plan, through) if passed else "",
        tip=_tip(plan, through_way, max(5.0, passed * 0.75 + 3)) if passed else "",
        stopped=_path(plan, halted) if stopped else "",
        bar=_bar(plan, halted, stopped / 2 + 6) if stopped else "",
        passed_width=passed,
        stopped_width=stopped,
        passed_label=plan.at(passed_at[0], passed_at[1] + side * within * (passed / 2 + gap)),
        stopped_label=plan.at(stopped_at[0], stopped_at[1] + side * (stopped / 2 + gap)),
    )


def _shortened(bow: Sequence[Point], tip: float) -> tuple[list[Point], tuple[Point, Point]]:
    """The bow without its last piece, which the arrow's head covers: and from where to where the head reaches."""
    one, two, three, four = bow
    begin = (four[0], four[1] + tip)
    return [one, two, (three[0], three[1] + tip), begin], (begin, four)


def _part(bow: Sequence[Point], until: float) -> list[Point]:
    """The first part of a cubic curve (de Casteljau)."""

    def mix(one: Point, two: Point) -> Point:
        return (one[0] + (two[0] - one[0]) * until, one[1] + (two[1] - one[1]) * until)

    a, b, c, d = bow
    ab, bc, cd = mix(a, b), mix(b, c), mix(c, d)
    abc, bcd = mix(ab, bc), mix(bc, cd)
    return [a, ab, abc, mix(abc, bcd)]


def _middle(bow: Sequence[Point]) -> Point:
    a, b, c, d = bow
    return (a[0] + 3 * b[0] + 3 * c[0] + d[0]) / 8, (a[1] + 3 * b[1] + 3 * c[1] + d[1]) / 8


def _path(plan: _Plan, bow: Sequence[Point]) -> str:
    points = [plan.at(*point) for point in bow]
    (x0, y0), *others = points
    return f"M{x0} {y0}C" + " ".join(f"{x} {y}" for x, y in others)


def _tip(plan: _Plan, way: tuple[Point, Point], half: float) -> str:
    (along, base), (_, point) = way
    corners = [plan.at(along - half, base), plan.at(along, point), plan.at(along + half, base)]
    return "M" + "L".join(f"{x} {y}" for x, y in corners) + "Z"


def _bar(plan: _Plan, bow: Sequence[Point], half: float) -> str:
    """A stroke across the end of a curve."""
    before, end = bow[2], bow[3]
    length = math.dist(end, before) or 1.0
    across = (-(end[1] - before[1]) / length * half, (end[0] - before[0]) / length * half)
    one = plan.at(end[0] + across[0], end[1] + across[1])
    two = plan.at(end[0] - across[0], end[1] - across[1])
    return f"M{one[0]} {one[1]}L{two[0]} {two[1]}"


def _wall(plan: _Plan, place: int) -> str:
    along = (plan.centres[place] + plan.centres[place + 1]) / 2
    across = plan.size.width if plan.upright else plan.size.height
    near, far = 6 - plan.middle, across - 6 - plan.middle
    one, two = plan.at(along, near if plan.upright else -near), plan.at(along, far if plan.upright else -far)
    return f"M{one[0]} {one[1]}L{two[0]} {two[1]}"
