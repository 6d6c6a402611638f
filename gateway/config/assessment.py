# SPDX-License-Identifier: Apache-2.0
"""The security assessment with which a host was registered, and what its grade demands."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from .names import LISTENERS


@dataclass(frozen=True, kw_only=True)
class Grade:
    """What a grade of assessment demands of a route."""

    assurance: int
    zones: tuple[str, ...]
    # Days after which the assessment is due again.
    days: int
    # Days for which records of access are kept at least (``retention.access`` of the record).
    kept: int


GRADES = {
    1: Grade(assurance=0, zones=LISTENERS, days=1095, kept=180),
    2: Grade(assurance=1, zones=LISTENERS, days=730, kept=180),
    3: Grade(assurance=2, zones=LISTENERS, days=365, kept=366),
    4: Grade(assurance=3, zones=("internal", "management"), days=180, kept=1098),
}
"""By grade of protection (GB/T 22240); a fifth is beyond what this software is for."""


class Lapsed(StrEnum):
    """What an assessment that has run out means for its host."""

    OPEN = "open"
    READ_ONLY = "read-only"
    SHUT = "shut"


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """The security assessment with which a host was registered."""

    # 1 to 4; what it demands of the route is checked at start.
    grade: int
    # Who assessed, and the number of the report.
    by: str
    report: str
    # When, as 2026-11-29; how long it holds follows from the grade.
    on: str

    def __post_init__(self) -> None:
        if self.grade not in GRADES:
            raise ValueError("grade must be 1 to 4")
        if not self.by or not self.report:
            raise ValueError("by and report must say something")
        date.fromisoformat(self.on)

    @property
    def due(self) -> date:
        """When the host must be assessed again."""
        return date.fromisoformat(self.on) + timedelta(days=GRADES[self.grade].days)
