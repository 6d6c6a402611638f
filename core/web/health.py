# SPDX-License-Identifier: Apache-2.0
"""/livez says the process answers; /readyz says it can do its work."""

from collections.abc import Callable

from flask import Blueprint, Response

from .guard import Guard


def health(guard: Guard, ready: Callable[[], None]) -> Blueprint:
    """The two probes; nginx does not expose them."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/livez")
    @guard.public("a probe that tells nothing but that the process answers", errors="problem")
    def livez() -> Response:
        return Response("live\n", content_type="text/plain")

    @blueprint.get("/readyz")
    @guard.public("a probe that tells nothing but whether the role can work", errors="problem")
    def readyz() -> Response:
        ready()
        return Response("ready\n", content_type="text/plain")

    return blueprint
