# SPDX-License-Identifier: Apache-2.0
"""The desk's first page: where to go from here, and the keys that every portal believes."""

from flask import Blueprint, render_template

from core.web import Guard

from ...service import SignOn
from .desk import ADMINISTRATOR, AGENCY, SURE, Pages


def front(service: SignOn) -> Pages:
    """The page."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/admin", endpoint="front")
        @guard.person(ADMINISTRATOR, AGENCY, assurance=SURE)
        def shown() -> str:
            return render_template(
                "sso/admin/front.html", keys=[key["kid"] for key in service.jwks["keys"]], issuer=service.issuer
            )

    return pages
