# SPDX-License-Identifier: Apache-2.0
"""Four eyes on the screen: what waits for a second officer, the form that asks, the page that decides."""

from flask import Blueprint, redirect, render_template
from werkzeug.wrappers import Response

from core.errors import N_
from core.web import Guard, form_text, identity
from core.web.inputs import query_text

from ..console import Warranting
from ..warrants import AUDITOR, KINDS, OFFICER, State
from ..warrants.models import LONGEST_SCOPE, MOST_PURPOSE, SCOPES
from .asked import long_text, officer
from .blueprint import Pages

STATES = {
    State.ASKING: N_("being recorded"),
    State.ASKED: N_("waits for a second officer"),
    State.APPROVING: N_("being recorded"),
    State.GRANTED: N_("approved"),
    State.USING: N_("being used"),
    State.USED: N_("used up"),
    State.REFUSED: N_("refused"),
    State.WITHDRAWN: N_("taken back"),
    State.EXPIRED: N_("ran out"),
}
TONES = {State.ASKED: "warn", State.GRANTED: "good", State.REFUSED: "bad"}
ACTS = {
    "erase": N_("Erase this person for good"),
    "hold": N_("Place this hold"),
    "release": N_("Release this hold"),
    "shut": N_("Shut it now"),
    "reopen": N_("Open it again"),
}
DONE = {
    "asked": N_("Asked. Another officer sees it now."),
    "approve": N_("Approved. Whoever asked may act from now on."),
    "refuse": N_("Refused."),
    "withdraw": N_("Taken back. It allows nothing any more."),
    "act": N_("Done, and recorded."),
}


def warranting(warrants: Warranting, *, assurance: int = 1) -> Pages:
    """Every address of warrants."""

    def pages(made: Blueprint, guard: Guard) -> None:
        made.app_template_global(name="holds_role")(lambda role: role in identity().roles)
        _lists(made, guard, warrants, assurance)
        _asking(made, guard, warrants, assurance)
        _deciding(made, guard, warrants, assurance)

    return pages


def _lists(made: Blueprint, guard: Guard, warrants: Warranting, assurance: int) -> None:
    @made.get("/warrants")
    @guard.person(OFFICER, AUDITOR, assurance=assurance)
    def warrant_list() -> str:
        desk, holds = warrants.desk(officer())
        return render_template("audit/warrants.html", desk=desk, holds=holds, **_words())

    @made.get("/warrants/<identifier>")
    @guard.person(OFFICER, AUDITOR, assurance=assurance)
    def warrant(identifier: str) -> str:
        looked = warrants.look(officer(), identifier)
        done = DONE.get(query_text("done"), "")
        return render_template("audit/warrant.html", looked=looked, warrant=looked.warrant, done=done, **_words())


def _asking(made: Blueprint, guard: Guard, warrants: Warranting, assurance: int) -> None:
    @made.get("/warrants/new")
    @guard.person(OFFICER, AUDITOR, assurance=assurance)
    def warrant_new() -> str:
        about, _, which = query_text("scope", longest=LONGEST_SCOPE).partition(":")
        mine = {name: kind for name, kind in KINDS.items() if kind.asks & identity().roles}
        return render_template(
            "audit/warrant_new.html",
            kinds=mine,
            kind=query_text("kind"),
            about=about,
            which=which,
            most=MOST_PURPOSE,
            **_words(),
        )

    @made.post("/warrants")
    @guard.person(OFFICER, AUDITOR, assurance=assurance)
    def warrant_ask() -> Response:
        asked = warrants.ask(
            officer(),
            form_text("kind"),
            form_text("about"),
            form_text("which", longest=LONGEST_SCOPE).strip(),
            long_text("purpose", MOST_PURPOSE),
        )
        return _back(asked.id, "asked")


def _deciding(made: Blueprint, guard: Guard, warrants: Warranting, assurance: int) -> None:
    verbs = {
        "approve": warrants.approve,
        "refuse": warrants.refuse,
        "withdraw": warrants.withdraw,
        "act": warrants.act,
    }

    @made.post("/warrants/<identifier>/<any(approve, refuse, withdraw, act):verb>")
    @guard.person(OFFICER, AUDITOR, assurance=assurance)
    def warrant_decide(identifier: str, verb: str) -> Response:
        verbs[verb](officer(), identifier)
        return _back(identifier, verb)


def _back(identifier: str, done: str) -> Response:
    return redirect(f"/warrants/{identifier}?done={done}", 303)


def _words() -> dict[str, object]:
    return {"words_of": KINDS, "scope_words": SCOPES, "states": STATES, "state_tones": TONES, "acts": ACTS}
