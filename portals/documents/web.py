# SPDX-License-Identifier: Apache-2.0
"""Downloads of the document office."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from core.clock import Clock
from core.identity import HEADER
from core.web import Guard, identity

from .content import document
from .pdf import pdf

Seal = Callable[[bytes, str], bytes]
"""Puts the office's seal on a document for whoever the gateway's header names, and returns it."""


def downloads(guard: Guard, *, clock: Clock, seal: Seal) -> Blueprint:
    """The document as a file to read or sign, plain or sealed."""
    pages = Blueprint("downloads", __name__)

    @pages.get("/documents/<name>.pdf")
    @guard.person("civil-servant", assurance=2)
    def download(name: str) -> ResponseReturnValue:
        found = _document(name)
        return _file(found["number"], _body(found))

    @pages.post("/documents/<name>/seal")
    @guard.person("civil-servant", assurance=2)
    def sealed(name: str) -> ResponseReturnValue:
        found = _document(name)
        # Who asks is for the signatures role to read, not for us to say.
        return _file(f"{found['number']}-sealed", seal(_body(found), request.headers[HEADER]))

    def _document(name: str) -> Mapping[str, Any]:
        return document(identity().subject, name, clock.now())

    return pages


def _body(found: Mapping[str, Any]) -> bytes:
    return pdf([f"No. {found['number']}", found["title"], "", found["label"], "", "Sample City"])


def _file(name: str, body: bytes) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.pdf"'}
    return Response(body, content_type="application/pdf", headers=headers)
