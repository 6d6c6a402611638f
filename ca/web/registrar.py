# SPDX-License-Identifier: Apache-2.0
"""What officers' programs ask of the registration desk: the verbs of its pages, by the same rules, with JSON.

The gateway's signed word says who asks, as at the pages. No cookie of ours is read; bodies are JSON or tables, which no
form of another site can send.
"""

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue

from core.errors import TallygateError, Unavailable
from core.web import Guard
from core.web.inputs import Malformed, query_text

from ..client import API, certificate_document, status_document
from ..models import Preview
from ..registration import Asked, Registration, Stage, Wish
from ..registration.bulk import Bulk
from ..service import CertificateAuthority
from .desk import ROLE, by_gateway
from .documents import (
    asked_for,
    detail_document,
    evidence_in,
    job_document,
    line_document,
    octets,
    reason_in,
    request_document,
    text,
    uploaded_table,
)
from .queue import WAITING, at
from .tables import LINES, certificates_of, reason, report_of

PREFIX = f"{API}/ra"
_DIGEST = 64


def registrar(service: CertificateAuthority, guard: Guard, *, registration: Registration, bulk: Bulk) -> Blueprint:
    """The verbs below ``/api/v1/ra``."""
    blueprint = Blueprint("ca_registrar", __name__, url_prefix=PREFIX)
    _requests(blueprint, guard, registration)
    _certificates(blueprint, guard, service)
    _tables(blueprint, guard, service, bulk)
    return blueprint


def _requests(blueprint: Blueprint, guard: Guard, registration: Registration) -> None:
    def whole(asked: Asked) -> Response:
        preview = previewed(registration, asked)
        return jsonify(detail_document(asked, preview, registration.counting(asked, preview) if preview else []))

    @blueprint.get("/requests")
    @guard.person(ROLE, errors="problem")
    def requests() -> Response:
        stages: tuple[Stage, ...] = WAITING
        if stage := query_text("stage", longest=20):
            if stage not in set(Stage):
                raise Malformed(field="stage")
            stages = (Stage(stage),)
        found, more = registration.queue(stages, after=number("after"))
        return jsonify({"requests": [request_document(each) for each in found], "more": more})

    @blueprint.post("/requests")
    @guard.person(ROLE, errors="problem")
    def ask() -> ResponseReturnValue:
        document = asked_for("profile", "subject", "csr", "evidence", "reference", "organisation")
        evidence, reference = evidence_in(document)
        who = at(by_gateway())
        wish = Wish(
            profile=text(document, "profile"),
            csr=octets(document, "csr"),
            subject=text(document, "subject", longest=128),
            asker=who.officer,
            organisation=text(document, "organisation", longest=64, optional=True),
        )
        return whole(registration.ask_at_desk(wish, who, evidence=evidence, reference=reference)), 201

    @blueprint.get("/requests/<identifier>")
    @guard.person(ROLE, errors="problem")
    def request(identifier: str) -> Response:
        return whole(registration.request(identifier))

    @blueprint.post("/requests/<identifier>/evidence")
    @guard.person(ROLE, errors="problem")
    def prove(identifier: str) -> Response:
        evidence, reference = evidence_in(asked_for("evidence", "reference"))
        registration.prove(identifier, at(by_gateway()), evidence=evidence, reference=reference)
        return whole(registration.request(identifier))

    @blueprint.post("/requests/<identifier>/approve")
    @guard.person(ROLE, errors="problem")
    def approve(identifier: str) -> Response:
        digest = text(asked_for("digest"), "digest", longest=_DIGEST)
        return whole(registration.approve(identifier, at(by_gateway()), digest=digest))

    @blueprint.post("/requests/<identifier>/deny")
    @guard.person(ROLE, errors="problem")
    def deny(identifier: str) -> Response:
        registration.deny(identifier, at(by_gateway()), reason=text(asked_for("reason"), "reason").strip())
        return whole(registration.request(identifier))

    @blueprint.post("/requests/<identifier>/withdraw")
    @guard.person(ROLE, errors="problem")
    def withdraw(identifier: str) -> Response:
        asked_for()
        registration.withdraw(identifier, by_gateway().subject)
        return whole(registration.request(identifier))


