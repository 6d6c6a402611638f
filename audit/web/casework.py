# SPDX-License-Identifier: Apache-2.0
"""Cases: the list, one case with its timeline, and the forms that add to it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request

from core.clock import Clock
from core.errors import N_
from core.web import Guard

from ..cases import Case, Incidents, State, Step, Terms, awaited
from ..cases.cases import LONGEST_TEXT, LONGEST_TITLE, MOST_ENTRIES
from ..cases.errors import BadStep, StaleCase
from ..cases.grading import GRADES
from ..cases.models import FOLLOWS, STATES, STEPS
from ..console import Console, Hit
from ..models import Attribute, Reader
from ..search import BadFilter, parse
from .asked import officer, parameters, place
from .blueprint import ROLE, Pages
from .incidents import Paper, graded, incident_words, put_on_paper, reported

_TONES = {State.OPEN: "warn", State.IN_REVIEW: "warn", State.CLOSED: "good"}
_DECIDES = {
    State.OPEN: N_("Take back into work"),
    State.IN_REVIEW: N_("Give to review"),
    State.CLOSED: N_("Close with this finding"),
}
_LONGEST_VERSION = 6


def casework(
    console: Console, *, cases: Incidents, terms: Terms, paper: Paper, clock: Clock, assurance: int = 1
) -> Pages:
    """The pages; ``assurance`` is the lowest with which an officer works on cases.

    ``terms`` say how long reports of security incidents may take, ``paper`` makes one as a sealed PDF.
    """

    def page(reader: Reader, name: str, *, stale: bool = False, typed: str = "") -> str:
        return _page(console, cases, reader, name, terms=terms, now=clock.now(), stale=stale, typed=typed)

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/cases")
        @guard.person(ROLE, assurance=assurance)
        def case_list() -> str:
            given = parameters(only=("entry", "after", "lang"))
            before = parse({"after": given["after"]}).after if "after" in given else None
            chosen = _entries(given.get("entry", []))
            found, older = cases.all(officer(), before=before)
            return render_template(
                "audit/cases.html",
                cases=found,
                chosen=chosen,
                states=STATES,
                tones=_TONES,
                grades=GRADES,
                closed=State.CLOSED,
                longest=(LONGEST_TITLE, LONGEST_TEXT),
                older=f"/cases?{urlencode([('after', older), *(('entry', each) for each in chosen)])}"
                if older
                else None,
            )

        @made.post("/cases")
        @guard.person(ROLE, assurance=assurance)
        def case_open() -> Response:
            chosen, reader = _entries(request.form.getlist("entry")), officer()
            return _to(cases.open(reader, title=_form("title"), text=_form("text"), entries=chosen))

        @made.get("/cases/<case>")
        @guard.person(ROLE, assurance=assurance)
        def case_page(case: str) -> str:
            parameters(only=("lang",))
            return page(officer(), case)

        @made.post("/cases/<case>/<verb>")
        @guard.person(ROLE, assurance=assurance)
        def case_step(case: str, verb: str) -> Response | tuple[str, int]:
            reader, version = officer(), _version()
            try:
                if verb == "entries":
                    entries = _entries(request.form.getlist("entry"))
                    cases.add_entries(reader, case, version=version, entries=entries, why=_form("text"))
                elif verb == "notes":
                    cases.note(reader, case, version=version, text=_form("text"))
                elif verb == "decisions":
                    cases.decide(reader, case, version=version, to=_form("to"), text=_form("text"))
                elif verb == "grading":
                    cases.grade(reader, case, version=version, said=graded())
                elif verb == "reports":
                    kind, fields = reported()
                    cases.report(reader, case, version=version, kind=kind, fields=fields)
                elif verb == "switches":
                    cases.link_switch(reader, case, version=version, warrant=_form("warrant").strip())
                else:
                    raise BadStep(field="verb")
            except StaleCase:
                # What was typed stays on the page, beside what somebody else has added.
                return page(reader, case, stale=True, typed=_form("text")), 409
            return _to(case)

        put_on_paper(made, guard, cases, terms=terms, paper=paper, assurance=assurance)

    return pages


def _page(
    console: Console,
    cases: Incidents,
    reader: Reader,
    name: str,
    *,
    terms: Terms,
    now: datetime,
    stale: bool,
    typed: str,
) -> str:
    entries: list[tuple[int, Hit | None]] = []

    def shows(case: Case) -> Mapping[str, Attribute]:
        openings = console.openings(reader)
        entries.extend((index, console.line(index, openings)) for index in case.entries)
        return openings.told()

    case = cases.read(reader, name, shows=shows)
    return render_template(
        "audit/case.html",
        case=case,
        steps=[_shown(console, case, step) for step in case.steps],
        entries=entries,
        states=STATES,
        tones=_TONES,
        words=STEPS,
        decisions=[(state.value, _DECIDES[state]) for state in State if state in FOLLOWS[case.state]],
        me=reader.subject,
        stale=stale,
        typed=typed[:LONGEST_TEXT],
        longest=LONGEST_TEXT,
        incident=case.incident,
        due=awaited(case, terms),
        now=now,
        **incident_words(case),
    )


def _shown(console: Console, case: Case, step: Step) -> dict[str, Any]:
    """A step with what the log says of it: ``holds`` is None while its record is not published."""
    said = console.clear(step.place)
    holds = None if said is None else (said.object, said.attributes.get("digest")) == (case.id, step.digest)
    return {"step": step, "holds": holds}


def _entries(values: list[str]) -> list[int]:
    if len(values) > MOST_ENTRIES:
        raise BadFilter(field="entry")
    return [place(value) for value in values]


def _version() -> int:
    text = _form("version")
    if not (text.isascii() and text.isdecimal()) or len(text) > _LONGEST_VERSION:
        raise BadStep(field="version")
    return int(text)


def _form(name: str) -> str:
    """One field, with its lines; what it may hold is the case's rule."""
    found = request.form.getlist(name)
    if len(found) > 1:
        raise BadStep(field=name)
    return found[0] if found else ""


def _to(case: str) -> Response:
    return redirect(f"/cases/{case}", code=303)  # type: ignore[return-value]  # werkzeug's own class
