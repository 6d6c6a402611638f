# SPDX-License-Identifier: Apache-2.0
"""The desk's first page: where to go from here, the keys that every portal believes, and whom nothing reaches."""

from flask import Blueprint, render_template

from core.web import Guard, identity

from ...service import SignOn
from ..words import moment
from .desk import ADMINISTRATOR, AGENCY, SURE, Pages


def front(service: SignOn) -> Pages:
    """The page."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/admin", endpoint="front")
        @guard.person(ADMINISTRATOR, AGENCY, assurance=SURE)
        def shown() -> str:
            # Of agencies each sees its own portals alone, and these are everybody's.
            administers = ADMINISTRATOR in identity().roles
            return render_template(
                "sso/admin/front.html",
                keys=[key["kid"] for key in service.jwks["keys"]],
                issuer=service.issuer,
                unreached=service.goodbyes.unreached() if administers else (),
                moment=moment,
            )

    return pages
