# SPDX-License-Identifier: Apache-2.0
"""Events by HTTP: a role of the site sends many at once and is answered for each."""

import base64
import json

from flask import Blueprint, Response, request

from core.errors import TallygateError
from core.web import Guard, caller

from ..intake import LARGEST_BODY, LINES, Intake
from ..models import Receipt, Wait
from ..search import BadFilter
from .asked import parameters
from .blueprint import Pages

_WAITS = {"sequenced": Wait.SEQUENCED, "published": Wait.PUBLISHED}


def taking(intake: Intake, *, callers: tuple[str, ...]) -> Pages:
    """``callers`` are the roles whose events the log takes."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.post("/api/v1/events")
        @guard.peer(*callers)
        def take() -> Response:
            wait = _wait(parameters(only=("wait",)).get("wait", ["sequenced"]))
            request.max_content_length = LARGEST_BODY
            answers = intake.take(caller(), request.get_data(cache=False), wait=wait)
            return Response("".join(map(_line, answers)), content_type=LINES)

    return pages


def _wait(given: list[str]) -> Wait:
    if len(given) != 1 or given[0] not in _WAITS:
        raise BadFilter(field="wait")
    return _WAITS[given[0]]


def _line(answer: Receipt | TallygateError) -> str:
    if isinstance(answer, TallygateError):
        return json.dumps({"code": answer.code, "detail": answer.detail}) + "\n"
    told = {"index": answer.index, "leaf": base64.b64encode(answer.leaf).decode(), "level": answer.level.value}
    if answer.checkpoint:
        told["checkpoint"] = answer.checkpoint
    return json.dumps(told) + "\n"
