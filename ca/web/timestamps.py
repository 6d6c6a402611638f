# SPDX-License-Identifier: Apache-2.0
"""Time-stamps over plain HTTP (RFC 3161 section 3.4): the stamp is signed, and only a hash is sent."""

from flask import Blueprint, Response, request

from core.web import Guard

from ..errors import RequestRefused
from ..service import Stamping
from ..timestamps import LONGEST_QUESTION

_ASKED, _ANSWERED = "application/timestamp-query", "application/timestamp-reply"


def timestamps(service: Stamping, guard: Guard) -> Blueprint:
    """One address for each unit."""
    blueprint = Blueprint("ca_timestamps", __name__)

    @blueprint.post("/tsa/<unit>")
    @guard.public("RFC 3161: anybody may have a hash stamped; every stamp is recorded", errors="problem")
    def stamp(unit: str) -> Response:
        if request.mimetype != _ASKED:
            raise RequestRefused(why=f"it must be of the type {_ASKED}")
        # One byte too many makes it malformed; the rest of a huge body is not read for that.
        answer = service.answer(unit, request.stream.read(LONGEST_QUESTION + 1))
        response = Response(answer, content_type=_ANSWERED)
        response.headers["Cache-Control"] = "no-store"
        return response

    return blueprint
