# SPDX-License-Identifier: Apache-2.0
"""The inventory for programs that officers use: the same verbs as the pages, described in OpenAPI."""

from typing import Any

from flask import Blueprint, Response, jsonify

from core.web import Guard
from core.web.inputs import Malformed, query_text

from ..inventory import Form, Found, Holding, Inventory
from ..inventory.export import document
from ..models import read_serial
from .desk import ROLE
from .inventory import exported, read_query, reader

_MOST = 500


def stock(service: Inventory, guard: Guard) -> Blueprint:
    """The interface, behind the gateway."""
    blueprint = Blueprint("ca_stock", __name__, url_prefix="/api/v1")

    @blueprint.get("/inventory")
    @guard.person(ROLE, errors="problem")
    def search() -> Response:
        query, after, limit = read_query(), query_text("after", longest=48), _limit()
        return jsonify(_page(service.search(query, reader(), after=after, limit=limit)))

    @blueprint.get("/inventory/<serial>")
    @guard.person(ROLE, errors="problem")
    def one(serial: str) -> Response:
        return jsonify(document(service.one(read_serial(serial), reader())))

    @blueprint.get("/inventory/export.<any(csv, jsonl):form>")
    @guard.person(ROLE, errors="problem")
    def export(form: str) -> Response:
        return exported(service, Form(form), read_query())

    @blueprint.get("/holders/<subject>")
    @guard.person(ROLE, errors="problem")
    def holder(subject: str) -> Response:
        if len(subject) > 128 or not subject.isprintable():  # noqa: PLR2004 - as long as a holder's identifier
            raise Malformed(field="subject")
        after, devices = query_text("after", longest=48), query_text("devices", longest=16)
        return jsonify(_holding(service.holder(subject, reader(), after=after, devices_after=devices)))

    return blueprint


def _limit() -> int:
    text = query_text("limit", longest=4)
    if not text:
        return 50
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= _MOST:
        raise Malformed(field="limit")
    return int(text)


def _page(found: Found) -> dict[str, Any]:
    return {"certificates": [document(each) for each in found.held], "more": found.more, "partial": found.partial}


def _holding(holding: Holding) -> dict[str, Any]:
    devices = [
        {"id": identifier, "name": name, "certificates": [document(each) for each in held]}
        for identifier, name, held in holding.devices
    ]
    return {
        "subject": holding.subject,
        "kind": holding.kind,
        "name": holding.name,
        "organisation": holding.organisation,
        "organisation_name": holding.organisation_name,
        **_page(holding.held),
        "devices": devices,
        "more_devices": holding.more_devices,
    }
