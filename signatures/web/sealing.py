# SPDX-License-Identifier: Apache-2.0
"""The peers' interface that seals documents."""

from dataclasses import replace

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from core.identity import HEADER
from core.web import Guard, caller, json_object
from core.web.inputs import Malformed, query_text

from ..errors import SecondAsked
from ..models import SealOrder
from ..service import Keepers, Sealing, Seconding
from .blueprint import Pages
from .bodies import ANY, body
from .wishes import permits, placement

_ZONES = frozenset({"external", "internal", "management"})
_ASSURANCE = frozenset({"0", "1", "2", "3"})
_OPERATOR = "app"
_REPORTS = "audit"
_LONGEST_NAME = 200


def sealing(service: Sealing, seconding: Seconding, keepers: Keepers, *, largest: int) -> Pages:
    """Seals for the site's own roles."""

    def pages(blue: Blueprint, guard: Guard) -> None:
        @blue.post("/api/v1/seal")
        @guard.peer(_OPERATOR, "portal:documents", "audit")
        def seal() -> ResponseReturnValue:
            order = _order(body(largest))
            look = replace(
                order,
                placement=placement(request.args),
                permits=permits(request.args),
                code=_yes("code"),
                further=_yes("further"),
            )
            try:
                sealed = seconding.seal(look, name="report.pdf" if look.caller == _REPORTS else "document.pdf")
            except SecondAsked as asked:
                return _waits(asked)
            return Response(sealed, content_type="application/pdf")

        @blue.post("/api/v1/detached")
        @guard.peer(_OPERATOR, "portal:documents")
        def detached() -> ResponseReturnValue:
            order = _order(body(largest, taken=ANY))
            try:
                signature = seconding.sign_beside(order, name=query_text("name", longest=_LONGEST_NAME) or "document")
            except SecondAsked as asked:
                return _waits(asked)
            return Response(signature, content_type="application/pkcs7-signature")

        @blue.post("/api/v1/keepers")
        @guard.peer(_OPERATOR)
        def name_keepers() -> Response:
            wish = json_object(longest=4096)
            organisation, names = wish.get("organisation"), wish.get("keepers")
            if not isinstance(organisation, str) or set(wish) != {"organisation", "keepers"}:
                raise Malformed(field="organisation")
            if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
                raise Malformed(field="keepers")
            rule = keepers.name_first(organisation, names)
            return jsonify({"organisation": rule.organisation, "keepers": sorted(rule.keepers)})

        @blue.post("/api/v1/seals")
        @guard.peer(_OPERATOR)
        def establish() -> ResponseReturnValue:
            wish = json_object(longest=4096)
            organisation, renew = wish.get("organisation"), wish.get("renew", False)
            if not isinstance(organisation, str) or not set(wish) <= {"organisation", "renew"}:
                raise Malformed(field="organisation")
            if not isinstance(renew, bool):
                raise Malformed(field="renew")
            made = service.establish(organisation, renew=renew)
            return jsonify(
                {
                    "organisation": made.organisation,
                    "serial": made.serial,
                    "certificate": made.certificate,
                    "made_at": made.made_at.isoformat(),
                }
            )

    return pages


def _waits(asked: SecondAsked) -> ResponseReturnValue:
    return jsonify({"code": asked.code, "address": asked.address}), 202, {"Location": asked.address}


def _order(document: bytes) -> SealOrder:
    zone, assurance = query_text("zone") or "internal", query_text("assurance") or "0"
    if zone not in _ZONES:
        raise Malformed(field="zone")
    if assurance not in _ASSURANCE:
        raise Malformed(field="assurance")
    return SealOrder(
        document=document,
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


def _yes(name: str) -> bool:
    said = query_text(name, longest=3)
    if said not in {"", "yes"}:
        raise Malformed(field=name)
    return said == "yes"
