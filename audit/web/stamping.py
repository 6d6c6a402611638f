# SPDX-License-Identifier: Apache-2.0
"""When the record was stamped, by whom, and what is wrong while it is not."""

from datetime import datetime

from flask import Blueprint, Response, render_template

from core.clock import Clock
from core.web import Guard

from ..console import Console
from ..errors import NoSuchEntry
from ..merkle import Note
from ..stamps import Placed, StampSeries
from .asked import file, officer, parameters, place
from .blueprint import ROLE, Pages

_SHOWN = 50


def stamping(console: Console, *, stamps: StampSeries | None, clock: Clock, assurance: int = 1) -> Pages:
    """The officers' page of time-stamps; ``stamps`` is None where no authority is asked."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/stamps")
        @guard.person(ROLE, assurance=assurance)
        def stamps_page() -> str:
            given = parameters(only=("before", "lang"))
            before = place(given["before"][0]) if given.get("before") else None
            console.record("audit.searched", officer(), attributes={"view": "stamps"})
            found = stamps.newest(_SHOWN + 1, below=before) if stamps else []
            last = stamps.last() if stamps else None
            return render_template(
                "audit/stamps.html",
                asked=stamps is not None,
                stamps=found[:_SHOWN],
                last=last,
                older=found[_SHOWN - 1].covers if len(found) > _SHOWN else None,
                first=before is None,
                logs=len(stamps.logs) if stamps else 1,
                outage=stamps.outage() if stamps else None,
                age=_hours(last.stamp.kept, clock.now()) if last else None,
            )

        @made.get("/stamps/<size>.tst")
        @guard.person(ROLE, assurance=assurance)
        def stamp_token(size: str) -> Response:
            found = opened(size)
            return file(found.stamp.token, "application/vnd.etsi.timestamp-token", f"{_name(found)}.tst")

        @made.get("/stamps/<size>.txt")
        @guard.person(ROLE, assurance=assurance)
        def stamped_text(size: str) -> Response:
            found = opened(size)
            # Exactly what the token is about: the checkpoint's text without its signatures.
            text = Note.parse(found.stamp.note.encode()).text.encode()
            return file(text, "text/plain; charset=utf-8", f"{_name(found)}.txt")

        def opened(size: str) -> Placed:
            number = place(size)
            console.record("audit.opened", officer(), what=size, attributes={"part": "stamp"})
            found = stamps.at(number) if stamps else None
            if found is None:
                raise NoSuchEntry
            return found

    return pages


def _name(found: Placed) -> str:
    return f"{found.log}-checkpoint-{found.stamp.size}"


def _hours(then: datetime, now: datetime) -> tuple[int, int]:
    minutes = max(0, int((now - then).total_seconds()) // 60)
    return divmod(minutes, 60)
