# SPDX-License-Identifier: Apache-2.0
"""The security assessment that an agency's portal is registered with: its questions as data, its grade computed.

The grade of protection follows from what would be harmed and how badly (GB/T 22240-2020, section 6), and never lies
below what the data demand. The questions are of the ten areas of GB/T 22239-2019; how many may be answered "no" follows
from the grade. What a grade demands of the host, of its zones and of its records is the gateway's business.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from core.errors import N_

from ..errors import AssessmentUnmet, BadAssessment

HARMED: Mapping[str, tuple[str, tuple[int, int, int]]] = {
    "rights": (N_("rights of citizens and organisations"), (1, 2, 2)),
    "public": (N_("public order and public interest"), (2, 3, 4)),
    "state": (N_("national security"), (3, 4, 5)),
}
"""What would be harmed, with the grade by the degree of harm."""
DEGREES: Mapping[str, str] = {"1": N_("general harm"), "2": N_("serious harm"), "3": N_("particularly serious harm")}
DATA: Mapping[str, tuple[str, int]] = {
    "public": (N_("public data"), 1),
    "internal": (N_("internal data of agencies"), 2),
    "personal": (N_("personal data"), 2),
    "sensitive": (N_("sensitive personal data, or important data"), 3),
}
"""Classes of data, with the lowest grade of whoever keeps them."""
EXPOSURES: Mapping[str, str] = {
    "external": N_("external network, reached by citizens"),
    "internal": N_("internal network only"),
    "management": N_("management network only"),
}
QUESTIONS: Mapping[str, str] = {
    "place": N_("Are its machines in a room with controlled entry?"),
    "power": N_("Does it outlast a failure of power and cooling?"),
    "zones": N_("Does it stand in a network zone of its own, behind the gateway alone?"),
    "transport": N_("Is everything encrypted on its way, inside the data centre too?"),
    "boundary": N_("Is every way in and out known, and every other one shut?"),
    "intrusion": N_("Are attacks at its boundary noticed and told?"),
    "identity": N_("Does it take people's identity from the sign-on and the gateway alone?"),
    "access": N_("Does everybody get only what their task needs, and nothing by default?"),
    "apart": N_("Are its administration, its security and its audit in different hands?"),
    "record": N_("Is every access to personal data recorded where its administrators cannot change it?"),
    "input": N_("Is every input checked against what it may be?"),
    "malware": N_("Is harmful code looked for in what is uploaded and on its machines?"),
    "updates": N_("Are its software parts known, and mended within the time its grade asks for?"),
    "secrets": N_("Are keys and passwords kept out of its code, and replaced?"),
    "integrity": N_("Would a change of its data by the wrong hands be noticed?"),
    "backup": N_("Is there a backup elsewhere, and was it played back within a year?"),
    "personal": N_("Does it keep only the personal data it needs, and erase them in time?"),
    "people": N_("Did everybody with access, contractors too, sign and learn the rules?"),
    "suppliers": N_("Are contractors' accounts limited in time and to this portal?"),
    "incidents": N_("Is there a plan for incidents that was exercised within a year?"),
}
REVIEWED_AFTER = {1: 1095, 2: 730, 3: 365, 4: 180}
"""Days after which a host is assessed again, by grade; the boundary holds it to the same."""
ALLOWED_NO = {1: 10, 2: 4, 3: 0, 4: 0}
"""How many questions may be answered "no", by grade."""
_HIGHEST = 4


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """One assessment as it was handed in; what it says was checked."""

    # Label of its host.
    label: str
    owner: str
    # Who assessed, and the number of their report.
    by: str
    report: str
    data: str
    exposure: str
    harmed: str
    degree: str
    grade: int
    # Questions that were answered "no".
    unmet: tuple[str, ...]

    def kept(self) -> dict[str, Any]:
        """As it is kept with the application."""
        return asdict(self)


def assessed(said: Mapping[str, str], answers: Mapping[str, str]) -> Assessment:
    """Read a questionnaire and compute its grade.

    Raises:
        BadAssessment: ``field`` is missing or cannot be what is asked for.
        AssessmentUnmet: more was answered "no" than the grade allows, or the grade is beyond what the site is for.
    """
    for name, possible in (("data", DATA), ("exposure", EXPOSURES), ("harmed", HARMED), ("degree", DEGREES)):
        if said.get(name) not in possible:
            raise BadAssessment(field=name)
    for name in ("owner", "by", "report"):
        if not said.get(name, "").strip():
            raise BadAssessment(field=name)
    label = said.get("label", "")
    if not (label.isascii() and label[:1].islower() and label.replace("-", "").isalnum() and label == label.lower()):
        raise BadAssessment(field="label")
    for question in QUESTIONS:
        if answers.get(question) not in ("yes", "no"):
            raise BadAssessment(field=question)
    by_harm = HARMED[said["harmed"]][1][int(said["degree"]) - 1]
    grade = max(by_harm, DATA[said["data"]][1])
    unmet = tuple(question for question in QUESTIONS if answers[question] == "no")
    if grade > _HIGHEST or len(unmet) > ALLOWED_NO[grade] or (grade == _HIGHEST and said["exposure"] == "external"):
        raise AssessmentUnmet(grade=grade, unmet=len(unmet), allowed=ALLOWED_NO.get(grade, 0))
    return Assessment(
        label=label,
        owner=said["owner"].strip(),
        by=said["by"].strip(),
        report=said["report"].strip(),
        data=said["data"],
        exposure=said["exposure"],
        harmed=said["harmed"],
        degree=said["degree"],
        grade=grade,
        unmet=unmet,
    )
