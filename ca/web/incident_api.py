# SPDX-License-Identifier: Apache-2.0
"""Incidents for programs: preview, propose, watch, pause, stop; the operator's on the machine, and officers'.

The operator never agrees; an officer does, to what another one or the operator proposed.
"""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request

from core.identity import HEADER
from core.web import Guard, caller, json_object
from core.web.inputs import Malformed

from ..client import API
from ..errors import WeaklyProofed
from ..incidents import Act, Chosen, Incident, Incidents, Plan, Whom, read_moment, read_selector
from ..incidents.selection import LARGEST_FILE, LARGEST_KEYS, LONGEST
from ..incidents.service import LONGEST_TEXT
from ..models import Reason
from ..service import Callers, Verb
from .api import CALLERS
from .desk import ROLE, by_gateway
from .incidents import ASSURANCE, number
from .registrar import PREFIX
from .visitors import Marking

_SEVERAL = ("profiles", "issuers")
_SHORT = ("holder", "officer", "account", "since", "until")
_LONG = {"keys": LARGEST_KEYS, "serials": LARGEST_FILE, "text": LONGEST_TEXT, "text_zh": LONGEST_TEXT}
_KNOWN = frozenset({*_SEVERAL, *_SHORT, *_LONG, "act", "reason", "deadline", "whom"})
_MOST = 100
_DIGEST = 64
_LONGEST_WHY = 200
_PAGE = 1000


def incident_api(service: Incidents, guard: Guard, *, callers: Callers) -> Blueprint:
    """The operator's endpoints."""
    blueprint = Blueprint("ca_incident_api", __name__, url_prefix=f"{API}/incidents")

    def operator() -> str:
        behalf = callers.behalf(
            Verb.INCIDENT, caller=caller(), unverified_identity=request.headers.get(HEADER, ""), unverified_actor=""
        )
        return behalf.actor

    _views(blueprint, service, mark=guard.peer(*CALLERS), who=operator)
    return blueprint


def incident_registrar(service: Incidents, guard: Guard) -> Blueprint:
    """The same for officers' programs, by the rules of the desk's pages; officers also agree here."""
    blueprint = Blueprint("ca_incident_registrar", __name__, url_prefix=f"{PREFIX}/incidents")

    def officer() -> str:
        found = by_gateway()
        if found.assurance < ASSURANCE:
            raise WeaklyProofed
        return found.subject

    _views(blueprint, service, mark=guard.person(ROLE, assurance=ASSURANCE, errors="problem"), who=officer)

    @blueprint.post("/<incident>/approve")
    @guard.person(ROLE, assurance=ASSURANCE, errors="problem")
    def approve(incident: str) -> Response:
        by, document = officer(), _only(json_object(), {"digest"})
        return jsonify(_document(service, service.approve(incident, by=by, digest=_text(document, "digest", _DIGEST))))

    return blueprint


def _views(blueprint: Blueprint, service: Incidents, *, mark: Marking, who: Callable[[], str]) -> None:
    def shown(found: Incident) -> Response:
        return jsonify(_document(service, found))

    @blueprint.post("")
    @mark
    def preview() -> tuple[Response, int]:
        by = who()
        return shown(service.preview(_plan(json_object()), by=by)), 201

    @blueprint.get("")
    @mark
    def listed() -> Response:
        who()
        found, more = service.incidents(before=number("before"))
        return jsonify({"incidents": [_document(service, each) for each in found], "more": more})

    @blueprint.get("/<incident>")
    @mark
    def show(incident: str) -> Response:
        who()
        return shown(service.incident(incident))

    @blueprint.get("/<incident>/certificates")
    @mark
    def certificates(incident: str) -> Response:
        who()
        found, more = service.listed(service.incident(incident).id, after=number("after"), limit=_PAGE)
        return jsonify({"certificates": [_line(each) for each in found], "more": more})

    @blueprint.post("/<incident>/propose")
    @mark
    def propose(incident: str) -> Response:
        by, document = who(), _only(json_object(), {"digest"})
        return shown(service.propose(incident, by=by, digest=_text(document, "digest", _DIGEST)))

    @blueprint.post("/<incident>/pause")
    @mark
    def pause(incident: str) -> Response:
        by = who()
        _only(json_object(), set())
        return shown(service.pause(incident, by=by))

    @blueprint.post("/<incident>/resume")
    @mark
    def resume(incident: str) -> Response:
        by = who()
        _only(json_object(), set())
        return shown(service.resume(incident, by=by))

    @blueprint.post("/<incident>/stop")
    @mark
    def stop(incident: str) -> Response:
        by, document = who(), _only(json_object(), {"why"})
        return shown(service.stop(incident, by=by, why=_text(document, "why", _LONGEST_WHY)))

    @blueprint.post("/<incident>/withdraw")
    @mark
    def withdraw(incident: str) -> Response:
        by, document = who(), _only(json_object(), {"why"})
        return shown(service.withdraw(incident, by=by, why=_text(document, "why", _LONGEST_WHY)))


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
