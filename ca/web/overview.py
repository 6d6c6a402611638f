# SPDX-License-Identifier: Apache-2.0
"""The overview: charts of what was issued, ends and was revoked, and how queue, checker and notices stand.

Everything on it was counted when it happened (`ca.inventory.store.counting`); a view adds some hundred numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, render_template
from flask.typing import ResponseReturnValue

from core.charts import NARROW, Bar, Size, Timed, bars, stacked
from core.clock import Clock
from core.web import Guard
from core.web.inputs import Malformed, query_text

from ..checker import Look
from ..inventory import Counting, Counts, Inventory
from ..models import ISSUERS, Reason
from ..notices import Board, NoticeState
from ..x509 import PROFILES
from . import words
from .desk import ROLE
from .incidents import number
from .inventory import reader

PAST, AHEAD = 30, 12
"""Days back, weeks ahead."""
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
_SIZES = (Size(960, 220), NARROW)
_PATTERNS = dict(zip(ISSUERS, ("is-success", "is-failure", "is-denied", "is-intended"), strict=True))


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What waits, for officers and for recipients."""

    # Requests that no officer has decided.
    queue: int
    check: Look
    # Notices that are on their way, and those of the last weeks that nobody took.
    notices: int
    failed: int


def overview(
    counting: Counting,
    standing: Callable[[], Standing],
    inventory: Inventory,
    guard: Guard,
    *,
    board: Board,
    clock: Clock,
) -> Blueprint:
    """The page, and one of single notices."""
    blueprint = Blueprint("ca_overview", __name__, template_folder="../templates")

    @blueprint.context_processor
    def names() -> dict[str, object]:
        return {"words": words, "desk": "ca"}

    @blueprint.get("/overview")
    @guard.person(ROLE)
    def page() -> ResponseReturnValue:
        counts, today = _counts(counting), clock.now().date()
        inventory.looked("overview", reader())
        return render_template(
            "ca/overview.html",
            standing=standing(),
            valid=sum(counts.valid.values()),
            behind=counts.behind,
            issued=issued(counts, today),
            issued_by=_table(counts.issued),
            expiring=expiring(counts, today),
            expiring_until=today + AHEAD * _WEEK,
            revoked=ranking({reason.value: _sum(counts.revoked, reason.value) for reason in Reason}),
            profiles=ranking(counts.valid),
            today=today,
        )

    @blueprint.get("/overview/notices")
    @guard.person(ROLE)
    def notices() -> ResponseReturnValue:
        state = query_text("state", longest=16)
        if state not in {"", *NoticeState}:
            raise Malformed(field="state")
        found, more = board.newest(state=NoticeState(state) if state else None, before=number("before"))
        inventory.looked("notices", reader())
        return render_template("ca/notices.html", found=found, more=more, state=state)

    return blueprint


def numbers(counting: Counting, standing: Callable[[], Standing], inventory: Inventory, guard: Guard) -> Blueprint:
    """The same for programs."""
    blueprint = Blueprint("ca_numbers", __name__, url_prefix="/api/v1")

    @blueprint.get("/overview")
    @guard.person(ROLE, errors="problem")
    def read() -> Response:
        counts = _counts(counting)
        inventory.looked("overview", reader())
        now = standing()
        return jsonify(
            {
                "issued": _listed(counts.issued),
                "expires": _listed(counts.expires),
                "revoked": _listed(counts.revoked),
                "valid": dict(counts.valid),
                "behind": counts.behind,
                "queue": now.queue,
                "findings": now.check.open,
                "notices_waiting": now.notices,
                "notices_failed": now.failed,
            }
        )

    return blueprint


def issued(counts: Counts, today: date) -> Timed:
    """Each day of the last month, by whom the certificates were for."""
    days = [today - _DAY * back for back in range(PAST - 1, -1, -1)]
    return _columns(counts.issued, [(day, day + _DAY) for day in days], _DAY)


def expiring(counts: Counts, today: date) -> Timed:
    """Each of the next weeks, from today on."""
    weeks = [today + _WEEK * ahead for ahead in range(AHEAD)]
    return _columns(counts.expires, [(day, day + _WEEK) for day in weeks], _WEEK)


def ranking(numbered: Mapping[str, int]) -> list[tuple[str, int, Bar]]:
    """Name, number and bar, the most first; what is nothing is left out."""
    some = sorted(((name, many) for name, many in numbered.items() if many > 0), key=lambda each: (-each[1], each[0]))
    return [(name, many, bar) for (name, many), bar in zip(some, bars([(many, 0) for _, many in some]), strict=True)]


def _columns(counted: Mapping[tuple[date, str], int], spans: Sequence[tuple[date, date]], step: timedelta) -> Timed:
    number = dict.fromkeys(((place, issuer) for place in range(len(spans)) for issuer in ISSUERS), 0)
    first = spans[0][0]
    for (day, profile), many in counted.items():
        place = (day - first) // step
        found = PROFILES.get(profile)
        if 0 <= place < len(spans) and found is not None:
            # A delegate's profile has several issuers; it is a part of the site itself.
            number[place, found.issuers[0] if len(found.issuers) == 1 else "infrastructure"] += max(0, many)
    starts = [datetime.combine(begins, time(), UTC) for begins, _ in spans]
    series = [[number[place, issuer] for place in range(len(spans))] for issuer in ISSUERS]
    legend = [(_PATTERNS[issuer], words.ISSUERS[issuer]) for issuer in ISSUERS]
    return stacked(starts, step, series, legend, _SIZES)


def _table(counted: Mapping[tuple[date, str], int]) -> tuple[list[str], list[tuple[date, list[int]]]]:
    """Profiles, and the number of each on each day on which anything was issued."""
    profiles = [name for name in PROFILES if any(profile == name for _, profile in counted)]
    days = sorted({day for day, _ in counted}, reverse=True)
    return profiles, [(day, [counted.get((day, name), 0) for name in profiles]) for day in days]


def _counts(counting: Counting) -> Counts:
    return counting.counts(past=(PAST - 1) * _DAY, ahead=AHEAD * _WEEK - _DAY)


def _sum(counted: Mapping[tuple[date, str], int], which: str) -> int:
    return sum(many for (_, name), many in counted.items() if name == which)


def _listed(counted: Mapping[tuple[date, str], int]) -> list[dict[str, Any]]:
    return [{"day": day.isoformat(), "which": which, "number": many} for (day, which), many in sorted(counted.items())]
