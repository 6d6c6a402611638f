# SPDX-License-Identifier: Apache-2.0
"""A host registered with a graded assessment is held to what the grade demands."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from core.config import ConfigurationError, decode
from gateway.config import Route

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
