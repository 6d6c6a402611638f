# SPDX-License-Identifier: Apache-2.0
"""The public page and REST interface that verify documents, and the peers' interface that seals them.

| address              | who                     | what                                     |
| -------------------- | ----------------------- | ---------------------------------------- |
| /                    | anybody                 | form, and the answer in plain words      |
| /api/v1/verify       | anybody                 | signed file in, verdict as JSON out      |
| /api/v1/openapi.json | anybody                 | what this interface takes and gives      |
| /api/v1/seal         | app, portal:documents   | PDF in, sealed PDF out                   |
| /api/v1/seals        | app                     | gives an organisation its seal           |
"""

import ipaddress

from flask import Blueprint, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from core.identity import HEADER
from core.web import Guard, caller, json_object, locale
from core.web.inputs import Malformed, query_text

from .errors import NothingSent, WrongMediaType
from .models import Profile, SealOrder
from .openapi import TAKEN, description
from .service import Sealing, Verification
from .service.verification import Asker
from .verdict import Catalogue, canonical
from .verdict.words import LEVELS, PROBLEMS, QUESTIONS, SEVERITIES, moment, short

_MULTIPART = "multipart/form-data"
_FORM_OVERHEAD = 64 * 1024
_ZONES = frozenset({"external", "internal", "management"})
_ASSURANCE = frozenset({"0", "1", "2", "3"})
_OPERATOR = "app"
_PUBLIC = "anybody may check a signature; only the kind of answer and the network are recorded"


def blueprint(*, verification: Verification, sealing: Sealing, guard: Guard, largest: int) -> Blueprint:
    """All addresses of the role."""
    blue = Blueprint("signatures", __name__, template_folder="templates")
    catalogue = Catalogue()

    @blue.before_app_request
    def take_documents() -> None:
        # Before the guard reads the form for its token: documents are larger than other requests.
        if request.blueprint == blue.name:
            request.max_content_length = 2 * largest + _FORM_OVERHEAD

    @blue.get("/")
    @guard.public(_PUBLIC)
    def form() -> str:
        return render_template("signatures/form.html", largest=largest // (1024 * 1024))

    @blue.post("/")
    @guard.public(_PUBLIC)
    def check() -> str:
        document = _upload("document", largest)
        if not document:
            raise NothingSent
        content = _upload("content", largest) or None
        profile = Profile.TOLERANT if request.form.get("tolerant") == "yes" else Profile.STRICT
        verdict = verification.verify(document, asker=_asker(), profile=profile, content=content)
        return render_template(
            "signatures/verdict.html",
            verdict=verdict,
            text=canonical(verdict, catalogue).decode(),
            questions=QUESTIONS,
            short=short,
            problems_title=PROBLEMS,
            severities=SEVERITIES,
            levels=LEVELS,
            say=lambda words: catalogue.say(words, locale()),
            moment=lambda at: moment(at, locale()),
        )

    @blue.post("/api/v1/verify")
    @guard.public(_PUBLIC, errors="problem")
    def verify() -> ResponseReturnValue:
        wish = query_text("profile") or Profile.STRICT.value
        if wish not in set(Profile):
            raise Malformed(field="profile")
        if request.mimetype == _MULTIPART:
            document, content = _upload("document", largest), _upload("content", largest) or None
        else:
            document, content = _body(largest, taken=TAKEN), None
        if not document:
            raise NothingSent
        verdict = verification.verify(document, asker=_asker(), profile=Profile(wish), content=content)
        return Response(canonical(verdict, catalogue), content_type="application/json")

    @blue.get("/api/v1/openapi.json")
    @guard.public("the description of a public interface", errors="problem")
    def openapi() -> Response:
        return jsonify(description(largest))

    @blue.post("/api/v1/seal")
    @guard.peer(_OPERATOR, "portal:documents", "audit")
    def seal() -> Response:
        zone, assurance = query_text("zone") or "internal", query_text("assurance") or "0"
        if zone not in _ZONES:
            raise Malformed(field="zone")
        if assurance not in _ASSURANCE:
            raise Malformed(field="assurance")
        order = SealOrder(
            document=_body(largest),
            organisation=query_text("organisation", optional=False, longest=64),
            caller=caller(),
            unverified_identity=request.headers.get(HEADER, ""),
            # Whoever comes through the gateway is known by its header; the operator names the person.
            actor=query_text("actor", longest=64),
            assurance=int(assurance),
            zone=zone,
            session=query_text("session", longest=128),
            reference=query_text("reference", longest=200),
        )
        return Response(sealing.seal(order), content_type="application/pdf")

    @blue.post("/api/v1/seals")
    @guard.peer(_OPERATOR)
    def establish() -> ResponseReturnValue:
        wish = json_object(longest=4096)
        organisation, renew = wish.get("organisation"), wish.get("renew", False)
        if not isinstance(organisation, str) or not set(wish) <= {"organisation", "renew"}:
            raise Malformed(field="organisation")
        if not isinstance(renew, bool):
            raise Malformed(field="renew")
        made = sealing.establish(organisation, renew=renew)
        return jsonify(
            {
                "organisation": made.organisation,
                "serial": made.serial,
                "certificate": made.certificate,
                "made_at": made.made_at.isoformat(),
            }
        )

    return blue


def _upload(name: str, largest: int) -> bytes:
    """The one file of this name; nothing where there is none, or several."""
    uploads = request.files.getlist(name)
    found = uploads[0].read(largest + 1) if len(uploads) == 1 else b""
    if len(found) > largest:
        raise RequestEntityTooLarge
    return found


def _body(largest: int, *, taken: frozenset[str] = frozenset({"application/pdf"})) -> bytes:
    if request.mimetype not in taken:
        raise WrongMediaType
    request.max_content_length = largest
    document = request.get_data(cache=False)
    if not document:
        raise NothingSent
    return document


def _asker() -> Asker:
    # Of an anonymous request the record keeps the network, never the address.
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return Asker()
    prefix = 24 if address.version == 4 else 48  # noqa: PLR2004 - the protocol's number
    return Asker(network=str(ipaddress.ip_network(f"{address}/{prefix}", strict=False)))