def _certificates(blueprint: Blueprint, guard: Guard, service: CertificateAuthority) -> None:
    @blueprint.get("/certificates")
    @guard.person(ROLE, errors="problem")
    def certificates() -> Response:
        subject, name, before = query_text("subject", longest=128), query_text("name"), number("before")
        if subject and name:
            raise Malformed(field="name")
        found, more = service.certificates(subject, before=before) if subject else service.named(name, before=before)
        return jsonify({"certificates": [certificate_document(each) for each in found], "more": more})

    @blueprint.get("/certificates/<serial>")
    @guard.person(ROLE, errors="problem")
    def certificate(serial: str) -> Response:
        return jsonify(certificate_document(service.certificate(serial)))

    @blueprint.get("/certificates/<serial>/chain")
    @guard.person(ROLE, errors="problem")
    def chain(serial: str) -> Response:
        return Response(service.chained(service.certificate(serial)), content_type="application/x-pem-file")

    @blueprint.post("/certificates/<serial>/revoke")
    @guard.person(ROLE, errors="problem")
    def revoke(serial: str) -> Response:
        why = reason_in(asked_for("reason"))
        service.revoke(serial, reason=why, actor=by_gateway().subject)
        return jsonify(status_document(service.status(serial)))

    @blueprint.post("/certificates/<serial>/suspend")
    @guard.person(ROLE, errors="problem")
    def suspend(serial: str) -> Response:
        asked_for()
        service.suspend(serial, actor=by_gateway().subject)
        return jsonify(status_document(service.status(serial)))

    @blueprint.post("/certificates/<serial>/release")
    @guard.person(ROLE, errors="problem")
    def release(serial: str) -> Response:
        asked_for()
        service.release(serial, actor=by_gateway().subject)
        return jsonify(status_document(service.status(serial)))


def _tables(blueprint: Blueprint, guard: Guard, service: CertificateAuthority, bulk: Bulk) -> None:
    @blueprint.get("/bulk")
    @guard.person(ROLE, errors="problem")
    def tables() -> Response:
        found, more = bulk.newest(before=number("before"))
        return jsonify({"tables": [job_document(each, bulk.counting(each)) for each in found], "more": more})

    @blueprint.post("/bulk")
    @guard.person(ROLE, errors="problem")
    def upload() -> ResponseReturnValue:
        return jsonify(asked_table(bulk, asker=by_gateway().subject)), 201

    @blueprint.get("/bulk/<identifier>")
    @guard.person(ROLE, errors="problem")
    def table(identifier: str) -> Response:
        job = bulk.job(identifier)
        return jsonify(job_document(job, bulk.counting(job)))

    @blueprint.get("/bulk/<identifier>/lines")
    @guard.person(ROLE, errors="problem")
    def lines(identifier: str) -> Response:
        found = bulk.lines(bulk.job(identifier).id, after=number("after"), limit=LINES + 1)
        more = found[LINES - 1].number if len(found) > LINES else 0
        return jsonify({"lines": [line_document(each, reason(each)) for each in found[:LINES]], "more": more})

    @blueprint.post("/bulk/<identifier>/approve")
    @guard.person(ROLE, errors="problem")
    def agree(identifier: str) -> Response:
        digest = text(asked_for("digest"), "digest", longest=_DIGEST)
        job = bulk.approve(identifier, at(by_gateway()), digest=digest)
        return jsonify(job_document(job, bulk.counting(job)))

    @blueprint.post("/bulk/<identifier>/cancel")
    @guard.person(ROLE, errors="problem")
    def cancel(identifier: str) -> Response:
        asked_for()
        bulk.cancel(identifier, by=by_gateway().subject)
        return jsonify(job_document(bulk.job(identifier), []))

    @blueprint.get("/bulk/<identifier>/report")
    @guard.person(ROLE, errors="problem")
    def report(identifier: str) -> Response:
        return report_of(bulk, bulk.job(identifier))

    @blueprint.get("/bulk/<identifier>/certificates")
    @guard.person(ROLE, errors="problem")
    def issued(identifier: str) -> Response:
        return certificates_of(service, bulk, bulk.job(identifier))


def asked_table(bulk: Bulk, *, asker: str) -> dict[str, object]:
    """Look through the table in the body; the query says which profile it is for, and where its papers are."""
    profile, reference = query_text("profile", longest=32), query_text("reference").strip()
    if not reference:
        raise Malformed(field="reference")
    rows = uploaded_table()
    job = bulk.ask(rows, profile=profile, asker=asker, reference=reference, name=query_text("name"))
    return job_document(job, bulk.counting(job))


def previewed(registration: Registration, asked: Asked) -> Preview | None:
    """What would be issued now; None where nothing would."""
    if asked.stage not in WAITING:
        return None
    try:
        return registration.preview(asked)
    except Unavailable:
        raise
    except TallygateError:
        return None


def number(name: str) -> int:
    """Where a page begins.

    Raises:
        Malformed: no number.
    """
    found = query_text(name, longest=18)
    if found and not (found.isascii() and found.isdecimal()):
        raise Malformed(field=name)
    return int(found or 0)
