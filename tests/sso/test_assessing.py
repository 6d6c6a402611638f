# SPDX-License-Identifier: Apache-2.0
"""A portal is registered with a graded security assessment, read strictly, shown to whoever decides, and recorded."""

import tomllib
from copy import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.wiring.registering import _section
from core.config import ConfigurationError
from gateway.config import GRADES
from sso.errors import AssessmentUnmet, BadAssessment
from sso.service.assessing import ALLOWED_NO, DATA, DEGREES, HARMED, QUESTIONS, REVIEWED_AFTER, assessed
from sso.service.portals import Portals, assessment_of
from tests.sso.conftest import World, make_world
from tests.sso.desk import Officer, developer
from tests.sso.test_portals import ask, asked, decide

SAID = {
    "label": "library",
    "owner": "City Library",
    "by": "Assessment Centre",
    "report": "2026-118",
    "data": "personal",
    "exposure": "external",
    "harmed": "public",
    "degree": "1",
}
YES = dict.fromkeys(QUESTIONS, "yes")


def test_there_is_a_question_for_each_area_twice() -> None:
    assert len(QUESTIONS) == 20


@pytest.mark.parametrize("harmed", HARMED)
@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("data", DATA)
def test_the_grade_follows_from_harm_and_never_lies_below_the_data(harmed: str, degree: str, data: str) -> None:
    said = {**SAID, "harmed": harmed, "degree": degree, "data": data, "exposure": "internal"}
    by_harm = {"rights": [1, 2, 2], "public": [2, 3, 4], "state": [3, 4, 5]}[harmed][int(degree) - 1]
    if by_harm == 5:
        with pytest.raises(AssessmentUnmet):
            assessed(said, YES)
    else:
        assert assessed(said, YES).grade == max(by_harm, DATA[data][1])


def test_measures_come_before_the_registration() -> None:
    some = list(QUESTIONS)
    for grade, (data, degree) in {2: ("personal", "1"), 3: ("personal", "2")}.items():
        said = {**SAID, "data": data, "degree": degree}
        enough = {**YES, **dict.fromkeys(some[: ALLOWED_NO[grade]], "no")}
        assert len(assessed(said, enough).unmet) == ALLOWED_NO[grade]
        with pytest.raises(AssessmentUnmet):
            assessed(said, {**enough, some[-1]: "no"})
    # Grade 4 is not reached from the external network.
    with pytest.raises(AssessmentUnmet):
        assessed({**SAID, "degree": "3"}, YES)


@pytest.mark.parametrize(
    "change",
    [
        {"data": "x"},
        {"owner": " "},
        {"report": ""},
        {"label": "Library"},
        {"label": "1a"},
        {"label": "a.b"},
        {"degree": "4"},
    ],
)
def test_what_is_missing_is_named(change: dict[str, str]) -> None:
    with pytest.raises(BadAssessment, match=next(iter(change))):
        assessed({**SAID, **change}, YES)
    with pytest.raises(BadAssessment, match="backup"):
        assessed(SAID, {**YES, "backup": ""})


def test_the_agency_fills_it_in_and_another_administrator_decides_by_it(world: World) -> None:
    mine, boss = developer(world), Officer(world)
    refused = ask(mine, **{**SAID, **YES, "backup": ""})
    assert refused.status_code == 400
    assert "backup" in refused.text
    unmet = ask(mine, **{**SAID, **YES, **dict.fromkeys(list(QUESTIONS)[:5], "no")})
    assert unmet.status_code == 409
    assert "grade 2" in unmet.text
    path = asked(mine, **{**SAID, **YES, "backup": "no"})
    shown = boss.get(path).text
    assert "Grade of protection" in shown
    assert "2026-118" in shown
    assert "played back within a year" in shown
    assert "保护等级" in boss.get(path, lang="zh").text
    assert decide(boss, path).status_code == 303
    world.drain()
    told = [each for each in world.recorder.events if each.type in ("sso.client.requested", "sso.client.reviewed")]
    assert {(each.attributes["grade"], each.attributes["label"]) for each in told} == {(2, "library")}
    # What is kept beside the registration is no part of it.
    assert mine.post(f"{path}/fetch", form_at=path).status_code == 200
    [application] = world.store.applications.newest()
    assert assessment_of(application)["unmet"] == ["backup"]
    assert application.state == "done"


def test_the_operator_is_told_the_section_that_the_grade_demands() -> None:
    said: dict[str, Any] = {**assessed({**SAID, "degree": "2"}, YES).kept(), "on": 1_790_000_000}
    route = tomllib.loads(_section(said))["gateway"]["routes"]["library"]
    assert (route["assurance"], route["zone"], route["assessment"]["grade"]) == (2, "external", 3)
    assert "kept for at least 366 days" in _section(said)
    with pytest.raises(ConfigurationError):
        _section({**said, "grade": 4})


def test_whoever_asked_is_written_to_before_the_assessment_is_due_again_once_each(tmp_path: Path) -> None:
    posted: list[tuple[str, str, str]] = []

    def post(address: str, heading: str, text: str, _number: str) -> bool:
        posted.append((address, heading, text))
        return True

    world = make_world(tmp_path, post=post)
    mine, boss = developer(world), Officer(world)
    decide(boss, asked(mine, **{**SAID, **YES}))
    decide(boss, asked(mine))
    world.service.letters.round()
    posted.clear()

    def told(days: int) -> int:
        """Letters of the round after so many days, and of whatever runs beside it or is started anew."""
        world.clock.advance(timedelta(days=days))
        before = len(posted)
        world.service.letters.round()
        again = replace_portals(world)
        assert again.remind() == 0
        world.service.letters.round()
        return len(posted) - before

    # Grade 2 holds for 730 days: 31, 30, 29, 8, 7, 1, 0 days before, and the day after.
    assert [told(days) for days in (699, 1, 1, 21, 1, 6, 1, 1)] == [0, 1, 0, 0, 1, 0, 1, 0]
    assert {address for address, _, _ in posted} == {"library@city.example"}
    due = (world.clock.now().date() - timedelta(days=1)).isoformat()
    assert all("library" in text and due in text and "assessed again" in heading for _, heading, text in posted)
    # A later assessment of the same host counts instead of the first one.
    decide(boss, asked(mine, **{**SAID, **YES, "report": "2028-2"}))
    world.service.letters.round()
    posted.clear()
    assert told(2) == 0
    world.database.close()


def replace_portals(world: World) -> Portals:
    """Another worker's, which has not looked yet."""
    made = copy(world.service.portals)
    made._look_at = 0
    return made


def test_the_boundary_and_the_letters_count_the_same_days() -> None:
    assert {grade: demanded.days for grade, demanded in GRADES.items()} == REVIEWED_AFTER
