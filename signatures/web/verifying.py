# SPDX-License-Identifier: Apache-2.0
"""The public page and REST interface that verify documents."""

import re

from flask import Blueprint, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from core.web import Guard, form_text, locale
from core.web.inputs import Malformed, query_text

from ..errors import NothingSent
from ..models import Profile
from ..openapi import description
from ..service import Reports, Verification
from ..service.reporting import MEDIA, Kind
from ..verdict import Catalogue
from ..verdict.words import BESIDE, LASTING, LEVELS, PROBLEMS, QUESTIONS, SEVERITIES, STAMP_STATES, moment, short
from .blueprint import Pages
from .bodies import asker, question, upload, uploads

# What the code on a signed paper says of its document.
_NUMBER = re.compile(r"[0-9a-f]{64}")
_PUBLIC = "anybody may check a signature; only the kind of answer and the network are recorded"
_JSON = "application/json"
_LONGEST_ANSWER = 400_000


def verifying(verification: Verification, reports: Reports, *, largest: int) -> Pages:
    """The form, its answer in plain words, and the same for programs."""

    def pages(blue: Blueprint, guard: Guard) -> None:
        catalogue = Catalogue()

        @blue.get("/")
        @guard.public(_PUBLIC)
        def form() -> str:
            number = query_text("document", longest=64)
            if number and not _NUMBER.fullmatch(number):
                raise Malformed(field="document")
            return render_template("signatures/form.html", largest=largest // (1024 * 1024), number=number)

        @blue.post("/")
        @guard.public(_PUBLIC)
        def check() -> str:
            document = upload("document", largest)
            if not document:
                raise NothingSent
            content, beside = upload("content", largest) or None, uploads("beside", largest)
            profile = Profile.TOLERANT if request.form.get("tolerant") == "yes" else Profile.STRICT
            verdict = verification.verify(document, asker=asker(), profile=profile, content=content, beside=beside)
            text = reports.text(verdict)
            return render_template(
                "signatures/verdict.html",
                verdict=verdict,
                text=text.decode(),
                seal=reports.seal(text),
                questions=QUESTIONS,
                short=short,
                problems_title=PROBLEMS,
                severities=SEVERITIES,
                levels=LEVELS,
                stamp_states=STAMP_STATES,
                lasting=LASTING,
                beside=BESIDE,
                say=lambda words: catalogue.say(words, locale()),
                moment=lambda at: moment(at, locale()),
            )

        @blue.post("/report")
        @guard.public("whoever was given an answer may have it in another form; nothing new is told")
        def report() -> Response:
            kind = _kind(form_text("kind", longest=8))
            text = form_text("answer", longest=_LONGEST_ANSWER).strip().encode() + b"\n"
            answer = Response(reports.again(text, form_text("seal", longest=64), kind), content_type=MEDIA[kind])
            answer.headers["Content-Disposition"] = f'attachment; filename="verdict.{kind}"'
            return answer

        @blue.post("/api/v1/verify")
        @guard.public(_PUBLIC, errors="problem")
        def verify() -> ResponseReturnValue:
            wish = query_text("profile") or Profile.STRICT.value
            if wish not in set(Profile):
                raise Malformed(field="profile")
            sent = question(largest)
            verdict = verification.verify(
                sent.document, asker=asker(), profile=Profile(wish), content=sent.content, beside=sent.beside
            )
            text = reports.text(verdict)
            wanted = request.accept_mimetypes.best_match([_JSON, *MEDIA.values()], _JSON)
            kind = next((kind for kind, media in MEDIA.items() if wanted == media), None)
            if kind is None:
                return Response(text, content_type=_JSON)
            return Response(reports.write(text, kind), content_type=MEDIA[kind])

        @blue.get("/api/v1/openapi.json")
        @guard.public("the description of a public interface", errors="problem")
        def openapi() -> Response:
            return jsonify(description(largest))

    return pages


def _kind(wish: str) -> Kind:
    for kind in MEDIA:
        if wish == kind:
            return kind
    raise Malformed(field="kind")
