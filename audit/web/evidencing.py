# SPDX-License-Identifier: Apache-2.0
"""The form that asks for an evidence file, and the file itself, which is sent piece by piece."""

from collections.abc import Iterator
from typing import IO

from flask import Blueprint, Response, render_template, request

from core.identity import HEADER
from core.web import Guard, caller, json_object

from ..console import Console, Evidencing
from ..evidence import Made
from ..models import Attribute, Reader
from ..search import BadFilter
from .asked import officer, parameters
from .blueprint import ROLE, Pages

TYPE = "application/vnd.etsi.asic-e+zip"
_CHUNK = 64 * 1024
_LONGEST = 4 << 20
_PURPOSE = 500


def evidencing(console: Console, evidence: Evidencing, *, assurance: int = 1) -> Pages:
    """The officers' pages, and what the operator's command asks."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/evidence")
        @guard.person(ROLE, assurance=assurance)
        def evidence_form() -> str:
            given = parameters(only=("scope", "lang"))
            scope = evidence.scope(given.get("scope", [""])[0])
            count = len(evidence.chosen(scope))
            facts: dict[str, Attribute] = {"view": "evidence", "about": str(scope), "hits": count}
            console.record("audit.searched", officer(), attributes=facts)
            return render_template(
                "audit/evidence.html",
                scope=scope,
                count=count,
                most=evidence.at_once,
                longest=_PURPOSE,
            )

        @made.post("/evidence")
        @guard.person(ROLE, assurance=assurance)
        def evidence_file() -> Response:
            scope = evidence.scope(request.form.get("scope", ""))
            purpose = _purpose(request.form.get("purpose", ""))
            opened = request.form.get("open") == "yes"
            header = request.headers.get(HEADER, "")
            return _sent(evidence.make(officer(), scope, purpose=purpose, opened=opened, header=header))

        @made.post("/api/v1/evidence")
        @guard.peer("app")
        def operators_file() -> Response:
            wish = json_object(longest=_LONGEST)
            indices, purpose = wish.get("indices"), wish.get("purpose", "")
            if not isinstance(indices, list) or not all(type(each) is int and each >= 0 for each in indices):
                raise BadFilter(field="indices")
            if not isinstance(purpose, str):
                raise BadFilter(field="purpose")
            return _sent(evidence.hand_out(Reader(role=caller()), indices, purpose=_purpose(purpose)))

    return pages


def _purpose(text: str) -> str:
    found = " ".join(text.split())
    if not found or len(found) > _PURPOSE or not found.isprintable():
        raise BadFilter(field="purpose")
    return found


def _sent(made: Made) -> Response:
    """The file; its name is gone from the folder before the first piece leaves, whatever happens to the line."""
    opened = made.path.open("rb")
    made.path.unlink()
    response = Response(_pieces(opened), content_type=TYPE)
    response.call_on_close(opened.close)
    response.content_length = made.size
    response.headers["Content-Disposition"] = f'attachment; filename="evidence-{made.sha256[:12]}.asice"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _pieces(opened: IO[bytes]) -> Iterator[bytes]:
    with opened:
        while piece := opened.read(_CHUNK):
            yield piece
