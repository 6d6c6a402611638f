# SPDX-License-Identifier: Apache-2.0
"""The pages every portal has; its own content comes in as one function and one template."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from flask import Blueprint, Flask, jsonify, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from core.clock import Clock
from core.web import Guard, identity

from .oidc import SignOn, forget

TEMPLATES = Path(__file__).parent.parent / "templates"
TRANSLATIONS = Path(__file__).parent.parent / "translations"
_GATEWAY_LOGOUT = "/.tallygate/logout"


@dataclass(frozen=True, kw_only=True)
class Link:
    """A way to another service; ``title`` is a catalogue key."""

    title: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Portal:
    """What is different between portals; texts are catalogue keys."""

    name: str
    title: str
    lead: str
    # Template of the visitor's page below portals/.
    template: str
    # Made from the subject and the day; also what the JSON face answers.
    content: Callable[[str, datetime], Mapping[str, Any]]


def blueprint(
    portal: Portal, sign_on: SignOn, guard: Guard, *, clock: Clock, links: Sequence[Link], account: str
) -> Blueprint:
    """The portal's pages."""
    pages = Blueprint("portal", __name__, template_folder=str(TEMPLATES))
    pages.record_once(lambda state: sign_on.install(cast("Flask", state.app)))

    @pages.context_processor
    def shared() -> dict[str, object]:
        return {"portal": portal, "links": links, "account": account}

    @pages.get("/")
    @guard.public("what the service offers, before anybody logs in")
    def landing() -> ResponseReturnValue:
        access = guard.visitor()
        visitor = sign_on.known(access) if access else None
        return render_template("portals/landing.html", access=access, visitor=visitor)

    @pages.get("/me")
    @guard.person()
    def me() -> ResponseReturnValue:
        visitor = sign_on.visitor(identity())
        if visitor is None:
            return sign_on.begin(identity())
        return render_template(
            f"portals/{portal.template}",
            visitor=visitor,
            access=identity(),
            **portal.content(visitor.subject, clock.now()),
        )

    @pages.get("/callback")
    @guard.own("the state of the login this very browser began, and a code only this client can redeem")
    def callback() -> ResponseReturnValue:
        sign_on.finish()
        return redirect(url_for("portal.me"), 303)

    @pages.get("/logout")
    @guard.public("forgetting oneself needs no permission")
    def logout() -> ResponseReturnValue:
        forget()
        return redirect(_GATEWAY_LOGOUT, 303)

    @pages.get("/api/v1/me")
    @guard.person(errors="problem")
    def api_me() -> ResponseReturnValue:
        found = identity()
        return jsonify(
            {
                "portal": portal.name,
                "subject": found.subject,
                "assurance": found.assurance,
                "zone": found.zone,
                "decision": found.decision,
                "content": portal.content(found.subject, clock.now()),
            }
        )

    return pages
