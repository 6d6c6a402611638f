# SPDX-License-Identifier: Apache-2.0
"""The registration desk: asking, deciding, fetching secrets once; and the invitations that operators gave."""

import json
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import TallygateError
from core.web import Guard, _, form_text, identity
from core.web.inputs import Malformed

from ...errors import AssessmentUnmet, BadAssessment, InvalidClientMetadata, InvalidRedirectURI, TooManyApplications
from ...oauth.rfc7591 import METHODS
from ...service import SignOn
from ...service.assessing import DATA, DEGREES, EXPOSURES, HARMED, QUESTIONS, REVIEWED_AFTER, assessed
from ..words import moment
from .desk import ADMINISTRATOR, AGENCY, SURE, Pages

_ADDRESSES = 4
"""Fields for addresses that answers go to."""
_SCOPES = ("profile", "email", "organisation", "mandate")
_LONGEST_KEYS = 8000
_LONGEST_REASON = 400


def portals(service: SignOn) -> Pages:
    """The pages."""
    desk = service.portals

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/admin/portals", endpoint="portals")
        @guard.person(ADMINISTRATOR, AGENCY, assurance=SURE)
        def listed() -> str:
            administers = ADMINISTRATOR in identity().roles
            return render_template(
                "sso/admin/portals.html",
                found=desk.all(subject=identity().subject, administers=administers),
                invitations=desk.invitations() if administers else (),
                own=identity().subject,
                title=_title,
                moment=moment,
            )

        @made.get("/admin/portals/ask", endpoint="ask")
        @guard.person(ADMINISTRATOR, AGENCY, assurance=SURE)
        def form() -> str:
            return _form({**dict.fromkeys((*_FIELDS, *QUESTIONS), ""), "addresses": [], "scopes": []}, None)

        @made.post("/admin/portals/ask", endpoint="asked")
        @guard.person(ADMINISTRATOR, AGENCY, assurance=SURE)
        def asked() -> ResponseReturnValue:
            typed: dict[str, Any] = {
                name: form_text(name, longest=longest, optional=True)
                for name, longest in {**_FIELDS, **dict.fromkeys(QUESTIONS, 3)}.items()
            }
            typed["addresses"] = [text.strip() for text in request.form.getlist("redirect_uri")[:_ADDRESSES] if text]
            typed["scopes"] = [scope for scope in _SCOPES if scope in request.form.getlist("scope")]
            try:
                found = desk.ask(
                    _metadata(typed),
                    subject=identity().subject,
                    contact=typed["contact"],
                    test=typed["test"] == "yes",
                    # Whoever names a host behind the gateway is assessed; a program elsewhere is not.
                    assessment=assessed(typed, typed) if typed["label"] else None,
                )
            except (
                InvalidClientMetadata,
                InvalidRedirectURI,
                TooManyApplications,
                BadAssessment,
                AssessmentUnmet,
            ) as error:
                return _form(typed, error), error.kind.status
            return redirect(url_for("sso_admin.portal", identifier=found.id), 303)

        @made.get("/admin/portals/<identifier>", endpoint="portal")
        @guard.person(ADMINISTRATOR, AGENCY, assurance=SURE)
        def one(identifier: str) -> str:
            application = _one(identifier)
            return render_template(
                "sso/admin/portal.html",
                one=application,
                said=json.loads(application.metadata),
                **_ASSESSING,
                own=identity().subject == application.asked_by,
                issuer=service.issuer,
                title=_title,
                moment=moment,
            )

        @made.post("/admin/portals/<identifier>/decide", endpoint="decide")
        @guard.person(ADMINISTRATOR, assurance=SURE)
        def decide(identifier: str) -> ResponseReturnValue:
            desk.decide(
                _one(identifier),
                subject=identity().subject,
                yes=_choice() == "grant",
                reason=form_text("reason", longest=_LONGEST_REASON),
            )
            return redirect(url_for("sso_admin.portal", identifier=identifier), 303)

        @made.post("/admin/portals/<identifier>/fetch", endpoint="fetch")
        @guard.person(ADMINISTRATOR, AGENCY, assurance=SURE)
        def fetch(identifier: str) -> str:
            registered = desk.fetch(_one(identifier), subject=identity().subject)
            return render_template("sso/admin/secrets.html", told=registered, issuer=service.issuer)

        @made.post("/admin/invitations/end", endpoint="end_invitation")
        @guard.person(ADMINISTRATOR, assurance=SURE)
        def end_invitation() -> ResponseReturnValue:
            desk.end_invitation(form_text("invitation", longest=64), subject=identity().subject)
            return redirect(url_for("sso_admin.portals"), 303)

        def _one(identifier: str) -> Any:
            who = identity()
            return desk.one(identifier, subject=who.subject, administers=ADMINISTRATOR in who.roles)

        def _form(typed: dict[str, Any], error: TallygateError | None) -> str:
            why = _(error.message) % error.parameters if error else ""
            typed["addresses"] = [*typed["addresses"], *[""] * (_ADDRESSES - len(typed["addresses"]))]
            return render_template(
                "sso/admin/ask.html", typed=typed, error=why, methods=METHODS, addresses=_ADDRESSES, **_ASSESSING
            )

    return pages


_ASSESSING: dict[str, Any] = {
    "harmed": HARMED,
    "degrees": DEGREES,
    "data_classes": DATA,
    "exposures": EXPOSURES,
    "questions": QUESTIONS,
    "reviewed_after": REVIEWED_AFTER,
}
_FIELDS = {
    "label": 32,
    "owner": 100,
    "by": 100,
    "report": 60,
    "data": 20,
    "exposure": 20,
    "harmed": 20,
    "degree": 1,
    "name": 100,
    "name_zh": 100,
    "contact": 200,
    "method": 40,
    "jwks": _LONGEST_KEYS,
    "jwks_uri": 200,
    "logout_uri": 200,
    "afterwards": 200,
    "proof": 10,
    "test": 10,
}


def _choice() -> str:
    chosen = form_text("choice")
    if chosen not in ("grant", "refuse"):
        raise Malformed(field="choice")
    return chosen


def _metadata(typed: dict[str, Any]) -> dict[str, Any]:
    """What was typed, as a program would register it (RFC 7591)."""
    said: dict[str, Any] = {
        "client_name": typed["name"],
        "client_name#zh": typed["name_zh"] or typed["name"],
        "redirect_uris": typed["addresses"],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": " ".join(["openid", *typed["scopes"]]),
        "token_endpoint_auth_method": typed["method"],
    }
    texts = {
        "jwks_uri": typed["jwks_uri"],
        "backchannel_logout_uri": typed["logout_uri"],
        "post_logout_redirect_uris": [typed["afterwards"]] if typed["afterwards"] else [],
        "dpop_bound_access_tokens": typed["proof"] == "yes",
    }
    said |= {name: value for name, value in texts.items() if value}
    if typed["jwks"]:
        try:
            said["jwks"] = json.loads(typed["jwks"])
        except (ValueError, RecursionError) as error:
            raise InvalidClientMetadata(why="jwks") from error
    if not typed["name"] or not typed["contact"]:
        raise InvalidClientMetadata(why="client_name" if not typed["name"] else "contacts")
    return said


def _title(application: Any) -> str:
    """What it is called."""
    name: str = json.loads(application.metadata)["client_name"]
    return name
