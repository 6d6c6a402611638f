# SPDX-License-Identifier: Apache-2.0
"""People at the desk: found by user name, looked at on record, sessions ended, factors reset by two."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from core.errors import NotFound
from core.web import Guard, _, form_text, identity, locale
from core.web.inputs import Malformed

from ...service import SignOn
from ..words import methods_text, moment, title_of
from .desk import ADMINISTRATOR, SURE, Pages

_LONGEST_NAME = 200
_LONGEST_REASON = 400
_LONGEST_ID = 64


def persons(service: SignOn) -> Pages:
    """The pages."""
    supervision, resets = service.supervision, service.resets

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/admin/people", endpoint="people")
        @guard.person(ADMINISTRATOR, assurance=SURE)
        def listed() -> str:
            return _search()

        @made.post("/admin/people/find", endpoint="find_person")
        @guard.person(ADMINISTRATOR, assurance=SURE)
        def find() -> ResponseReturnValue:
            try:
                subject = supervision.find(form_text("username", longest=_LONGEST_NAME), actor=identity().subject)
            except NotFound as error:
                return _search(_("Nobody has this user name.")), error.kind.status
            return redirect(url_for("sso_admin.person", subject=subject), 303)

        @made.get("/admin/people/<subject>", endpoint="person")
        @guard.person(ADMINISTRATOR, assurance=SURE)
        def one(subject: str) -> str:
            return render_template(
                "sso/admin/person.html",
                page=supervision.page(subject, actor=identity().subject, language=locale()),
                own=identity().subject,
                moment=moment,
                methods_text=methods_text,
                title_of=title_of,
            )

        @made.post("/admin/people/<subject>/end", endpoint="end_sessions")
        @guard.person(ADMINISTRATOR, assurance=SURE)
        def end(subject: str) -> ResponseReturnValue:
            sid = form_text("sid", longest=_LONGEST_ID, optional=True)
            if sid:
                supervision.end(subject, sid, actor=identity().subject)
            else:
                supervision.end_all(subject, actor=identity().subject)
            return redirect(url_for("sso_admin.person", subject=subject), 303)

        @made.post("/admin/people/<subject>/reset", endpoint="ask_reset")
        @guard.person(ADMINISTRATOR, assurance=SURE)
        def ask(subject: str) -> ResponseReturnValue:
            resets.ask(subject, reason=form_text("reason", longest=_LONGEST_REASON), actor=identity().subject)
            return redirect(url_for("sso_admin.person", subject=subject), 303)

        @made.post("/admin/people/<subject>/reset/<identifier>", endpoint="decide_reset")
        @guard.person(ADMINISTRATOR, assurance=SURE)
        def decide(subject: str, identifier: str) -> ResponseReturnValue:
            choice = form_text("choice")
            if choice not in ("confirm", "stop"):
                raise Malformed(field="choice")
            act = resets.confirm if choice == "confirm" else resets.stop
            act(identifier, actor=identity().subject)
            return redirect(url_for("sso_admin.person", subject=subject), 303)

        def _search(error: str = "") -> str:
            return render_template("sso/admin/people.html", waiting=resets.waiting(), error=error, moment=moment)

    return pages
