# SPDX-License-Identifier: Apache-2.0
"""The pages every portal has; its own content comes in as one function and one template."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from flask import Blueprint, Flask, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.clock import Clock
from core.identity import HEADER
from core.web import Guard, identity

from ..errors import RecordNotOpened
from .declaring import Declarations, principal, purpose
from .oidc import SignOn, forget

TEMPLATES = Path(__file__).parent.parent / "templates"
TRANSLATIONS = Path(__file__).parent.parent / "translations"
_GATEWAY_LOGOUT = "/.tallygate/logout"
# A new authorization request: there the person says for whom they act, and this visit is another from then on.
SWITCH = "/.tallygate/login?to=/me&acting=choose"


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
    # Made from whose business it is and the day; also what the JSON face answers.
    content: Callable[[str, datetime], Mapping[str, Any]]
    # Whether somebody may act for somebody else here.
    mandates: bool = False


def blueprint(
    portal: Portal,
    sign_on: SignOn,
    guard: Guard,
    *,
    declarations: Declarations,
    clock: Clock,
    links: Sequence[Link],
    account: str,
    held: Callable[[str], Mapping[str, Any] | None] = lambda _subject: None,
) -> Blueprint:
    """The portal's pages; ``held`` is the account that the directory told it of, if it did."""

    def content() -> Mapping[str, Any]:
        """The record of whose business this visit is, once the log knows that it is opened."""
        access, header = identity(), request.headers[HEADER]
        if access.on_behalf_of and not sign_on.mandates:
            raise RecordNotOpened
        subject = principal(access)
        declarations.declare(access, header=header, subject=subject, purpose=purpose(access))
        return portal.content(subject, clock.now())

    pages = Blueprint("portal", __name__, template_folder=str(TEMPLATES))
    pages.record_once(lambda state: sign_on.install(cast("Flask", state.app)))

    @pages.context_processor
    def shared() -> dict[str, object]:
        return {"portal": portal, "links": links, "account": account, "mandates": sign_on.mandates, "switch": SWITCH}

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
            told=held(identity().subject),
            **content(),
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
                "on_behalf_of": found.on_behalf_of,
                "content": content(),
            }
        )

    return pages
