# SPDX-License-Identifier: Apache-2.0
"""A portal is registered with a graded security assessment, read strictly, shown to whoever decides, and recorded."""

import tomllib
from typing import Any

import pytest

from app.wiring.registering import _section
from core.config import ConfigurationError
from sso.errors import AssessmentUnmet, BadAssessment
from sso.service.assessing import ALLOWED_NO, DATA, DEGREES, HARMED, QUESTIONS, assessed
from sso.service.portals import assessment_of
from tests.sso.conftest import World
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
