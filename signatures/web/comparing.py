# SPDX-License-Identifier: Apache-2.0
"""What was signed, without what came after, and beside what the file shows now."""

from base64 import b64encode

from flask import Blueprint, Response, jsonify, render_template, request

from core.web import Guard, locale
from core.web.inputs import Malformed, query_text

from ..errors import NothingSent
from ..service import Verification
from ..verdict import Catalogue
from ..verdict.words import PAGE_STATES
from .blueprint import Pages
from .bodies import asker, body, upload

_PUBLIC = "anybody may check a signature; only the kind of answer and the network are recorded"
_JSON, _PDF = "application/json", "application/pdf"


def comparing(verification: Verification, *, largest: int) -> Pages:
    """The signed state of a PDF for people and for programs."""

    def pages(blue: Blueprint, guard: Guard) -> None:
        catalogue = Catalogue()

        @blue.post("/compare")
        @guard.public(_PUBLIC)
        def compare() -> str:
            document = upload("document", largest)
            if not document:
                raise NothingSent
            verdict, found = verification.compared(document, asker=asker())
            return render_template(
                "signatures/revisions.html",
                verdict=verdict,
                found=found,
                states=PAGE_STATES,
                say=lambda words: catalogue.say(words, locale()),
                picture=lambda png: "data:image/png;base64," + b64encode(png).decode(),
            )

        @blue.post("/revision")
        @guard.public(_PUBLIC)
        def revision() -> Response:
            document = upload("document", largest)
            if not document:
                raise NothingSent
            _, end = verification.signed(document, asker=asker())
            return _revision(document[:end])

        @blue.post("/api/v1/signed-revision")
        @guard.public(_PUBLIC, errors="problem")
        def signed_revision() -> Response:
            wish = query_text("signature", longest=2) or "1"
            if not wish.isascii() or not wish.isdigit() or not int(wish):
                raise Malformed(field="signature")
            document = body(largest)
            if request.accept_mimetypes.best_match([_PDF, _JSON], _PDF) == _PDF:
                _, end = verification.signed(document, asker=asker(), number=int(wish))
                return _revision(document[:end])
            _, found = verification.compared(document, asker=asker(), number=int(wish))
            pages = [{"page": each.page, "state": each.state.value} for each in found.pages]
            return jsonify(
                {"pages_then": found.pages_then, "pages_now": found.pages_now, "whole": found.whole, "pages": pages}
            )

    return pages


def _revision(document: bytes) -> Response:
    answer = Response(document, content_type=_PDF)
    answer.headers["Content-Disposition"] = 'attachment; filename="signed-revision.pdf"'
    return answer
