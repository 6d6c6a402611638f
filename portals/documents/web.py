# SPDX-License-Identifier: Apache-2.0
"""Downloads of the document office."""

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from core.clock import Clock
from core.web import Guard, identity

from .content import document
from .pdf import pdf


def downloads(guard: Guard, *, clock: Clock) -> Blueprint:
    """The document as a file to read, sign or seal."""
    pages = Blueprint("downloads", __name__)

    @pages.get("/documents/<name>.pdf")
    @guard.person("civil-servant", assurance=2)
    def download(name: str) -> ResponseReturnValue:
        found = document(identity().subject, name, clock.now())
        body = pdf([f"No. {found['number']}", found["title"], "", found["label"], "", "Sample City"])
        headers = {"Content-Disposition": f'attachment; filename="{found["number"]}.pdf"'}
        return Response(body, content_type="application/pdf", headers=headers)

    return pages
