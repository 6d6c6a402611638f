# SPDX-License-Identifier: Apache-2.0
"""For how long each class is kept, what the next run will drop, and when the disk is full."""

from collections.abc import Callable

from flask import Blueprint, redirect, render_template
from werkzeug.wrappers import Response as Answer

from core.web import Guard, form_text
from core.web.inputs import Malformed

from ..console import Console
from ..events import Retention
from ..models import Reader
from ..retention import Retaining
from ..retention.words import CLASSES, DROPS, STATES, WAITS
from .asked import officer, parameters
from .blueprint import ROLE, Pages

_DIGITS = 5
Consent = Callable[[Reader, Retention, int], str]
"""The warrant under which this officer sets a class to so many days; raises where there is none."""


def retention_pages(
    console: Console,
    *,
    retaining: Retaining,
    consent: Consent,
    assurance: int = 1,
) -> Pages:
    """The officers' page of retention."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/retention")
        @guard.person(ROLE, assurance=assurance)
        def retention() -> str:
            parameters(only=("lang",))
            console.record("audit.searched", officer(), attributes={"view": "retention"})
            return render_template(
                "audit/retention.html", view=retaining.view(), classes=CLASSES, drops=DROPS, states=STATES, waits=WAITS
            )

        @made.post("/retention/confirm")
        @guard.person(ROLE, assurance=assurance)
        def confirm_retention() -> Answer:
            retaining.confirm(officer())
            return redirect("/retention", code=303)

        @made.post("/retention/<any(access, identity, trust):name>")
        @guard.person(ROLE, assurance=assurance)
        def change_retention(name: str) -> Answer:
            text = form_text("days", longest=_DIGITS)
            if not (text.isascii() and text.isdecimal()):
                raise Malformed(field="days")
            who, retention, days = officer(), Retention(name), int(text)
            # A warrant is used up by being shown; what cannot be meant must not use one.
            retaining.demand_term(retention, days)
            retaining.change(who, retention, days, warrant=consent(who, retention, days))
            return redirect("/retention", code=303)

    return pages
