# SPDX-License-Identifier: Apache-2.0
"""Cases and security incidents: where they lie, how long their reports may take, and the report on paper."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from typing import Any

from audit.cases import Case, CaseStore, Grade, Incidents, Terms, awaited
from audit.cases.grading import (
    AWAITED,
    CLASSES,
    DEADLINES,
    FIELDS,
    GRADES,
    MISSED,
    QUESTIONS,
    REPORTS,
    WAITS,
    WITH_SEAL,
)
from audit.cases.models import STEPS
from audit.config import AuditSettings
from audit.console import concerned
from audit.evidence import Waiting
from audit.models import Recorder
from audit.published import Reading
from audit.warrants import State, WarrantStore, switch_of
from audit.warrants.errors import NoSuchWarrant
from audit.watch import Duty
from audit.web import TRANSLATIONS
from core.config import secret
from core.errors import TallygateError
from core.log import logger
from core.web import chinese_words

from ..context import Context
from ..users import Users
from .evidence import seal_of
from .lineage import make_missing, past

KEY = "cases.key"
Seal = Callable[[bytes, str, str], bytes | Waiting]
_log = logger(__name__)


def terms(context: Context) -> Terms:
    """How long each report may take, as the site sets it."""
    set_ = context.settings("audit", AuditSettings).incidents
    first = (set_.first_particular, set_.first_serious, set_.first_larger, set_.first_general)
    return Terms(
        first=dict(zip(Grade, first, strict=True)),
        follow_up={grade: set_.follow_up_general if grade is Grade.GENERAL else set_.follow_up for grade in Grade},
        closing=set_.closing,
    )


def opened_cases(context: Context, opened: Reading, recorder: Recorder, warrants: WarrantStore) -> Incidents:
    """The cases of the site."""
    folder = context.site.folder("audit")
    make_missing(folder, [KEY])

    def shut_under(identifier: str) -> str:
        try:
            found = warrants.find(identifier)
        except NoSuchWarrant:
            return ""
        used = found.kind == "shut" and found.state is State.USED
        return switch_of(found.scope)[0] if used else ""

    return Incidents(
        store=CaseStore.open(folder / "cases.db"),
        key=secret(folder / KEY),
        recorder=recorder,
        clock=context.clock,
        size=opened.log.size,
        before=past(context).size,
        concerned=lambda place: concerned(opened.log, place),
        shut_under=shut_under,
    )


def duties(context: Context, opened: Reading) -> list[Duty]:
    """In the watch process: what was not reported in time is said so, once."""
    store = WarrantStore.open(context.site.folder("audit") / "warrants.db")
    cases, allowed = opened_cases(context, opened, context.recorder("audit"), store), terms(context)
    return [Duty(name="incidents", every=timedelta(seconds=30), act=lambda _stopped: cases.remind(allowed))]


def overdue(context: Context) -> list[str]:
    """What is overdue now, in words, read as the record's user."""
    path = context.site.folder("audit") / "cases.db"

    def read() -> bytes:
        if not path.exists():
            return b"[]"
        allowed, now = terms(context), context.clock.now()
        with closing(CaseStore.open(path)) as store:
            cases = Incidents(
                store=store,
                key=secret(path.with_name(KEY)),
                recorder=context.recorder("audit"),
                clock=context.clock,
                size=lambda: 0,
            ).about_incidents()
        waiting = [(case.id, awaited(case, allowed)) for case in cases]
        said = [
            f"{name}: {late.kind} was due {late.at:%Y-%m-%dT%H:%MZ}"
            for name, late in waiting
            if late and late.late(now)
        ]
        return json.dumps(said).encode()

    found: list[str] = json.loads(Users.detect().acting("audit", read))
    return found


def on_paper(context: Context, seal: Seal | None = None) -> Callable[[Case, Mapping[str, Any], str], bytes]:
    """Makes the report as a PDF in English and 中文, with the organisation's seal where the site has one."""
    settings = context.settings("audit", AuditSettings)
    if seal is None and settings.evidence_seal:
        seal = seal_of(context, settings.evidence_seal)

    def made(case: Case, said: Mapping[str, Any], header: str) -> bytes:
        document = _drawn(context, settings, case, said)
        if seal is None or not header:
            return document
        try:
            sealed = seal(document, header, case.id)
        except TallygateError as error:
            # Without its seal the report is still due; that it has none can be seen.
            _log.warning("report_not_sealed", code=error.code, exc_info=error)
            return document
        if isinstance(sealed, Waiting):
            return _drawn(context, settings, case, said, waits_at=sealed.address)
        return sealed

    return made


def _drawn(
    context: Context, settings: AuditSettings, case: Case, said: Mapping[str, Any], *, waits_at: str = ""
) -> bytes:
    # The font tools are loaded when a paper is made, and not before.
    from core.paper import Face, Section, table  # noqa: PLC0415

    chinese = chinese_words([TRANSLATIONS])
    incident = case.incident
    if incident is None:
        return b""

    def both(words: str) -> str:
        return f"{words} · {chinese(words)}"

    facts = [
        ("1", (both("Security incident"), case.id, case.title)),
        ("2", (both("Class"), both(CLASSES[incident.kind]))),
        ("3", (both("Grade"), both(GRADES[incident.grade]))),
        *(
            (str(number), (both(question), both(answers[incident.answers[name]])))
            for number, (name, (question, answers)) in enumerate(QUESTIONS.items(), 4)
        ),
        ("7", (both("Noticed"), f"{incident.noticed:%Y-%m-%d %H:%M} UTC")),
    ]
    if waits_at:
        facts.append(("8", (both(WITH_SEAL), both(WAITS), waits_at)))
    sections = [Section(title=both("Security incident"), before=case.title, rows=facts)]
    sections += [
        Section(
            title=f"{both(REPORTS[report['report']])} · {_minute(report['at'])}",
            before=f"{report['officer']}",
            rows=[
                (str(number), (both(FIELDS[name]), *text.split("\n")))
                for number, (name, text) in enumerate(((n, report["fields"].get(n, "")) for n in FIELDS), 1)
                if text
            ],
        )
        for report in said["reports"]
    ]
    if deadlines := list(_deadlines(said, both)):
        sections.append(Section(title=both(DEADLINES), before="", rows=deadlines))
    if said["switches"]:
        shut = [(str(number), (each["shut"], each["warrant"])) for number, each in enumerate(said["switches"], 1)]
        sections.append(Section(title=both("Emergency switches"), before="", rows=shut))
    sections.append(
        Section(
            title=both("In the record"),
            before="",
            rows=[
                (
                    str(step["number"]),
                    (f"{both(STEPS[step['kind']])} · {_minute(step['at'])}", f"{step['entry']} {step['digest']}"),
                )
                for step in said["steps"]
            ],
        )
    )
    file = io.BytesIO()
    now = context.clock.now()
    title = f"{both('Security incident')} · {context.site.title} · {context.site.title_zh}"
    foot = f"{context.site.name} · {now:%Y-%m-%d %H:%M} UTC"
    with closing(Face(settings.evidence_font, face=settings.evidence_font_face)) as face:
        table(file, title, sections, foot=foot, face=face)
    return file.getvalue()


def _deadlines(said: Mapping[str, Any], both: Callable[[str], str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each report that was not made in time, and the one that is awaited."""
    found = [(each, MISSED) for each in said["missed"]]
    if said["awaited"] and said["awaited"] not in said["missed"]:
        found.append((said["awaited"], AWAITED))
    for number, (each, what) in enumerate(found, 1):
        yield str(number), (both(REPORTS[each["report"]]), f"{_minute(each['due'])}: {both(what)}")


def _minute(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC"
