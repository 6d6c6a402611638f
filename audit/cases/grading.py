# SPDX-License-Identifier: Apache-2.0
"""Security incidents as data: classes and grades of GB/T 20986-2023, what proposes a grade, when reports are due.

Deadlines and the fields of reports follow the Measures for the Reporting of National Cybersecurity Incidents (in force
since 1 November 2025), article 4 and the articles on what a report says; how long each grade waits is a setting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from core.errors import N_

CLASSES: Mapping[str, str] = {
    "malware": N_("Malicious program"),
    "attack": N_("Network attack"),
    "data": N_("Data security"),
    "content": N_("Information content"),
    "facility": N_("Equipment or facility fault"),
    "violation": N_("Violation of operating rules"),
    "hazard": N_("Security weakness"),
    "anomaly": N_("Abnormal behaviour"),
    "force": N_("Force majeure"),
    "other": N_("Other"),
}
"""The ten classes, section 5."""


class Grade(IntEnum):
    """The four grades, section 6; 1 is the gravest."""

    PARTICULAR = 1
    SERIOUS = 2
    LARGER = 3
    GENERAL = 4


GRADES: Mapping[Grade, str] = {
    Grade.PARTICULAR: N_("particularly serious"),
    Grade.SERIOUS: N_("serious"),
    Grade.LARGER: N_("larger"),
    Grade.GENERAL: N_("general"),
}
SYSTEMS: Mapping[int, str] = {1: N_("general"), 2: N_("important"), 3: N_("particularly important")}
LOSSES: Mapping[int, str] = {
    1: N_("small"),
    2: N_("larger"),
    3: N_("serious"),
    4: N_("particularly serious"),
}
SOCIETY: Mapping[int, str] = {1: N_("general"), 2: N_("larger"), 3: N_("serious"), 4: N_("particularly serious")}
QUESTIONS: Mapping[str, tuple[str, Mapping[int, str]]] = {
    "system": (N_("How important the affected system is"), SYSTEMS),
    "loss": (N_("Loss of the system and its data"), LOSSES),
    "society": (N_("Harm to society"), SOCIETY),
}
"""What a grade is proposed from: name of the field, the question, its answers."""


def proposed(*, system: int, loss: int, society: int) -> Grade:
    """The grade that the answers give.

    A loss weighs by how important the system is; harm to society weighs by itself; the graver of both counts.
    """
    by_loss = max(1, min(4, system + loss - 3))
    return Grade(5 - max(by_loss, society))


class ReportKind(StrEnum):
    """What a report is; the order is that in which they are due."""

    FIRST = "first"
    FOLLOW_UP = "follow_up"
    # The handling has come to its end: nothing follows but the closing report.
    HANDLED = "handled"
    CLOSING = "closing"


REPORTS: Mapping[ReportKind, str] = {
    ReportKind.FIRST: N_("First report"),
    ReportKind.FOLLOW_UP: N_("Follow-up report"),
    ReportKind.HANDLED: N_("Report of the end of handling"),
    ReportKind.CLOSING: N_("Closing report"),
}
DEADLINES = N_("Deadlines")
"""What a paper says above the reports that were missed, and the one that is awaited."""
AWAITED, MISSED = N_("is due by this time"), N_("was not made by this time")
WITH_SEAL = N_("The report with its seal")
WAITS = N_("It waits for a second keeper of the seal, for one day:")
"""What it says of its own seal where that takes two."""
FIELDS: Mapping[str, str] = {
    "unit": N_("Unit concerned, and the affected systems and facilities"),
    "impact": N_("When and where it was found, what it has done and harmed so far; of extortion: sum, way and time"),
    "trend": N_("How it develops, and what more may come of it"),
    "cause": N_("Cause, as far as it is known"),
    "clues": N_("Clues to its origin: attackers, ways in, weaknesses"),
    "measures": N_("Measures taken and planned, and help that is asked for"),
    "scene": N_("How the scene and its traces are kept"),
    "responsibility": N_("Responsibility"),
    "correction": N_("What was put right"),
    "lessons": N_("Lessons"),
}
"""What a report says."""
DEMANDED: Mapping[ReportKind, Sequence[str]] = {
    # What is not known in time may follow later.
    ReportKind.FIRST: ("unit", "impact"),
    ReportKind.FOLLOW_UP: ("measures",),
    ReportKind.HANDLED: ("impact", "measures"),
    ReportKind.CLOSING: ("cause", "impact", "measures", "responsibility", "correction", "lessons"),
}
"""Which fields each must fill in."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How long each report may take."""

    # By grade, from when it was noticed.
    first: Mapping[Grade, timedelta]
    # From one report to the next, while it is being handled.
    follow_up: Mapping[Grade, timedelta]
    # From the end of handling.
    closing: timedelta


@dataclass(frozen=True, kw_only=True)
class Due:
    """One report that is awaited."""

    kind: ReportKind
    at: datetime

    def late(self, now: datetime) -> bool:
        """Whether its time is over."""
        return now > self.at


def due(terms: Terms, *, grade: Grade, noticed: datetime, reports: Sequence[tuple[ReportKind, datetime]]) -> Due | None:
    """The report that is awaited next; None when the closing one was made."""
    made = {kind for kind, _at in reports}
    if ReportKind.CLOSING in made:
        return None
    if not made:
        return Due(kind=ReportKind.FIRST, at=noticed + terms.first[grade])
    handled = [at for kind, at in reports if kind is ReportKind.HANDLED]
    if handled:
        return Due(kind=ReportKind.CLOSING, at=handled[-1] + terms.closing)
    return Due(kind=ReportKind.FOLLOW_UP, at=reports[-1][1] + terms.follow_up[grade])
