# SPDX-License-Identifier: Apache-2.0
"""When the record was stamped, by whom, and what is wrong while it is not."""

from datetime import datetime

from flask import Blueprint, Response, render_template

from core.clock import Clock
from core.web import Guard

from ..console import Console
from ..errors import NoSuchEntry
from ..stamps import StampStore
from .asked import file, officer, parameters, place
from .blueprint import ROLE, Pages

_SHOWN = 50


def stamping(console: Console, *, stamps: StampStore | None, clock: Clock, assurance: int = 1) -> Pages:
    """The officers' page of time-stamps; ``stamps`` is None where no authority is asked."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/stamps")
        @guard.person(ROLE, assurance=assurance)
        def stamps_page() -> str:
            parameters(only=("lang",))
            console.record("audit.searched", officer(), attributes={"view": "stamps"})
            found = stamps.newest(_SHOWN) if stamps else []
            return render_template(
                "audit/stamps.html",
                asked=stamps is not None,
                stamps=found,
                outage=stamps.outage() if stamps else None,
                age=_hours(found[0].kept, clock.now()) if found else None,
            )

        @made.get("/stamps/<size>.tst")
        @guard.person(ROLE, assurance=assurance)
        def stamp_token(size: str) -> Response:
            number = place(size)
            console.record("audit.opened", officer(), what=size, attributes={"part": "stamp"})
            found = stamps.covering(number) if stamps else None
            if found is None or found.size != number:
                raise NoSuchEntry
            return file(found.token, "application/vnd.etsi.timestamp-token", f"checkpoint-{number}.tst")

    return pages


def _hours(then: datetime, now: datetime) -> tuple[int, int]:
    minutes = max(0, int((now - then).total_seconds()) // 60)
    return divmod(minutes, 60)
