# SPDX-License-Identifier: Apache-2.0
"""Where people bring documents, see them and have them signed: a host of its own behind the gateway.

Everything concerns whoever the gateway names; another's document is not there.
"""

import re
from urllib.parse import quote

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import TallygateError
from core.web import Guard, identity, locale
from core.web.inputs import Malformed, query_text

from ..errors import NothingSent
from ..models import Profile
from ..service import Desk, Verification
from ..service.verification import Asker
from ..shelf import Shelved
from ..verdict import Catalogue
from ..verdict.words import moment
from .blueprint import Pages
from .bodies import upload
from .shown import SHOWN_AGAIN, TOGETHER, Shown

_PAGE = re.compile(r"[0-9]{1,5}")


def own(desk: Desk, verification: Verification, shown: Shown, *, host: str, account: str, largest: int) -> Pages:
    """The pages below ``/my/``; ``account`` is the address of "My account"."""

    def pages(blue: Blueprint, guard: Guard) -> None:
        catalogue = Catalogue()

        @blue.before_app_request
        def lead() -> ResponseReturnValue | None:
            if request.host.partition(":")[0] == host and request.path == "/":
                return redirect(url_for("signatures.mine"), code=303)
            return None

        @blue.context_processor
        def names() -> dict[str, object]:
            return {"account": account, "moment": lambda at: moment(at, locale())}

        @blue.get("/my/")
        @guard.person(assurance=2)
        def mine() -> ResponseReturnValue:
            return shown.table()

        @blue.post("/my/documents")
        @guard.person(assurance=2)
        def bring() -> ResponseReturnValue:
            uploads = request.files.getlist("document")
            name = (uploads[0].filename or "") if len(uploads) == 1 else ""
            try:
                document = upload("document", largest)
                if not document:
                    raise NothingSent
                kept = desk.bring(identity().subject, document, name=name)
            except TallygateError as error:
                if error.kind.status not in SHOWN_AGAIN:
                    raise
                return shown.table(error)
            return redirect(url_for("signatures.my_document", identifier=kept.id), code=303)

        @blue.get("/my/documents/<identifier>")
        @guard.person(assurance=2)
        def my_document(identifier: str) -> ResponseReturnValue:
            subject = identity().subject
            kept = desk.one(subject, identifier)
            part = _part(kept)
            shown.note(kept, part=part)
            verdict = None
            if kept.facts.signatures:
                document = desk.read(subject, identifier)
                verdict = verification.verify(document, asker=Asker(), profile=Profile.STRICT)
            return render_template(
                "signatures/own_document.html",
                **shown.certificate(),
                kept=kept,
                verdict=verdict,
                pages=range(part * TOGETHER + 1, min((part + 1) * TOGETHER, kept.facts.pages) + 1),
                parts=range(1, kept.facts.pages + 1, TOGETHER),
                together=TOGETHER,
                seen=shown.seen(kept),
                say=lambda words: catalogue.say(words, locale()),
            )

        @blue.get("/my/documents/<identifier>/file")
        @guard.person(assurance=2)
        def my_file(identifier: str) -> ResponseReturnValue:
            subject = identity().subject
            kept = desk.one(subject, identifier)
            shown.note(kept)
            response = Response(desk.read(subject, identifier), content_type="application/pdf")
            # RFC 6266 section 4.3: the name as UTF-8. Never shown in the browser as a page of ours.
            response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(kept.facts.name, safe='')}"
            response.headers["Cache-Control"] = "no-store"
            return response

        @blue.post("/my/documents/<identifier>/remove")
        @guard.person(assurance=2)
        def remove(identifier: str) -> ResponseReturnValue:
            desk.remove(identity().subject, identifier)
            return redirect(url_for("signatures.mine"), code=303)

    return pages


def _part(kept: Shelved) -> int:
    """Which part of a document is asked for by one of its pages, counted from 0."""
    said = query_text("page", longest=5) or "1"
    if not _PAGE.fullmatch(said) or not 1 <= int(said) <= max(kept.facts.pages, 1):
        raise Malformed(field="page")
    return (int(said) - 1) // TOGETHER
