# SPDX-License-Identifier: Apache-2.0
"""What the rules have found: alerts with their entries and proofs, what officers do with them, and the rules."""

from collections.abc import Sequence
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from core.web import Guard, locale
from core.web.inputs import Malformed, form_text, query_text

from ..alerts import AlertAboutYou, AlertDesk, AlertMoved, NoReasonGiven, State
from ..alerts.desk import LONGEST_REASON
from ..alerts.models import Told
from ..alerts.words import FIELDS, KINDS, LEVEL_TONES, LEVELS, STATE_TONES, STATES
from ..cases.cases import MOST_ENTRIES
from .asked import file, officer, parameters, place
from .blueprint import ROLE, Pages

_ALL = "all"
_MOVES = {"acknowledge": State.ACKNOWLEDGED, "close": State.CLOSED}
_WORDS = {
    "levels": LEVELS,
    "level_tones": LEVEL_TONES,
    "states": STATES,
    "state_tones": STATE_TONES,
    "alert_kinds": KINDS,
    "alert_fields": FIELDS,
}


def alerting(desk: AlertDesk, *, assurance: int = 1) -> Pages:
    """The officers' pages; ``assurance`` is the lowest with which an officer reads."""

    def pages(made: Blueprint, guard: Guard) -> None:
        made.app_template_global(name="open_alerts")(desk.open_alerts)
        made.app_template_global(name="title_of")(title_of)
        made.app_template_global(name="description_of")(description_of)
        made.app_template_global(name="innocent_of")(innocent_of)
        _alerts(made, desk, guard, assurance)
        _one(made, desk, guard, assurance)

        @made.get("/rules")
        @guard.person(ROLE, assurance=assurance)
        def rules() -> str:
            parameters(only=("lang",))
            found = desk.rules(officer())
            return render_template("audit/rules.html", rules=found, looked=desk.looked_until(), **_WORDS)

    return pages


def _alerts(made: Blueprint, desk: AlertDesk, guard: Guard, assurance: int) -> None:
    @made.get("/alerts")
    @guard.person(ROLE, assurance=assurance)
    def alerts() -> str:
        parameters(only=("state", "rule", "after", "lang"))
        chosen = query_text("state", longest=20) or State.OPEN.value
        rule, after = query_text("rule", longest=64), query_text("after", longest=32)
        if chosen not in (*(state.value for state in State), _ALL):
            raise Malformed(field="state")
        page = desk.page(officer(), None if chosen == _ALL else State(chosen), rule=rule, after=after)
        kept = {"state": chosen} | ({"rule": rule} if rule else {})
        return render_template(
            "audit/alerts.html",
            page=page,
            chosen=chosen,
            choices=[*State, _ALL],
            rule=rule,
            older=f"/alerts?{urlencode(kept | {'after': page.after})}" if page.after else None,
            **_WORDS,
        )


def _one(made: Blueprint, desk: AlertDesk, guard: Guard, assurance: int) -> None:
    def page(alert: str, error: NoReasonGiven | AlertMoved | AlertAboutYou | None = None) -> str:
        found, proven = desk.show(officer(), alert)
        return render_template(
            "audit/alert.html",
            alert=found,
            proven=proven,
            error=error,
            longest=LONGEST_REASON,
            most_together=MOST_ENTRIES,
            witnessed=desk.witnessed(proven),
            State=State,
            **_WORDS,
        )

    @made.get("/alerts/<alert>")
    @guard.person(ROLE, assurance=assurance)
    def alert(alert: str) -> str:
        parameters(only=("lang",))
        return page(alert)

    @made.get("/alerts/<alert>/<index>.tlog-proof")
    @guard.person(ROLE, assurance=assurance)
    def alert_proof(alert: str, index: str) -> Response:
        number = place(index)
        proof = desk.proof(officer(), alert, number).encode()
        return file(proof, "text/plain; charset=utf-8", f"entry-{number}.tlog-proof")

    @made.post("/alerts/<alert>/<any(acknowledge, close):verb>")
    @guard.person(ROLE, assurance=assurance)
    def move_alert(alert: str, verb: str) -> ResponseReturnValue:
        try:
            desk.move(officer(), alert, _MOVES[verb], reason=_reason())
        except NoReasonGiven as error:
            return page(alert, error), 400
        except AlertAboutYou as error:
            return page(alert, error), 403
        except AlertMoved as error:
            return page(alert, error), 409
        return redirect(f"/alerts/{alert}", code=303)


def title_of(told: Told) -> str:
    """A rule's title in the reader's language, if its file has it."""
    return told.title_zh if locale() == "zh" and told.title_zh else told.title


def description_of(told: Told) -> str:
    """What a rule looks for, likewise."""
    return told.description_zh if locale() == "zh" and told.description_zh else told.description


def innocent_of(told: Told) -> Sequence[str]:
    """What may set it off without harm, likewise."""
    return told.innocent_zh if locale() == "zh" and told.innocent_zh else told.innocent


def _reason() -> str:
    """The officer's words; a text field of several lines, so its line ends become blanks."""
    found = request.form.getlist("reason")
    if len(found) != 1:
        return form_text("reason", optional=True)
    return " ".join(found[0].split())
