# SPDX-License-Identifier: Apache-2.0
import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from audit.charts import Traffic, crossings
from core.charts import Size, bars, columns, heat, spark, ticks

ZONES = ("internet", "external", "internal", "management")
LYING, STANDING = Size(960, 0), Size(340, 560, "narrow")
TRAFFIC = st.dictionaries(
    st.tuples(st.sampled_from(ZONES), st.sampled_from(ZONES)),
    st.builds(Traffic, st.integers(0, 10**7), st.integers(0, 10**7)),
)


@given(st.integers(0, 10**12))
def test_the_axis_reaches_beyond_the_most_in_few_round_steps(most: int) -> None:
    found = ticks(most)
    assert found[0] == 0
    assert found[-1] >= most
    assert 2 <= len(found) <= 6
    assert len({after - before for before, after in itertools.pairwise(found)}) == 1


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=60))
def test_columns_stand_on_the_floor_beside_each_other_and_inside_the_picture(numbers: list[tuple[int, int]]) -> None:
    labels = [str(place) for place in range(len(numbers))]
    drawn = columns(labels, list(zip(*numbers, strict=True)), Size(340, 220, "narrow"))
    assert len(drawn.columns) == len(numbers)
    for column, parts in zip(drawn.columns, numbers, strict=True):
        assert column.total == sum(parts)
        assert drawn.left <= column.x
        assert column.x + column.width <= drawn.right + 0.2
        floor = drawn.floor
        for segment in column.segments:
            assert abs(segment.y + segment.height - floor) < 0.3
            floor = segment.y
        # Two lines thicker than they should be may reach a little above the highest step, never out of the picture.
        assert floor >= 5
    for one, other in zip(drawn.columns, drawn.columns[1:], strict=False):
        assert one.x + one.width <= other.x + 0.2


def test_what_happened_once_among_thousands_is_seen() -> None:
    drawn = columns(["a"], [[1_000_000], [1]], Size(960, 280))
    assert drawn.columns[0].segments[1].height == 2.0
    assert columns(["a"], [[5], [0]], Size(960, 280)).columns[0].segments[-1].series == 0


def test_labels_of_an_axis_leave_each_other_room() -> None:
    drawn = columns([f"{hour:02}:00" for hour in range(24)], [[1] * 24], Size(340, 220, "narrow"))
    assert 3 <= len(drawn.labels) <= 6
    assert all(b - a >= 50 for (a, _), (b, _) in zip(drawn.labels, drawn.labels[1:], strict=False))


def _numbers(path: str) -> list[tuple[float, float]]:
    found = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", path)]
    return list(zip(found[::2], found[1::2], strict=True))


@given(TRAFFIC, st.sampled_from([LYING, STANDING]))
def test_everything_of_the_map_lies_inside_it(traffic: dict[tuple[str, str], Traffic], size: Size) -> None:
    drawn = crossings(ZONES, traffic, size, strong=(("external", "internal"),))
    width, height = drawn.size.width, drawn.size.height
    points = [label for arrow in drawn.arrows for label in (arrow.passed_label, arrow.stopped_label)]
    points += [point for arrow in drawn.arrows for point in _numbers(arrow.tip) + _numbers(arrow.bar)]
    points += [(node.x, node.y) for node in drawn.nodes] + [(n.x + n.width, n.y + n.height) for n in drawn.nodes]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)


@given(TRAFFIC)
def test_refused_traffic_has_an_arrow_of_its_own_that_does_not_arrive(traffic: dict[tuple[str, str], Traffic]) -> None:
    drawn = crossings(ZONES, traffic, LYING)
    boxes = {node.name: node for node in drawn.nodes}
    for arrow in drawn.arrows:
        assert bool(arrow.passed) == (arrow.traffic.allowed > 0)
        assert bool(arrow.stopped) == bool(arrow.bar) == (arrow.traffic.refused > 0)
        box = boxes[arrow.destination]
        if arrow.stopped:
            x, y = _numbers(arrow.stopped)[-1]
            assert not (box.y - 8 <= y <= box.y + box.height + 8 and box.x <= x <= box.x + box.width)
        if arrow.tip:
            assert abs(_numbers(arrow.tip)[1][1] - box.centre) < box.height / 2 + 6
    within = {node.name: node.within for node in drawn.nodes}
    assert all(within[name] == traffic.get((name, name), Traffic(0, 0)) for name in ZONES)


def test_more_traffic_makes_a_broader_arrow() -> None:
    drawn = crossings(
        ZONES, {("internet", "external"): Traffic(400, 100), ("external", "internal"): Traffic(0, 1)}, LYING
    )
    wide = next(arrow for arrow in drawn.arrows if arrow.origin == "internet")
    thin = next(arrow for arrow in drawn.arrows if arrow.origin == "external")
    assert wide.passed_width > wide.stopped_width > thin.stopped_width >= 2


def test_small_pictures() -> None:
    assert [(bar.whole, bar.part) for bar in bars([(200, 50), (1, 0), (0, 0)])] == [
        (100.0, 25.0),
        (0.8, 0.0),
        (0.0, 0.0),
    ]
    assert [heat(number, 100) for number in (0, 1, 25, 100)] == [0, 1, 3, 6]
    line, area = spark([0, 5, 10])
    assert line == "M0.0 30.0L60.0 16.0L120.0 2.0"
    assert area.startswith(line)
    assert spark([3]) == ("", "")
