# SPDX-License-Identifier: Apache-2.0
"""Tables of devices that the operator on the machine sends; officers agree to them at their desk, never operators."""

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue

from core.web import Guard, caller

from ..client import API
from ..registration.bulk import Bulk
from ..service import Callers, CertificateAuthority, Verb
from .api import CALLERS
from .documents import job_document
from .registrar import asked_table
from .tables import certificates_of, report_of


def peer_tables(service: CertificateAuthority, bulk: Bulk, guard: Guard, *, callers: Callers) -> Blueprint:
    """Send one, and ask what became of it."""
    blueprint = Blueprint("ca_peer_tables", __name__, url_prefix=API)

    def admitted() -> str:
        found = callers.behalf(Verb.TABLE, caller=caller(), unverified_identity="", unverified_actor="")
        return found.actor

    @blueprint.post("/bulk")
    @guard.peer(*CALLERS)
    def send() -> ResponseReturnValue:
        return jsonify(asked_table(bulk, asker=admitted())), 201

    @blueprint.get("/bulk/<identifier>")
    @guard.peer(*CALLERS)
    def show(identifier: str) -> Response:
        admitted()
        job = bulk.job(identifier)
        return jsonify(job_document(job, bulk.counting(job)))

    @blueprint.get("/bulk/<identifier>/report")
    @guard.peer(*CALLERS)
    def report(identifier: str) -> Response:
        admitted()
        return report_of(bulk, bulk.job(identifier))

    @blueprint.get("/bulk/<identifier>/certificates")
    @guard.peer(*CALLERS)
    def certificates(identifier: str) -> Response:
        admitted()
        return certificates_of(service, bulk, bulk.job(identifier))

    return blueprint
