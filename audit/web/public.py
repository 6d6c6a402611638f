# SPDX-License-Identifier: Apache-2.0
"""Public facts: the signed size and root, hash tiles, the cosigned checkpoint; outsiders hold us to them."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response

from core.web import Guard

from ..console import Console
from ..openapi import description
from ..search import TileAddress
from .asked import FOREVER, SECONDS, note, octets
from .blueprint import Pages


def public(console: Console, *, known: Callable[[], bytes] = bytes) -> Pages:
    """What anybody may read; ``known`` gives the trust root, nothing where none was written yet."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/checkpoint")
        @guard.public("the log's signed size and root; outsiders hold us to it", errors="problem")
        def checkpoint() -> Response:
            response = Response(console.checkpoint(), content_type="text/plain; charset=utf-8")
            response.headers["Cache-Control"] = SECONDS
            return response

        @made.get("/logs.txt")
        @guard.public("the keys of all logs of the site in their order, signed by them", errors="problem")
        def logs() -> Response:
            response = Response(known(), content_type="text/plain; charset=utf-8")
            response.headers["Cache-Control"] = SECONDS
            return response

        @made.get("/logs/<log>/checkpoint")
        @guard.public("a closed log's last checkpoint; outsiders hold us to it", errors="problem")
        def closed_checkpoint(log: str) -> Response:
            return Response(console.checkpoint(log), content_type="text/plain; charset=utf-8")

        @made.get("/pruned")
        @guard.public("below which entry nothing is kept, signed; mirrors and verifiers need it", errors="problem")
        def pruned() -> Response:
            return note(console.pruned())

        @made.get("/logs/<log>/pruned")
        @guard.public("below which entry of a closed log nothing is kept, signed", errors="problem")
        def closed_pruned(log: str) -> Response:
            return note(console.pruned(log))

        @made.get("/logs/<log>/tile/<level>/<path:rest>")
        @guard.public("a closed log's hash tiles hold only hashes", errors="problem")
        def closed_tile(log: str, level: str, rest: str) -> Response:
            return octets(console.tile(TileAddress.parse(level, rest), log), FOREVER)

        @made.get("/api/v1/openapi.json")
        @guard.public("the description of an interface; what it leads to is guarded itself", errors="problem")
        def openapi() -> dict[str, Any]:
            return description()

        @made.get("/tile/<level>/<path:rest>")
        @guard.public("hash tiles hold only hashes; proofs are made of them", errors="problem")
        def tile(level: str, rest: str) -> Response:
            return octets(console.tile(TileAddress.parse(level, rest)), FOREVER)

    return pages
