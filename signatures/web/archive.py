# SPDX-License-Identifier: Apache-2.0
"""The archive for agencies' programs, below ``/agencies/v1/archive``; and its report for the operator."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue

from core.web import Guard, identity

from ..agencies import Doing
from ..archive import Archived, NoSuchArchived, Second
from ..service import Agencies, Archiving
from .blueprint import Pages
from .bodies import body


def archive(agencies: Agencies, service: Archiving, *, largest: int) -> Pages:
    """Deposit, see, fetch; and what is at risk."""

    def own(document: str) -> str:
        """As whom the archive knows the program, if this is its own, for the organisation that it acts for now."""
        program, _ = agencies.admit(identity(), Doing.ARCHIVE)
        owner = f"client:{program.client}"
        # Of what an older release took in nobody knows for whom.
        if service.one(owner, document).organisation not in {"", program.organisation}:
            raise NoSuchArchived
        return owner

    def pages(blue: Blueprint, guard: Guard) -> None:
        @blue.post("/agencies/v1/archive")
        @guard.person(errors="problem", programs=True)
        def archive_deposit() -> ResponseReturnValue:
            program, _ = agencies.admit(identity(), Doing.ARCHIVE)
            owner, document = f"client:{program.client}", body(largest)
            made = service.deposit(owner, document, name="document.pdf", organisation=program.organisation)
            return jsonify(_shown(made, [])), 201

        @blue.get("/agencies/v1/archive/<document>")
        @guard.person(errors="problem", programs=True)
        def archive_status(document: str) -> Response:
            owner = own(document)
            return jsonify(_shown(service.one(owner, document), service.seconds(owner, document)))

        @blue.get("/agencies/v1/archive/<document>/file")
        @guard.person(errors="problem", programs=True)
        def archive_file(document: str) -> Response:
            response = Response(service.read(own(document), document), content_type="application/pdf")
            response.headers["Content-Disposition"] = 'attachment; filename="document.pdf"'
            response.headers["Cache-Control"] = "no-store"
            return response

        @blue.get("/api/v1/archive")
        @guard.peer("app")
        def archive_report() -> Response:
            return Response(_lines(service), content_type="application/x-ndjson")

    return pages


def _lines(service: Archiving) -> Iterator[str]:
    for archived, risk in service.report():
        told = {"owner": archived.owner, "risk": risk.value, **_shown(archived, [])}
        yield json.dumps(told) + "\n"


def _shown(archived: Archived, beside: list[Second]) -> dict[str, Any]:
    return {
        "id": archived.id,
        "keeping": archived.keeping.value,
        "sha256": archived.sha256,
        "stamps": archived.stamps,
        "algorithm": archived.algorithm,
        "stamped_at": archived.stamped_at.isoformat() if archived.stamped_at else None,
        "ends_at": archived.ends_at.isoformat() if archived.ends_at else None,
        "deposited_at": archived.deposited_at.isoformat(),
        "trouble": archived.trouble,
        "beside": [
            {"number": each.number, "digest": each.digest, "token": base64.b64encode(each.token).decode()}
            for each in beside
        ],
    }
