# SPDX-License-Identifier: Apache-2.0
"""``GET /decide/<listener>``: a proxy's question over bare WSGI, because every request of the site passes here.

Answers 204, 401 or 403 and nothing else: any other status would reach the visitor as an error of nginx.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from core.calls import PairSecrets
from core.errors import Unauthenticated
from core.identity import HEADER
from core.log import logger

from ..errors import Reason
from ..models import TIES, Answer, Question
from ..request import ADAPTERS
from ..service.decision import Decider

PREFIX = "/decide/"
STATUS_LINES = {204: "204 No Content", 401: "401 Unauthorized", 403: "403 Forbidden"}
_log = logger(__name__)

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def decide_application(decider: Decider, pairs: PairSecrets) -> WSGIApp:
    """The WSGI application for everything beneath ``/decide/``."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = answered(environ, decider, pairs)
        start_response(STATUS_LINES[answer.status], headers_of(answer))
        return []

    return application


def headers_of(answer: Answer) -> list[tuple[str, str]]:
    """What a proxy is told beside the status."""
    headers = [("Content-Length", "0"), ("Tallygate-Decision", answer.decision)]
    if answer.reason:
        headers.append(("Tallygate-Reason", str(answer.reason)))
    if answer.step_up:
        headers.append(("Tallygate-Step-Up", str(answer.step_up)))
    if answer.could:
        headers.append(("Tallygate-Could", " ".join(answer.could)))
    if answer.identity:
        headers.append((HEADER, answer.identity))
    if answer.ties:
        headers.append((TIES, answer.ties))
    if answer.status == 204:  # noqa: PLR2004 - No Content carries no length (RFC 9110 section 8.6)
        del headers[0]
    return headers


def question_of(environ: Mapping[str, Any], pairs: PairSecrets) -> Question | None:
    """What one of our proxies asks; None if somebody else does."""
    try:
        caller = pairs.caller(environ.get("HTTP_TALLYGATE_CALLER"), environ.get("HTTP_TALLYGATE_SECRET"))
    except Unauthenticated:
        caller = ""
    if caller not in ADAPTERS or environ["REQUEST_METHOD"] != "GET":
        return None
    return ADAPTERS[caller](environ, environ["PATH_INFO"].removeprefix(PREFIX))


def answered(environ: Mapping[str, Any], decider: Decider, pairs: PairSecrets) -> Answer:
    """The answer, after whatever has to be waited for; never raises."""
    try:
        question = question_of(environ, pairs)
        if question is not None:
            return decider.decide(question)
        # Somebody on this machine who is no proxy: no access was asked for, so none is recorded.
        _log.warning("decision_asked_by_stranger")
    except Exception:  # noqa: BLE001 - fail closed, also for what nobody foresaw
        _log.error("decision_endpoint_failed", exc_info=True)
    return Answer(status=403, decision="", reason=Reason.UNAVAILABLE)
