# SPDX-License-Identifier: Apache-2.0
"""Incidents for the operator on the machine: preview, propose, watch, pause, stop. Officers agree at the desk."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from core.identity import HEADER
from core.web import Guard, caller, json_object
from core.web.inputs import Malformed

from ..client import API
from ..incidents import Act, Chosen, Incident, Incidents, Plan, Whom, read_moment, read_selector
from ..incidents.selection import LARGEST_FILE, LARGEST_KEYS, LONGEST
from ..incidents.service import LONGEST_TEXT
from ..models import Reason
from ..service import Callers, Verb
from .api import CALLERS
from .incidents import number

_SEVERAL = ("profiles", "issuers")
_SHORT = ("holder", "officer", "account", "since", "until")
_LONG = {"keys": LARGEST_KEYS, "serials": LARGEST_FILE, "text": LONGEST_TEXT, "text_zh": LONGEST_TEXT}
_KNOWN = frozenset({*_SEVERAL, *_SHORT, *_LONG, "act", "reason", "deadline", "whom"})
_MOST = 100
_DIGEST = 64
_LONGEST_WHY = 200
_PAGE = 1000


def incident_api(service: Incidents, guard: Guard, *, callers: Callers) -> Blueprint:
    """The endpoints."""
    blueprint = Blueprint("ca_incident_api", __name__, url_prefix=f"{API}/incidents")

    def operator() -> str:
        behalf = callers.behalf(
            Verb.INCIDENT, caller=caller(), unverified_identity=request.headers.get(HEADER, ""), unverified_actor=""
        )
        return behalf.actor

    def shown(found: Incident) -> Response:
        return jsonify(_document(service, found))

    @blueprint.post("")
    @guard.peer(*CALLERS)
    def preview() -> tuple[Response, int]:
        by = operator()
        return shown(service.preview(_plan(json_object()), by=by)), 201

    @blueprint.get("")
    @guard.peer(*CALLERS)
    def listed() -> Response:
        operator()
        found, more = service.incidents(before=number("before"))
        return jsonify({"incidents": [_document(service, each) for each in found], "more": more})

    @blueprint.get("/<incident>")
    @guard.peer(*CALLERS)
    def show(incident: str) -> Response:
        operator()
        return shown(service.incident(incident))

    @blueprint.get("/<incident>/certificates")
    @guard.peer(*CALLERS)
    def certificates(incident: str) -> Response:
        operator()
        found, more = service.listed(service.incident(incident).id, after=number("after"), limit=_PAGE)
        return jsonify({"certificates": [_line(each) for each in found], "more": more})

    @blueprint.post("/<incident>/propose")
    @guard.peer(*CALLERS)
    def propose(incident: str) -> Response:
        by, document = operator(), _only(json_object(), {"digest"})
        return shown(service.propose(incident, by=by, digest=_text(document, "digest", _DIGEST)))

    @blueprint.post("/<incident>/pause")
    @guard.peer(*CALLERS)
    def pause(incident: str) -> Response:
        by = operator()
        _only(json_object(), set())
        return shown(service.pause(incident, by=by))

    @blueprint.post("/<incident>/resume")
    @guard.peer(*CALLERS)
    def resume(incident: str) -> Response:
        by = operator()
        _only(json_object(), set())
        return shown(service.resume(incident, by=by))

    @blueprint.post("/<incident>/stop")
    @guard.peer(*CALLERS)
    def stop(incident: str) -> Response:
        by, document = operator(), _only(json_object(), {"why"})
        return shown(service.stop(incident, by=by, why=_text(document, "why", _LONGEST_WHY)))

    @blueprint.post("/<incident>/withdraw")
    @guard.peer(*CALLERS)
    def withdraw(incident: str) -> Response:
        by, document = operator(), _only(json_object(), {"why"})
        return shown(service.withdraw(incident, by=by, why=_text(document, "why", _LONGEST_WHY)))

    return blueprint


def _plan(document: dict[str, Any]) -> Plan:
    _only(document, _KNOWN)
    serials = _text(document, "serials", LARGEST_FILE)
    selector = read_selector(
        profiles=_several(document, "profiles"),
        issuers=_several(document, "issuers"),
        keys=_text(document, "keys", LARGEST_KEYS),
        serials=serials.encode("utf-8", "replace") if serials else None,
        **{name: _text(document, name, LONGEST) for name in _SHORT},
    )
    try:
        act = Act(_text(document, "act", LONGEST))
        reason = Reason(_text(document, "reason", LONGEST) or Reason.UNSPECIFIED)
        whom = Whom(_text(document, "whom", LONGEST) or Whom.EVERYBODY)
    except ValueError as error:
        raise Malformed(field="act") from error
    return Plan(
        selector=selector,
        act=act,
        reason=reason,
        deadline=read_moment(_text(document, "deadline", LONGEST)),
        whom=whom,
        text=_text(document, "text", LONGEST_TEXT).strip(),
        text_zh=_text(document, "text_zh", LONGEST_TEXT).strip(),
    )


def _only(document: dict[str, Any], names: set[str] | frozenset[str]) -> dict[str, Any]:
    for name in document:
        if name not in names:
            raise Malformed(field=name[:LONGEST])
    return document


def _text(document: dict[str, Any], name: str, longest: int) -> str:
    value = document.get(name, "")
    if not isinstance(value, str) or len(value) > longest:
        raise Malformed(field=name)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Malformed(field=name) from error
    return value


def _several(document: dict[str, Any], name: str) -> list[str]:
    value = document.get(name, [])
    if not isinstance(value, list) or len(value) > _MOST or not all(isinstance(each, str) for each in value):
        raise Malformed(field=name)
    return value


def _document(service: Incidents, incident: Incident) -> dict[str, Any]:
    plan, summary = incident.plan, incident.summary
    return {
        "id": incident.id,
        "stage": incident.stage.value,
        "selector": dict(plan.selected),
        "act": plan.act.value,
        "reason": plan.reason.value,
        "deadline": plan.deadline.isoformat() if plan.deadline else None,
        "whom": plan.whom.value,
        "text": plan.text,
        "text_zh": plan.text_zh,
        "digest": incident.digest,
        "size": incident.size,
        "profiles": dict(summary.profiles),
        "issuers": dict(summary.issuers),
        "kinds": dict(summary.kinds),
        "possibly_issued": summary.possibly_issued,
        "unknown": summary.unknown,
        "left_out": summary.left_out,
        "opener": incident.opener,
        "approver": incident.approver,
        "created": incident.created.isoformat(),
        "expires": incident.expires.isoformat(),
        "ended": incident.ended.isoformat() if incident.ended else None,
        "progress": {state.value: many for state, many in service.progress(incident).counts.items()},
        "explanation": service.address(incident.id),
    }


def _line(chosen: Chosen) -> dict[str, str]:
    return {
        "serial": chosen.serial,
        "issuer": chosen.issuer,
        "profile": chosen.profile,
        "subject": chosen.subject,
        "not_after": chosen.not_after.isoformat(),
        "state": chosen.state.value,
    }
