# SPDX-License-Identifier: Apache-2.0
"""The counter's display: the number being served, which a script keeps up to date and a reload shows without one."""

from pathlib import Path

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from core.clock import Clock
from core.web import Guard

from .live import serving

_SCRIPT = (Path(__file__).parent / "queue.js").read_bytes()


def queue(guard: Guard, *, clock: Clock) -> Blueprint:
    """The page and its script; nobody's record is shown there."""
    pages = Blueprint("queue", __name__)

    @pages.get("/queue")
    @guard.person()
    def display() -> ResponseReturnValue:
        return render_template("portals/queue.html", serving=serving(clock.now()))

    @pages.get("/queue/display.js")
    @guard.person()
    def script() -> Response:
        return Response(_SCRIPT, content_type="text/javascript; charset=utf-8")

    return pages
