# SPDX-License-Identifier: Apache-2.0
"""Applications at the desk: what each is and may, when it was used last, its keys; locked by one, unlocked by two."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from core.web import Guard, form_text, identity
from core.web.inputs import Malformed

from ...service import SignOn
from ..words import moment, title_of
from .desk import ADMINISTRATOR, AGENCY, SURE, Pages
from .samples import LANGUAGES, samples

_LONGEST_REASON = 400


def clients(service: SignOn) -> Pages:
    """The pages."""
    locks = service.locks

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/admin/clients", endpoint="clients")
        @guard.person(ADMINISTRATOR, AGENCY, assurance=SURE)
        def listed() -> str:
            who = identity()
            found = locks.all(subject=who.subject, administers=ADMINISTRATOR in who.roles)
            return render_template("sso/admin/clients.html", found=found, moment=moment, title_of=title_of)

        @made.get("/admin/clients/<client_id>", endpoint="client")
        @guard.person(ADMINISTRATOR, AGENCY, assurance=SURE)
        def one(client_id: str) -> str:
            who = identity()
            page = locks.page(client_id, subject=who.subject, administers=ADMINISTRATOR in who.roles)
            return render_template(
                "sso/admin/client.html",
                page=page,
                samples=samples(page.client, issuer=service.simulator.issuer if page.client.test else service.issuer),
                languages=LANGUAGES,
                own=who.subject,
                moment=moment,
                title_of=title_of,
            )

        @made.post("/admin/clients/<client_id>/lock", endpoint="lock_client")
        @guard.person(ADMINISTRATOR, assurance=SURE)
        def lock(client_id: str) -> ResponseReturnValue:
            locks.lock(client_id, reason=form_text("reason", longest=_LONGEST_REASON), actor=identity().subject)
            return redirect(url_for("sso_admin.client", client_id=client_id), 303)

        @made.post("/admin/clients/<client_id>/unlock", endpoint="ask_unlock")
        @guard.person(ADMINISTRATOR, assurance=SURE)
        def ask(client_id: str) -> ResponseReturnValue:
            locks.ask(client_id, reason=form_text("reason", longest=_LONGEST_REASON), actor=identity().subject)
            return redirect(url_for("sso_admin.client", client_id=client_id), 303)

        @made.post("/admin/clients/<client_id>/unlock/decide", endpoint="decide_unlock")
        @guard.person(ADMINISTRATOR, assurance=SURE)
        def decide(client_id: str) -> ResponseReturnValue:
            choice = form_text("choice")
            if choice not in ("confirm", "decline"):
                raise Malformed(field="choice")
            locks.decide(client_id, yes=choice == "confirm", actor=identity().subject)
            return redirect(url_for("sso_admin.client", client_id=client_id), 303)

    return pages
