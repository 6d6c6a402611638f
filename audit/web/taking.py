# SPDX-License-Identifier: Apache-2.0
"""Events by HTTP: a role of the site sends one or many at once and is answered for each.

Every act of a role on another machine comes this way, so ``directly`` answers over bare WSGI what there is to answer.
Whatever is to be refused goes on to Flask, where the endpoint has its guard and errors have their form.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from flask import Blueprint, Response, request

from core.errors import TallygateError
from core.web import Guard, before_flask, caller

from ..intake import LARGEST_BODY, LINES, BadBatch, Intake
from ..models import Receipt, Wait
from ..models_codec import plain
from ..search import BadFilter
from .asked import parameters
from .blueprint import Pages

# The route below says it again: who lists doors reads it from there.
PATH = "/api/v1/events"
WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_WAITS = {"sequenced": Wait.SEQUENCED, "published": Wait.PUBLISHED}
_QUERIES = {"": Wait.SEQUENCED, **{f"wait={name}": wait for name, wait in _WAITS.items()}}
# Where ``directly`` leaves why it did not answer; no header of a request can be called so.
_REFUSED = "tallygate.events.refused"


def taking(intake: Intake, *, callers: tuple[str, ...]) -> Pages:
    """``callers`` are the roles whose events the log takes."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.post("/api/v1/events")
        @guard.peer(*callers)
        def take() -> Response:
            if (refused := request.environ.get(_REFUSED)) is not None:
                raise refused
            wait = _wait(parameters(only=("wait",)).get("wait", ["sequenced"]))
            request.max_content_length = LARGEST_BODY
            answers = intake.take(caller(), request.get_data(cache=False), wait=wait)
            return Response(_lines(answers), content_type=LINES)

    return pages


def directly(pages: WSGIApp, intake: Intake, guard: Guard, *, callers: tuple[str, ...]) -> WSGIApp:
    """The application with the short way before it."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "POST":
            return pages(environ, start_response)
        wait, length = _QUERIES.get(environ.get("QUERY_STRING", "")), _length(environ.get("CONTENT_LENGTH", ""))
        if wait is None or not 0 < length <= LARGEST_BODY:
            return pages(environ, start_response)
        try:
            name = guard.caller_of(environ, callers)
        except TallygateError:
            # Said once more by the guard, in its own words.
            return pages(environ, start_response)
        body = environ["wsgi.input"].read(length)
        try:
            if len(body) != length:
                raise BadBatch
            told = _lines(intake.take(name, body, wait=wait))
        except TallygateError as error:
            environ["wsgi.input"], environ[_REFUSED] = BytesIO(body), error
            environ["CONTENT_LENGTH"] = str(len(body))
            return pages(environ, start_response)
        headers = [("Content-Type", LINES), ("Content-Length", str(len(told)))]
        start_response("200 OK", [*headers, *before_flask()])
        return [told]

    return application


def _length(said: str) -> int:
    return int(said) if said.isascii() and said.isdecimal() and len(said) < len(str(LARGEST_BODY)) + 1 else 0


def _wait(given: list[str]) -> Wait:
    if len(given) != 1 or given[0] not in _WAITS:
        raise BadFilter(field="wait")
    return _WAITS[given[0]]


def _lines(answers: Iterable[Receipt | TallygateError]) -> bytes:
    return b"".join(map(_line, answers))


def _line(answer: Receipt | TallygateError) -> bytes:
    if isinstance(answer, TallygateError):
        return plain({"code": answer.code, "detail": answer.detail}) + b"\n"
    told = {"index": answer.index, "leaf": b64encode(answer.leaf).decode(), "level": answer.level.value}
    if answer.checkpoint:
        told["checkpoint"] = answer.checkpoint
    return plain(told) + b"\n"
