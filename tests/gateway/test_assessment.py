# SPDX-License-Identifier: Apache-2.0
"""A host registered with a graded assessment is held to what the grade demands."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.context import Context
from app.ports import free_ports
from app.settings import check
from app.up import write_configuration
from core.config import ConfigurationError, decode
from gateway.config import GRADES, Assessment, GatewaySettings, Lapsed, Route
from gateway.service.switches import lapsed
from tests.gateway.conftest import Gateway, make_site
from tests.gateway.test_service_decision import ask

ROUTE = {"role": "portal:tax", "zone": "external", "resource_class": "portal", "assurance": 2}
GRADED = {"grade": 3, "by": "Assessment Centre", "report": "2026-118", "on": "2026-03-01"}


def _read(route: dict[str, Any], assessment: dict[str, Any]) -> Route:
    return decode(Route, {**ROUTE, **route, "assessment": {**GRADED, **assessment}}, where="route", folder=Path())


@pytest.mark.parametrize(
    ("route", "assessment"),
    [
        ({"assurance": 1}, {}),
        ({"assurance": 2}, {"grade": 4}),
        ({"assurance": 3}, {"grade": 4}),
        ({}, {"grade": 0}),
        ({}, {"grade": 5}),
        ({}, {"on": "yesterday"}),
        ({}, {"report": ""}),
    ],
)
def test_a_route_below_its_grade_is_refused_at_start(route: dict[str, Any], assessment: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        _read(route, assessment)


def test_the_grade_says_when_the_assessment_is_due_again() -> None:
    found = [_read({}, {}), _read({"assurance": 3, "zone": "internal"}, {"grade": 4}), _read({}, {"grade": 1})]
    assert [route.assessment.due for route in found if route.assessment] == [
        date(2027, 3, 1),
        date(2026, 8, 28),
        date(2029, 2, 28),
    ]


def test_records_are_kept_the_longer_the_graver_the_grade() -> None:
    kept = [GRADES[grade].kept for grade in sorted(GRADES)]
    assert kept == sorted(kept)
    # The law's floor (Cybersecurity Law, article 21: six months).
    assert kept[0] >= 180


@pytest.mark.parametrize(
    ("means", "method", "day", "refused"),
    [
        (Lapsed.OPEN, "POST", 2, False),
        (Lapsed.READ_ONLY, "GET", 2, False),
        (Lapsed.READ_ONLY, "POST", 2, True),
        (Lapsed.READ_ONLY, "POST", 1, False),
        (Lapsed.SHUT, "GET", 2, True),
        (Lapsed.SHUT, "GET", 1, False),
    ],
)
def test_an_assessment_that_ran_out_bites_from_the_next_day(
    means: Lapsed, method: str, day: int, *, refused: bool
) -> None:
    at = datetime(2027, 3, day, 0, 0, 1, tzinfo=UTC)
    assert lapsed(_read({}, {}), means, method=method, at=at) is refused
    # Sockets can change data; where switches are taken back nothing lapses.
    assert lapsed(_read({}, {}), means, method="GET", socket=True, at=at) is (day > 1 and means is not Lapsed.OPEN)
    assert not lapsed(_read({"unshuttable": True}, {}), means, method=method, at=at)


def test_a_host_whose_assessment_ran_out_is_refused_and_recorded_at_the_boundary(tmp_path: Path) -> None:
    settings = GatewaySettings(lapsed=Lapsed.READ_ONLY)
    on = (datetime.now(UTC) - timedelta(days=400)).date().isoformat()
    settings.routes["tax"] = replace(
        settings.routes["tax"], assurance=2, assessment=Assessment(grade=3, by="Centre", report="1", on=on)
    )
    unit = Gateway(make_site(tmp_path), settings)
    cookie = unit.open_session()
    asked = {"unverified_cookie": cookie}
    assert ask(unit, **asked).reason != "shut"
    assert ask(unit, **asked, unverified_method="POST").reason == "shut"
    assert unit.recorder.events[-1].attributes["reason"] == "shut"


def test_a_site_that_keeps_its_records_shorter_than_a_grade_demands_does_not_start(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    write_configuration(file, free_ports(wishes=()))
    text = file.read_text("utf-8")
    route = (
        '\n[gateway.routes.tax]\nrole = "portal:tax"\nzone = "internal"\nresource_class = "office"\nassurance = 3\n'
        '[gateway.routes.tax.assessment]\ngrade = 4\nby = "Centre"\nreport = "1"\non = "2026-11-01"\n'
    )
    file.write_text(text + route, "utf-8")
    with pytest.raises(ConfigurationError, match="demands 1098 days"):
        check(Context.read(file))
    file.write_text(text + route + "[audit.retention]\naccess = 1098\n", "utf-8")
    check(Context.read(file))
