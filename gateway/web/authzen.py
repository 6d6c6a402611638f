# SPDX-License-Identifier: Apache-2.0
"""OpenID AuthZEN Authorization API 1.0 over HTTP: a denial is 200, an error is about the call itself.

Only nginx is listened to: it vouches for the host, and hands over the certificate that the connection proved.
"""

import re
from typing import Any, get_args
from urllib.parse import unquote_to_bytes

from flask import Blueprint, Response, g, jsonify, request

from core.calls import CALLER_HEADER, SECRET_HEADER, PairSecrets
from core.errors import Kind, TallygateError
from core.log import logger
from core.web import Guard
from core.web.inputs import json_object
from policies.models import Action, PrincipalKind, ResourceClass

from ..authzen import batch, description, page_of, question, token_of
from ..errors import NoEnforcementPoint, NotThroughProxy
from ..service.point import DecisionPoint, Found, Verdict

_log = logger(__name__)
_CERTIFICATE_HEADER = "Tallygate-Client-Certificate"
_WHY = "an enforcement point's key or certificate (AuthZEN section 11)"
_BEARER = re.compile(r"Bearer ([A-Za-z0-9._~+/-]{20,200}=*)\Z", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[\x21-\x7e]{1,200}\Z")
_LONGEST = 1 << 18
_SAYS = {
    "allowed": ("allowed", "允许"),
    "login": ("Nobody has been identified.", "尚未识别访问者身份。"),
    "disabled": ("The subject is shut out or unknown.", "该主体已被停用或无法识别。"),
    "separation": ("The subject holds two roles that nobody may hold together.", "该主体同时持有两个不得兼任的角色。"),
    "clearance": ("The resource is classified above the subject's clearance.", "资源密级高于该主体的许可级别。"),
    "role": ("No role of the subject opens this.", "该主体的角色均无权访问。"),
    "zone": ("From this zone it cannot be reached.", "无法从该网络区域访问。"),
    "device": ("A device certificate is needed.", "需要设备证书。"),
    "shut": ("It is closed for now.", "目前已关闭。"),
    "mandate": ("The subject acts for somebody who gave no mandate.", "该主体未获所代表方的授权。"),
    "purpose": ("The purpose must be said.", "必须说明用途。"),
    "assurance": ("A surer login is needed.", "需要更高等级的登录方式。"),
    "default": ("Nothing permits this for anybody.", "没有任何规则允许此操作。"),
    "policy_error": ("The policies could not be evaluated.", "无法评估访问策略。"),
}


def authzen(service: DecisionPoint, guard: Guard, *, proxy: PairSecrets) -> Blueprint:
    """Every operation, and where they are."""
    blueprint = Blueprint("authzen", __name__)

    @blueprint.before_request
    def through_nginx() -> None:
        name = proxy.caller(request.headers.get(CALLER_HEADER), request.headers.get(SECRET_HEADER))
        if name != "nginx" or not request.is_secure:
            raise NotThroughProxy

    @blueprint.after_request
    def numbered(response: Response) -> Response:
        number = request.headers.get("X-Request-ID", "")
        if _NUMBER.match(number):
            response.headers["X-Request-ID"] = number
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.errorhandler(TallygateError)
    def translate(error: TallygateError) -> Response:
        return _refusal(error)

    @blueprint.get("/.well-known/authzen-configuration")
    @guard.public("AuthZEN section 9: where the operations are", errors="problem")
    def configuration() -> Response:
        return jsonify(service.metadata(f"https://{request.host}"))

    @blueprint.get("/access/v1/openapi.json")
    @guard.public("the description of an interface; what it leads to is guarded itself", errors="problem")
    def described() -> Response:
        return jsonify(description(subjects=get_args(PrincipalKind), classes=ResourceClass, actions=Action))

    @blueprint.post("/access/v1/evaluation")
    @guard.own(_WHY, errors="problem")
    def evaluation() -> Response:
        caller, document = _caller(service), json_object(longest=_LONGEST)
        return jsonify(_answer(service.evaluate(question(document), caller=caller)))

    @blueprint.post("/access/v1/evaluations")
    @guard.own(_WHY, errors="problem")
    def evaluations() -> Response:
        caller, document = _caller(service), json_object(longest=_LONGEST)
        several = batch(document)
        if several is None:
            return jsonify(_answer(service.evaluate(question(document), caller=caller)))
        return jsonify(evaluations=[_answer(each) for each in service.evaluate_all(several, caller=caller)])

    @blueprint.post("/access/v1/search/subject")
    @guard.own(_WHY, errors="problem")
    def subjects() -> Response:
        caller, document = _caller(service), json_object(longest=_LONGEST)
        asked, place = question(document, wanted="subject"), page_of(document, wanted="subject", caller=caller)
        found = service.subjects(asked, place, caller=caller)
        results = [{"type": asked.subject.type, "id": name} for name in found.names]
        return jsonify(results=results, page=_page(found, token_of(place, found.after)))

    @blueprint.post("/access/v1/search/resource")
    @guard.own(_WHY, errors="problem")
    def resources() -> Response:
        caller, document = _caller(service), json_object(longest=_LONGEST)
        asked, place = question(document, wanted="resource"), page_of(document, wanted="resource", caller=caller)
        found = service.resources(asked, place, caller=caller)
        results = [{"type": asked.resource.type, "id": name} for name in found.names]
        return jsonify(results=results, page=_page(found, token_of(place, found.after)))

    @blueprint.post("/access/v1/search/action")
    @guard.own(_WHY, errors="problem")
    def actions() -> Response:
        caller, document = _caller(service), json_object(longest=_LONGEST)
        asked, place = question(document, wanted="action"), page_of(document, wanted="action", caller=caller)
        found = service.actions(asked, place, caller=caller)
        return jsonify(
            results=[{"name": name} for name in found.names], page=_page(found, token_of(place, found.after))
        )

    return blueprint


def _caller(service: DecisionPoint) -> str:
    given = request.headers.getlist("Authorization")
    certificate = unquote_to_bytes(request.headers.get(_CERTIFICATE_HEADER, ""))
    key = ""
    if given:
        found = _BEARER.match(given[0]) if len(given) == 1 else None
        if found is None:
            raise NoEnforcementPoint
        key = found[1]
    return service.caller(key=key, certificate=certificate)


def _answer(verdict: Verdict) -> dict[str, Any]:
    context: dict[str, Any] = {"code": verdict.code}
    if verdict.number:
        context["id"] = verdict.number
    decision = verdict.decision
    if decision is not None:
        context |= {"policies": list(decision.reasons), "version": decision.version}
        if not verdict.allowed:
            says, says_zh = _SAYS.get(verdict.code, (verdict.code, verdict.code))
            context["reason_user"] = {"en": says, "zh-Hans": says_zh}
            context["reason_admin"] = {"en": f"{says} Decided by {', '.join(decision.reasons) or 'no permit'}."}
            context["could"] = [{"kind": each.kind, "value": each.value} for each in decision.could]
        if decision.step_up is not None:
            # The levels by which the sign-on is asked, and what a login of that level is made of.
            context["acr_values"] = str(decision.step_up)
            context["amr_values"] = ["pwd"] if decision.step_up == 1 else ["hwk"]
    return {"decision": verdict.allowed, "context": context}


def _page(found: Found, token: str) -> dict[str, Any]:
    page: dict[str, Any] = {"next_token": token, "count": len(found.names)}
    return page if found.total is None else {**page, "total": found.total}


def _refusal(error: TallygateError) -> Response:
    """A sentence, which is all the standard asks for."""
    if error.kind is Kind.INTERNAL:
        _log.error("internal_error", code=error.code, request_id=g.get("request_id"), exc_info=error)
        error = TallygateError()
    response = Response(f"{error.detail}\n", error.kind.status, content_type="text/plain; charset=utf-8")
    if error.kind is Kind.UNAUTHENTICATED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="authzen"'
    if error.kind is Kind.UNAVAILABLE:
        response.headers["Retry-After"] = "2"
    return response
