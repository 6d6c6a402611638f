# SPDX-License-Identifier: Apache-2.0
"""/livez says the process answers; /readyz says it can do its work."""

from collections.abc import Callable, Mapping
from contextlib import suppress

from flask import Blueprint, Response

from ..errors import TallygateError
from .guard import Guard

Standing = Callable[[], Mapping[str, int]]


def nothing() -> Mapping[str, int]:
    """The standing of a role that keeps nothing waiting."""
    return {}


def health(guard: Guard, ready: Callable[[], None], standing: Standing = nothing) -> Blueprint:
    """The two probes; nginx does not expose them. Both answers of readyz tell the numbers of ``standing``."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/livez")
    @guard.public("a probe that tells nothing but that the process answers", errors="problem")
    def livez() -> Response:
        return Response("live\n", content_type="text/plain")

    @blueprint.get("/readyz")
    @guard.public("a probe that tells whether the role can work, and how many records wait", errors="problem")
    def readyz() -> Response:
        try:
            ready()
            told = standing()
        except TallygateError as error:
            # What piles up matters most while the role cannot work.
            with suppress(TallygateError):
                error.parameters = {**error.parameters, **standing()}
            raise
        lines = ["ready", *(f"{name} {number}" for name, number in told.items())]
        return Response("\n".join(lines) + "\n", content_type="text/plain")

    return blueprint
