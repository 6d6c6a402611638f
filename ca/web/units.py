# SPDX-License-Identifier: Apache-2.0
"""The desk's page of time-stamping units, behind the gateway only: which there are, and whether they stamp now."""

from flask import Blueprint, render_template

from core.web import Guard

from ..errors import ClockUnsound
from ..service import Stamping
from . import words
from .desk import ROLE


def units(service: Stamping, guard: Guard, *, origin: str) -> Blueprint:
    """One page; ``origin`` is where anybody has a hash stamped."""
    blueprint = Blueprint("ca_units", __name__, template_folder="../templates")

    @blueprint.context_processor
    def names() -> dict[str, object]:
        return {"words": words, "desk": "ca"}

    @blueprint.get("/units")
    @guard.person(ROLE)
    def listed() -> str:
        unsound = ""
        try:
            service.look()
        except ClockUnsound as error:
            unsound = str(error.parameters["why"])
        return render_template("ca/units.html", units=service.units(), unsound=unsound, origin=origin)

    return blueprint
