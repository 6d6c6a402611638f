# SPDX-License-Identifier: Apache-2.0
"""What the checker found: a page for officers, the same for their programs, and the operator's own check."""

from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from core.identity import HEADER
from core.web import Guard, caller, json_object
from core.web.inputs import Malformed, query_text

from ..checker import Checker, Kept, Look
from ..inventory import Inventory
from ..service import Callers, Verb
from . import words
from .api import CALLERS
from .desk import ROLE
from .inventory import reader

_PAGE = 50


def checks(checker: Checker, inventory: Inventory, guard: Guard) -> Blueprint:
    """The page."""
    blueprint = Blueprint("ca_checks", __name__, template_folder="../templates")

    @blueprint.context_processor
    def names() -> dict[str, object]:
        return {"words": words, "desk": "ca"}

    @blueprint.get("/checks")
    @guard.person(ROLE)
    def page() -> ResponseReturnValue:
        found, more = _found(checker)
        inventory.looked("checks", reader())
        return render_template("ca/checks.html", found=found, more=more, look=checker.look())

    return blueprint


def findings(checker: Checker, inventory: Inventory, guard: Guard, *, callers: Callers) -> Blueprint:
    """For programs: officers' reading, and the operator's check."""
    blueprint = Blueprint("ca_findings", __name__, url_prefix="/api/v1")

    @blueprint.get("/findings")
    @guard.person(ROLE, errors="problem")
    def read() -> Response:
        found, more = _found(checker)
        inventory.looked("checks", reader())
        return jsonify({**_look(checker.look()), "findings": [_kept(each) for each in found], "more": more})

    @blueprint.get("/checks")
    @guard.peer(*CALLERS)
    def told() -> Response:
        _admit(callers)
        found, more = _found(checker)
        return jsonify({**_look(checker.look()), "findings": [_kept(each) for each in found], "more": more})

    @blueprint.post("/checks")
    @guard.peer(*CALLERS)
    def step() -> Response:
        """One stretch of a check of everything; who asks again goes on with it."""
        _admit(callers)
        document = json_object()
        begin = document.get("begin", False)
        if set(document) - {"begin"} or not isinstance(begin, bool):
            raise Malformed(field="begin")
        if begin:
            checker.begin()
        report = checker.sweep()
        return jsonify({"after": report.after, "checked": report.checked, "ended": report.ended})

    return blueprint


def _admit(callers: Callers) -> None:
    callers.behalf(
        Verb.CHECK, caller=caller(), unverified_identity=request.headers.get(HEADER, ""), unverified_actor=""
    )


def _found(checker: Checker) -> tuple[list[Kept], int]:
    after = query_text("after", longest=18)
    if after and not (after.isascii() and after.isdecimal()):
        raise Malformed(field="after")
    found = checker.open(after=int(after or 0), limit=_PAGE + 1)
    return found[:_PAGE], found[_PAGE - 1].position if len(found) > _PAGE else 0


def _look(look: Look) -> dict[str, Any]:
    return {
        "ended": look.ended.isoformat() if look.ended else None,
        "checked": look.checked,
        "began": look.began.isoformat() if look.began else None,
        "place": look.place,
        "newest": look.newest,
        "open": look.open,
    }


def _kept(found: Kept) -> dict[str, Any]:
    return {
        "code": found.code,
        "about": found.about,
        "detail": found.detail,
        "first": found.first.isoformat(),
        "last": found.last.isoformat(),
    }
