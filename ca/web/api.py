# SPDX-License-Identifier: Apache-2.0
"""The peer API: what `ca.client.CAClient` speaks. The caller's role is what policies see; a person is vouched for."""

import base64
import binascii
from typing import Any

from flask import Blueprint, Response, jsonify

from core.web import Guard, caller, json_object
from core.web.inputs import Malformed

from ..client import API, certificate_document, status_document
from ..models import IssueRequest, Reason
from ..service import CertificateAuthority

CALLERS = ("sso", "gateway", "signatures", "directory", "app")
_MOST_HOSTS = 100
_LONGEST = 200
_HIGHEST_ASSURANCE = 3


def api(service: CertificateAuthority, guard: Guard) -> Blueprint:
    """The verbs for other roles."""
    blueprint = Blueprint("ca_api", __name__, url_prefix=API)

    @blueprint.post("/certificates")
    @guard.peer(*CALLERS)
    def issue() -> tuple[Response, int]:
        document = json_object()
        issued = service.issue(
            IssueRequest(
                profile=_text(document, "profile"),
                csr=_csr(document),
                subject=_text(document, "subject"),
                actor=_actor(document),
                actor_roles=frozenset({f"role:{caller()}"}),
                hosts=_hosts(document),
                assurance=_assurance(document),
                zone=_text(document, "zone", optional=True),
                issuer=_text(document, "issuer", optional=True),
            )
        )
        body = {"serial": issued.serial, "certificate": issued.certificate.decode(), "chain": issued.chain.decode()}
        return jsonify(body), 201

    @blueprint.get("/certificates/<serial>")
    @guard.peer(*CALLERS)
    def show(serial: str) -> Response:
        return jsonify(certificate_document(service.certificate(serial)))

    @blueprint.get("/certificates/<serial>/status")
    @guard.peer(*CALLERS)
    def status(serial: str) -> Response:
        return jsonify(status_document(service.status(serial)))

    @blueprint.get("/subjects/<subject>/certificates")
    @guard.peer(*CALLERS)
    def of_subject(subject: str) -> Response:
        found, _ = service.certificates(subject)
        return jsonify({"certificates": [certificate_document(each) for each in found]})

    @blueprint.post("/certificates/<serial>/revoke")
    @guard.peer(*CALLERS)
    def revoke(serial: str) -> Response:
        document = json_object()
        try:
            reason = Reason(_text(document, "reason"))
        except ValueError as error:
            raise Malformed(field="reason") from error
        service.revoke(serial, reason=reason, actor=_actor(document))
        return jsonify(status_document(service.status(serial)))

    @blueprint.post("/certificates/<serial>/suspend")
    @guard.peer(*CALLERS)
    def suspend(serial: str) -> Response:
        service.suspend(serial, actor=_actor(json_object()))
        return jsonify(status_document(service.status(serial)))

    @blueprint.post("/certificates/<serial>/release")
    @guard.peer("app")
    def release(serial: str) -> Response:
        service.release(serial, actor=_actor(json_object()))
        return jsonify(status_document(service.status(serial)))

    return blueprint


def _text(document: dict[str, Any], name: str, *, optional: bool = False) -> str:
    value = document.get(name, "" if optional else None)
    if not isinstance(value, str) or len(value) > _LONGEST or not value.isprintable() or not (value or optional):
        raise Malformed(field=name)
    return value


def _actor(document: dict[str, Any]) -> str:
    """The person the calling role vouches for, or the role itself; nobody speaks as another role."""
    role = f"role:{caller()}"
    actor = _text(document, "actor", optional=True) or role
    if actor.startswith("role:") and actor != role:
        raise Malformed(field="actor")
    return actor


def _assurance(document: dict[str, Any]) -> int:
    value = document.get("assurance", 0)
    if type(value) is not int or not 0 <= value <= _HIGHEST_ASSURANCE:
        raise Malformed(field="assurance")
    return value


def _csr(document: dict[str, Any]) -> bytes:
    value = document.get("csr")
    if not isinstance(value, str):
        raise Malformed(field="csr")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(field="csr") from error


def _hosts(document: dict[str, Any]) -> tuple[str, ...]:
    value = document.get("hosts", [])
    if not isinstance(value, list) or len(value) > _MOST_HOSTS or not all(isinstance(each, str) for each in value):
        raise Malformed(field="hosts")
    return tuple(value)
