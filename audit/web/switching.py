# SPDX-License-Identifier: Apache-2.0
"""What is shut now, and the form that asks for more; it is thrown and opened again as every consent is used."""

from flask import Blueprint, redirect, render_template
from werkzeug.wrappers import Response

from core.errors import N_
from core.web import Guard, form_text

from ..console import Switchboard
from ..console.switchboard import LASTS
from ..warrants import AUDITOR, OFFICER
from ..warrants.models import MOST_PURPOSE
from .asked import long_text, officer
from .blueprint import Pages

WORDS = {
    "portal": N_("Service"),
    "zones": N_("Way between networks"),
    "client": N_("Client of the sign-on"),
    "writing": N_("All changes of data (read-only)"),
}
"""What a switch shuts, by the beginning of its name."""
TIMES = {"1h": N_("1 hour"), "4h": N_("4 hours"), "12h": N_("12 hours"), "1d": N_("1 day"), "7d": N_("7 days")}


def switching(board: Switchboard, *, assurance: int = 1) -> Pages:
    """Every address of emergency switches."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/switches")
        @guard.person(OFFICER, AUDITOR, assurance=assurance)
        def switches() -> str:
            standing, choices = board.look(officer())
            groups = [(kind, [name for name in choices if name.partition("=")[0] == kind]) for kind in WORDS]
            return render_template(
                "audit/switches.html",
                standing=standing,
                groups=[(kind, names) for kind, names in groups if names],
                kinds=WORDS,
                lasts=LASTS,
                times=TIMES,
                most=MOST_PURPOSE,
            )

        @made.post("/switches")
        @guard.person(OFFICER, AUDITOR, assurance=assurance)
        def switch_ask() -> Response:
            asked = board.ask(
                officer(),
                form_text("name"),
                form_text("lasts", longest=4, optional=True),
                long_text("purpose", MOST_PURPOSE),
            )
            return redirect(f"/warrants/{asked.id}?done=asked", 303)

    return pages
