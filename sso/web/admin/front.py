# SPDX-License-Identifier: Apache-2.0
"""The desk's first page: where to go from here, the keys that every portal believes, and whom nothing reaches."""

from collections.abc import Callable, Sequence
from datetime import datetime

from flask import Blueprint, render_template

from core.web import Guard, identity

from ...service import SignOn
from ...service.key_schedule import ScheduledKey
from ..words import moment
from .desk import ADMINISTRATOR, AGENCY, SURE, Pages


def front(service: SignOn, keys: Callable[[], Sequence[ScheduledKey]]) -> Pages:
    """The page; ``keys`` are those that are believed, and when each goes on."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/admin", endpoint="front")
        @guard.person(ADMINISTRATOR, AGENCY, assurance=SURE)
        def shown() -> str:
            # Of agencies each sees its own portals alone, and these are everybody's.
            administers = ADMINISTRATOR in identity().roles
            return render_template(
                "sso/admin/front.html",
                keys=keys(),
                issuer=service.issuer,
                unreached=service.goodbyes.unreached() if administers else (),
                moment=moment,
                day=_day,
            )

    return pages


def _day(at: datetime) -> str:
    """A time as pages show it."""
    return at.strftime("%Y-%m-%d %H:%M UTC")
