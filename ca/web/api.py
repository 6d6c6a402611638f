# SPDX-License-Identifier: Apache-2.0
"""The peer API: what `ca.client.CAClient` speaks. Which role may ask what, and for whom, is said in the service."""

import base64
import binascii
import re
from typing import Any

from flask import Blueprint, Response, jsonify, request

from core.identity import HEADER
from core.web import Guard, caller, json_object
from core.web.inputs import Malformed

from ..client import API, certificate_document, status_document
from ..errors import NoSuchCertificate
from ..models import IssueRequest, Reason, read_serial
from ..service import BUSINESS, Behalf, Callers, CertificateAuthority, Verb

CALLERS = tuple(BUSINESS)
MOST_HOSTS = 100
LONGEST = 200
_HASH = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_WISH = frozenset({"profile", "csr", "subject", "actor", "hosts", "issuer", "organisation", "exception"})


def api(service: CertificateAuthority, guard: Guard, *, callers: Callers) -> Blueprint:
    """The verbs for other roles."""
    blueprint = Blueprint("ca_api", __name__, url_prefix=API)

    def admitted(verb: Verb, *, actor: str = "", subject: str = "", serial: str = "") -> Behalf:
        return callers.behalf(
            verb,
            caller=caller(),
            unverified_identity=request.headers.get(HEADER, ""),
            unverified_actor=actor,
            subject=subject,
            serial=serial,
        )

    def about(verb: Verb, serial: str, document: dict[str, Any]) -> Behalf:
        try:
            holder = service.certificate(serial).subject
        except NoSuchCertificate:
            # Whoever has no business here does not learn even that.
            holder = ""
        return admitted(verb, actor=_actor(document), subject=holder, serial=read_serial(serial))

    @blueprint.post("/certificates")
    @guard.peer(*CALLERS)
    def issue() -> tuple[Response, int]:
        document = _known(json_object(), _WISH)
        wish = IssueRequest(
            profile=_text(document, "profile"),
            csr=_csr(document),
            subject=_text(document, "subject"),
            actor=_actor(document),
            hosts=_hosts(document),
            issuer=_text(document, "issuer", optional=True),
            organisation=_text(document, "organisation", optional=True),
            exception=_text(document, "exception", optional=True),
        )
        issued = service.issue(admitted(Verb.ISSUE, actor=wish.actor, subject=wish.subject).carrying(wish))
        body = {"serial": issued.serial, "certificate": issued.certificate.decode(), "chain": issued.chain.decode()}
        return jsonify(body), 201

    @blueprint.get("/certificates/<serial>")
    @guard.peer(*CALLERS)
    def show(serial: str) -> Response:
        admitted(Verb.SHOW, serial=read_serial(serial))
        return jsonify(certificate_document(service.certificate(serial)))

    @blueprint.get("/certificates/<serial>/status")
    @guard.peer(*CALLERS)
    def status(serial: str) -> Response:
        admitted(Verb.STATUS, serial=read_serial(serial))
        return jsonify(status_document(service.status(serial)))

    @blueprint.get("/subjects/<subject>/certificates")
    @guard.peer(*CALLERS)
    def of_subject(subject: str) -> Response:
        if len(subject) > LONGEST or not subject.isprintable():
            raise Malformed(field="subject")
        admitted(Verb.LIST, subject=subject)
        found, _ = service.certificates(subject)
        return jsonify({"certificates": [certificate_document(each) for each in found]})

    @blueprint.post("/certificates/<serial>/revoke")
    @guard.peer(*CALLERS)
    def revoke(serial: str) -> Response:
        document = _known(json_object(), {"actor", "reason"})
        try:
            reason = Reason(_text(document, "reason"))
        except ValueError as error:
            raise Malformed(field="reason") from error
        behalf = about(Verb.REVOKE, serial, document)
        service.revoke(serial, reason=reason, actor=behalf.actor, caller=behalf.caller)
        return jsonify(status_document(service.status(serial)))

    @blueprint.post("/certificates/<serial>/suspend")
    @guard.peer(*CALLERS)
    def suspend(serial: str) -> Response:
        behalf = about(Verb.SUSPEND, serial, _known(json_object(), {"actor"}))
        service.suspend(serial, actor=behalf.actor, caller=behalf.caller)
        return jsonify(status_document(service.status(serial)))

    @blueprint.post("/certificates/<serial>/release")
    @guard.peer(*CALLERS)
    def release(serial: str) -> Response:
        behalf = about(Verb.RELEASE, serial, _known(json_object(), {"actor"}))
        service.release(serial, actor=behalf.actor, caller=behalf.caller)
        return jsonify(status_document(service.status(serial)))

    @blueprint.post("/keys/<key>/block")
    @guard.peer(*CALLERS)
    def block(key: str) -> Response:
        document = _known(json_object(), {"actor"})
        if not _HASH.fullmatch(key):
            raise Malformed(field="key")
        behalf = admitted(Verb.BLOCK, actor=_actor(document))
        revoked = service.block_key(key.lower(), actor=behalf.actor)
        made = [certificate_document(each) for each in service.certified(key.lower())]
        return jsonify({"revoked": revoked, "certificates": made})

    return blueprint


def _known(document: dict[str, Any], names: set[str] | frozenset[str]) -> dict[str, Any]:
    for name in document:
        if name not in names:
            raise Malformed(field=name[:LONGEST])
    return document


def _text(document: dict[str, Any], name: str, *, optional: bool = False) -> str:
    value = document.get(name, "" if optional else None)
    if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable() or not (value or optional):
        raise Malformed(field=name)
    return value


def _actor(document: dict[str, Any]) -> str:
    """Whom the calling role says it speaks for; worth nothing until the service has compared it."""
    return _text(document, "actor", optional=True)


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
    if not isinstance(value, list) or len(value) > MOST_HOSTS or not all(isinstance(each, str) for each in value):
        raise Malformed(field="hosts")
    return tuple(value)
