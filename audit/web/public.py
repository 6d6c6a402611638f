# SPDX-License-Identifier: Apache-2.0
"""Public facts: the signed size and root, hash tiles, the cosigned checkpoint; outsiders hold us to them."""

from typing import Any

from flask import Blueprint, Response

from core.web import Guard

from ..console import Console
from ..openapi import description
from ..search import TileAddress
from .asked import FOREVER, SECONDS, octets
from .blueprint import Pages


def public(console: Console) -> Pages:
    """What anybody may read."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/checkpoint")
        @guard.public("the log's signed size and root; outsiders hold us to it", errors="problem")
        def checkpoint() -> Response:
            response = Response(console.checkpoint(), content_type="text/plain; charset=utf-8")
            response.headers["Cache-Control"] = SECONDS
            return response

        @made.get("/api/v1/openapi.json")
        @guard.public("the description of an interface; what it leads to is guarded itself", errors="problem")
        def openapi() -> dict[str, Any]:
            return description()

        @made.get("/tile/<level>/<path:rest>")
        @guard.public("hash tiles hold only hashes; proofs are made of them", errors="problem")
        def tile(level: str, rest: str) -> Response:
            return octets(console.tile(TileAddress.parse(level, rest)), FOREVER)

    return pages
