# SPDX-License-Identifier: Apache-2.0
"""The desk is made of parts; each adds its own pages, and every page has a guard."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Blueprint, g

from core.web import Guard, identity

Pages = Callable[[Blueprint, Guard], None]
"""Adds the pages of one part."""
ADMINISTRATOR = "security-administrator"
"""Who keeps sign-on: decides on registrations, sees and ends sessions. Never on what they asked for themselves."""
AGENCY = "agency-administrator"
"""Who asks for the registration of an agency's own portals."""
SURE = 2
"""Assurance of whoever works here."""


def desk(guard: Guard, *, parts: Iterable[Pages]) -> Blueprint:
    """All pages below ``/admin``; what the gateway's signed header says of roles decides who sees which."""
    made = Blueprint("sso_admin", __name__, template_folder="../../templates")
    for pages in parts:
        pages(made, guard)

    @made.context_processor
    def who_works_here() -> dict[str, Any]:
        # Whoever is refused here has none.
        return {"administers": "identity" in g and ADMINISTRATOR in identity().roles}

    return made
