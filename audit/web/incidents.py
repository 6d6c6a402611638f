# SPDX-License-Identifier: Apache-2.0
"""A security incident on the page of its case: what the forms say, and the report as JSON and as a sealed PDF."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request

from core.identity import HEADER
from core.web import Guard

from ..cases import Case, Grade, Graded, Incidents, ReportKind, StepKind, Terms, awaited
from ..cases.errors import BadStep, NoIncident
from ..cases.grading import CLASSES, DEMANDED, FIELDS, GRADES, QUESTIONS, REPORTS, proposed
from ..models import Attribute
from .asked import file, officer, parameters
from .blueprint import ROLE

Paper = Callable[[Case, Mapping[str, Any], str], bytes]
"""Makes the PDF of a case and what is told of it, sealed as the officer of this header asks for it."""
_MINUTE = "%Y-%m-%dT%H:%M"


def graded() -> Graded:
    """What the form of classes and grades says.

    Raises:
        BadStep: a field is missing or cannot be what is asked for.
    """
    answers = {name: _digit(name) for name in QUESTIONS}
    for name, answer in answers.items():
        if answer not in QUESTIONS[name][1]:
            raise BadStep(field=name)
    # Without a choice of the officer's the proposal stands.
    grade = Grade(_digit("grade")) if _field("grade") else proposed(**answers)
    try:
        noticed = datetime.strptime(_field("noticed"), _MINUTE).replace(tzinfo=UTC)
    except ValueError as error:
        raise BadStep(field="noticed") from error
    return Graded(kind=_field("class"), answers=answers, grade=grade, reason=_field("text"), noticed=noticed)


def reported() -> tuple[ReportKind, dict[str, str]]:
    """What the form of reports says.

    Raises:
        BadStep: no kind of report, or a field given twice.
    """
    try:
        kind = ReportKind(_field("report"))
    except ValueError as error:
        raise BadStep(field="report") from error
    return kind, {name: _field(name) for name in FIELDS}


def incident_words(case: Case) -> dict[str, object]:
    """What the page needs to speak of incidents."""
    made = [kind for kind, _at in case.incident.reports] if case.incident else []
    if not made:
        possible = [ReportKind.FIRST]
    elif ReportKind.CLOSING in made:
        possible = []
    elif ReportKind.HANDLED in made:
        possible = [ReportKind.CLOSING]
    else:
        possible = [ReportKind.FOLLOW_UP, ReportKind.HANDLED]
    return {
        "classes": CLASSES,
        "grades": GRADES,
        "questions": QUESTIONS,
        "reports": REPORTS,
        "possible": possible,
        "demanded": {kind: set(DEMANDED[kind]) for kind in possible},
        "fields": FIELDS,
    }


def put_on_paper(
    made: Blueprint, guard: Guard, cases: Incidents, *, terms: Terms, paper: Paper, assurance: int
) -> None:
    """The two ways in which a report leaves the console; both are recorded as a reading of the case."""

    def told(name: str, view: str) -> tuple[Case, dict[str, Any]]:
        def shows(_case: Case) -> Mapping[str, Attribute]:
            return {"view": view}

        case = cases.read(officer(), name, shows=shows)
        return case, document(case, terms)

    @made.get("/cases/<case>/report.json")
    @guard.person(ROLE, assurance=assurance)
    def incident_document(case: str) -> Response:
        parameters(only=("lang",))
        answer: Response = jsonify(told(case, "report.json")[1])
        answer.headers["Content-Disposition"] = f'attachment; filename="incident-{case}.json"'
        return answer

    # A seal is put in an officer's act alone, so that this is one and not a visit.
    @made.post("/cases/<case>/report.pdf")
    @guard.person(ROLE, assurance=assurance)
    def incident_paper(case: str) -> Response:
        parameters(only=("lang",))
        found, said = told(case, "report.pdf")
        return file(paper(found, said, request.headers.get(HEADER, "")), "application/pdf", f"incident-{case}.pdf")


def document(case: Case, terms: Terms) -> dict[str, Any]:
    """Everything that is told to authorities of a security incident; its steps can be found in the record.

    Raises:
        NoIncident: nobody has graded it.
    """
    incident, next_one = case.incident, awaited(case, terms)
    if incident is None:
        raise NoIncident
    return {
        "incident": case.id,
        "title": case.title,
        "state": case.state.value,
        "class": incident.kind,
        "grade": incident.grade.value,
        "proposed_grade": incident.proposed.value,
        "answers": dict(incident.answers),
        "noticed": incident.noticed.isoformat(),
        "awaited": {"report": next_one.kind.value, "due": next_one.at.isoformat()} if next_one else None,
        "missed": [{"report": kind, "due": at} for kind, at in sorted(incident.overdue, key=lambda each: each[1])],
        "reports": [
            {
                "report": step.said["report"],
                "at": step.at.isoformat(),
                "officer": step.officer,
                "fields": dict(step.said["fields"]),
            }
            for step in case.steps
            if step.kind is StepKind.REPORT
        ],
        "switches": [
            {"warrant": step.said["warrant"], "shut": step.text} for step in case.steps if step.kind is StepKind.SWITCH
        ],
        "steps": [
            {
                "number": step.number,
                "kind": step.kind.value,
                "at": step.at.isoformat(),
                "officer": step.officer,
                "entry": step.place,
                "digest": step.digest,
            }
            for step in case.steps
        ],
    }


def _digit(name: str) -> int:
    text = _field(name)
    if text not in {"1", "2", "3", "4"}:
        raise BadStep(field=name)
    return int(text)


def _field(name: str) -> str:
    found = request.form.getlist(name)
    if len(found) > 1:
        raise BadStep(field=name)
    return found[0] if found else ""
