# SPDX-License-Identifier: Apache-2.0
"""The role's one blueprint, made of parts; each part brings its addresses."""

from collections.abc import Callable, Sequence
from pathlib import Path

from flask import Blueprint, request

from core.web import Guard

_ROOT = Path(__file__).parent.parent
_FORM_OVERHEAD = 64 * 1024
Pages = Callable[[Blueprint, Guard], None]
"""Adds its addresses to the blueprint."""


def blueprint(guard: Guard, parts: Sequence[Pages], *, largest: int) -> Blueprint:
    """Every address of the role; ``largest`` is the most bytes that one document may have."""
    made = Blueprint("signatures", __name__, template_folder=str(_ROOT / "templates"))

    @made.before_app_request
    def take_documents() -> None:
        # Before the guard reads the form for its token: documents are larger than other requests.
        if request.blueprint == made.name:
            request.max_content_length = 2 * largest + _FORM_OVERHEAD

    for part in parts:
        part(made, guard)
    return made
