# SPDX-License-Identifier: Apache-2.0
"""Security incidents: graded by a table, reported in time, closed by a second officer after what was learnt."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from audit.cases import Case, Grade, Graded, Incidents, ReportKind, State, awaited
from audit.cases.errors import BadStep, CaseSettled, NoIncident, OwnCase, ReportDue, StepUnrecorded
from audit.cases.grading import CLASSES, DEMANDED, FIELDS, proposed
from audit.config import IncidentSettings
from audit.models_rules import check
from tests.fakes.audit_console import SECOND, TERMS, ConsoleFake

ANSWERS = {"system": 2, "loss": 3, "society": 1}


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    made = ConsoleFake(tmp_path)
    made.fill()
    return made


@pytest.fixture
def cases(fake: ConsoleFake) -> Incidents:
    return fake.cases


def graded(fake: ConsoleFake, **more: object) -> Graded:
    said = Graded(
        kind="data", answers=ANSWERS, grade=Grade.LARGER, reason="As the table says", noticed=fake.clock.now()
    )
    return replace(said, **more)  # type: ignore[arg-type]  # by name


def begun(fake: ConsoleFake, **more: object) -> str:
    case = fake.cases.open(fake.reader, title="Data were taken", text="")
    fake.cases.grade(fake.reader, case, version=1, said=graded(fake, **more))
    return case


def fields(kind: ReportKind) -> dict[str, str]:
    return {name: f"about {name}" if name in DEMANDED[kind] else "" for name in FIELDS}


def now_at(fake: ConsoleFake, case: str) -> Case:
    return fake.cases.read(fake.reader, case)


@pytest.mark.parametrize(
    ("system", "loss", "society", "grade"),
    [
        (3, 4, 1, Grade.PARTICULAR), (1, 1, 4, Grade.PARTICULAR),
        (3, 3, 1, Grade.SERIOUS), (2, 4, 1, Grade.SERIOUS), (1, 1, 3, Grade.SERIOUS),
        (3, 2, 1, Grade.LARGER), (2, 3, 1, Grade.LARGER), (1, 4, 1, Grade.LARGER), (1, 1, 2, Grade.LARGER),
        (3, 1, 1, Grade.GENERAL), (2, 2, 1, Grade.GENERAL), (1, 3, 1, Grade.GENERAL), (1, 1, 1, Grade.GENERAL),
    ],
)  # fmt: skip
def test_the_table_proposes_a_grade(system: int, loss: int, society: int, grade: Grade) -> None:
    assert proposed(system=system, loss=loss, society=society) is grade


def test_the_standard_has_ten_classes_and_four_grades() -> None:
    assert (len(CLASSES), len(Grade)) == (10, 4)


def test_from_noticing_to_the_lessons(fake: ConsoleFake, cases: Incidents) -> None:
    second = replace(fake.reader, subject=SECOND)
    case = cases.open(fake.reader, title="Data were taken", text="", entries=[3])
    with pytest.raises(NoIncident):
        cases.report(fake.reader, case, version=2, kind=ReportKind.FIRST, fields=fields(ReportKind.FIRST))
    cases.grade(fake.reader, case, version=2, said=graded(fake))
    noticed = fake.clock.now()
    awaiting = awaited(now_at(fake, case), TERMS)
    assert awaiting is not None
    assert (awaiting.kind, awaiting.at) == (ReportKind.FIRST, noticed + timedelta(hours=3))
    with pytest.raises(CaseSettled):
        cases.report(fake.reader, case, version=3, kind=ReportKind.CLOSING, fields=fields(ReportKind.CLOSING))
    version = 3
    for kind in (ReportKind.FIRST, ReportKind.FOLLOW_UP, ReportKind.HANDLED):
        with pytest.raises(BadStep):
            cases.report(fake.reader, case, version=version, kind=kind, fields=dict.fromkeys(FIELDS, ""))
        cases.report(fake.reader, case, version=version, kind=kind, fields=fields(kind))
        version += 1
        fake.clock.advance(timedelta(hours=1))
    with pytest.raises(ReportDue):
        cases.decide(second, case, version=version, to="closed", text="Learnt a lot")
    with pytest.raises(CaseSettled):
        cases.report(fake.reader, case, version=version, kind=ReportKind.FIRST, fields=fields(ReportKind.FIRST))
    cases.report(fake.reader, case, version=version, kind=ReportKind.CLOSING, fields=fields(ReportKind.CLOSING))
    with pytest.raises(OwnCase):
        cases.decide(fake.reader, case, version=version + 1, to="closed", text="Learnt a lot")
    cases.decide(second, case, version=version + 1, to="closed", text="Learnt a lot")
    found = now_at(fake, case)
    assert found.state is State.CLOSED
    assert awaited(found, TERMS) is None
    told = [each for each in fake.log.events if each.type.startswith("audit.case.")]
    for each in told:
        check(each)
    # The log binds every step and holds none of its words.
    assert not any("about" in str(each.attributes) for each in told)
    assert [each.attributes["report"] for each in told if each.type == "audit.case.reported"] == [
        "first",
        "follow_up",
        "handled",
        "closing",
    ]


def test_what_is_late_is_said_once_for_each_deadline_and_in_nobodys_name(fake: ConsoleFake, cases: Incidents) -> None:
    case = begun(fake, grade=Grade.PARTICULAR)
    cases.remind(TERMS)
    fake.clock.advance(timedelta(hours=2))
    fake.log.down = True
    with pytest.raises(StepUnrecorded):
        cases.remind(TERMS)
    fake.log.down = False
    for _ in range(3):
        cases.remind(TERMS)
    (late,) = [each for each in fake.log.events if each.type == "audit.case.overdue"]
    check(late)
    assert (late.object, late.actor, late.attributes["report"]) == (case, "", "first")
    version = now_at(fake, case).version
    cases.report(fake.reader, case, version=version, kind=ReportKind.FIRST, fields=fields(ReportKind.FIRST))
    fake.clock.advance(timedelta(hours=25))
    cases.remind(TERMS)
    cases.remind(TERMS)
    assert [e.attributes["report"] for e in fake.log.events if e.type == "audit.case.overdue"] == ["first", "follow_up"]


def test_grading_anew_moves_no_deadline_that_has_begun(fake: ConsoleFake, cases: Incidents) -> None:
    case, noticed = begun(fake), fake.clock.now()
    fake.clock.advance(timedelta(minutes=50))
    cases.grade(fake.reader, case, version=2, said=graded(fake, grade=Grade.PARTICULAR, noticed=fake.clock.now()))
    awaiting = awaited(now_at(fake, case), TERMS)
    assert awaiting is not None
    assert awaiting.at == noticed + timedelta(hours=1)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "weather"},
        {"answers": {**ANSWERS, "system": 4}},
        {"answers": {**ANSWERS, "loss": 0}},
        {"reason": " "},
        {"noticed": "later"},
    ],
)
def test_what_cannot_be_is_refused(fake: ConsoleFake, cases: Incidents, change: dict[str, object]) -> None:
    if change.get("noticed"):
        change = {"noticed": fake.clock.now() + timedelta(minutes=1)}
    case = cases.open(fake.reader, title="Data were taken", text="")
    with pytest.raises(BadStep):
        cases.grade(fake.reader, case, version=1, said=graded(fake, **change))
    assert now_at(fake, case).incident is None


def test_a_switch_is_linked_by_the_consent_that_shut_it_and_by_no_other(fake: ConsoleFake, cases: Incidents) -> None:
    case = begun(fake)
    unused = fake.grant("switch:portal=tax", kind="shut")
    for wrong in (unused, "0" * 15, "nothing"):
        with pytest.raises(BadStep):
            cases.link_switch(fake.reader, case, version=2, warrant=wrong)
    fake.switching.throw(fake.reader, fake.warrants.find(unused))
    cases.link_switch(fake.reader, case, version=2, warrant=unused)
    incident = now_at(fake, case).incident
    assert incident is not None
    assert incident.switches == [unused]


def test_on_the_page_from_the_form_to_the_papers(fake: ConsoleFake) -> None:
    case = fake.cases.open(fake.reader, title="Data were taken", text="")
    assert "This is a security incident" in fake.get(f"/cases/{case}").text
    assert fake.get(f"/cases/{case}/report.json").status_code == 409
    form = {"version": "1", "class": "data", "system": "3", "loss": "4", "society": "1", "grade": ""}
    form |= {"text": "By the table", "noticed": f"{fake.clock.now():%Y-%m-%dT%H:%M}"}
    assert fake.post(f"/cases/{case}/grading", {**form, "society": "9"}).status_code == 400
    assert fake.post(f"/cases/{case}/grading", form).status_code == 303
    shown = fake.get(f"/cases/{case}").text
    assert "particularly serious" in shown
    assert "Due by" in shown
    told = dict.fromkeys(DEMANDED[ReportKind.FIRST], "<b>taken</b>")
    assert fake.post(f"/cases/{case}/reports", {"version": "2", "report": "first", **told}).status_code == 303
    assert fake.post(f"/cases/{case}/reports", {"version": "2", "report": "first", **told}).status_code == 409
    shown = fake.get(f"/cases/{case}?lang=zh").text
    assert "特别重大" in shown
    assert "&lt;b&gt;taken&lt;/b&gt;" in shown
    document = fake.get(f"/cases/{case}/report.json")
    assert document.json is not None
    assert (document.json["grade"], document.json["reports"][0]["fields"]["impact"]) == (1, "<b>taken</b>")
    assert [step["kind"] for step in document.json["steps"]] == ["opened", "graded", "reported"]
    paper = fake.post(f"/cases/{case}/report.pdf", {})
    assert (paper.status_code, paper.mimetype) == (200, "application/pdf")
    read = [e.attributes["view"] for e in fake.log.events if e.type == "audit.case.read" and "view" in e.attributes]
    assert read[-2:] == ["report.json", "report.pdf"]
    assert "Security incident" in fake.get("/cases").text
    # Who may not read cases reads no report either.
    assert fake.get(f"/cases/{case}/report.json", roles=("audit-administrator",)).status_code == 403


def test_the_law_bounds_the_settings() -> None:
    for wrong in (
        {"first_larger": timedelta(hours=5), "first_general": timedelta(hours=24)},
        {"first_serious": timedelta(minutes=30)},
        {"closing": timedelta(days=31)},
        {"follow_up": timedelta(days=8)},
        {"first_particular": timedelta(0)},
    ):
        with pytest.raises(ValueError, match="report"):
            IncidentSettings(**wrong)
