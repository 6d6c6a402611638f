# SPDX-License-Identifier: Apache-2.0
"""Looking from above: the overview with its pictures, the ready-made views, and one pair of networks."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template
from werkzeug.wrappers import Response

from core.charts import Bar, bars
from core.errors import N_
from core.web import Guard, identity

from ..console import SPANS, VIEWS, Console, Overview, Views
from ..console.errors import NoSuchView
from ..console.picture import DECISION, OUTCOMES, Picture, Span, failed_login
from ..console.views import Viewed
from ..search import BadFilter, Denials, Query, parse
from ..search.query import ZONES
from ..search.terms import NOWHERE
from ..warrants import AUDITOR
from .asked import officer, parameters
from .blueprint import ROLE, Pages
from .choices import MINUTE, choices
from .picturing import (
    certificates_over_time,
    crossing_maps,
    goals,
    logins_over_time,
    matrix,
    outcomes_over_time,
    tiles,
)

_SPANS = {"24h": N_("24 hours"), "7d": N_("7 days"), "30d": N_("30 days")}
_SPANS_WORDS = {"24h": N_("The last 24 hours"), "7d": N_("The last 7 days"), "30d": N_("The last 30 days")}
_ZONES_SHORT = {
    "internet": N_("Internet"),
    "external": N_("External"),
    "internal": N_("Internal"),
    "management": N_("Manage\u00adment"),
}
_FEW, _WORST = 4, 7


def overseeing(console: Console, *, overview: Overview, views: Views, assurance: int = 1) -> Pages:
    """The pages; ``assurance`` is the lowest with which an officer looks."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/")
        @guard.person(ROLE, AUDITOR, assurance=assurance)
        def overview_page() -> Response | str:
            if ROLE not in identity().roles:
                # Who decides about what cannot be undone reads nothing.
                return redirect("/warrants")
            span, _query = _asked()
            look = overview.look(officer(), span)
            found = look.picture
            return render_template(
                "audit/overview.html",
                lag=look.lag,
                look=look,
                quorum=console.quorum(),
                denials=_ranked(look.denials[:_WORST]),
                figures=tiles(found),
                events=outcomes_over_time(found),
                logins=logins_over_time(found),
                why_logins=found.reasons(failed_login)[:_FEW],
                certificates=certificates_over_time(found),
                maps=crossing_maps(found),
                pairs=matrix(found),
                types=found.types(),
                views=VIEWS.items(),
                **_frame(found),
                **choices({}, Query()),
            )

        @made.get("/views/<name>")
        @guard.person(ROLE, assurance=assurance)
        def view(name: str) -> str:
            span, query = _asked()
            viewed = views.view(officer(), name, span=span, query=query)
            return _view(viewed, f"/views/{name}", {}, query, title=VIEWS[name].title, explains=VIEWS[name].explains)

        @made.get("/crossings")
        @guard.person(ROLE, assurance=assurance)
        def crossing() -> str:
            given = parameters()
            zones = {name: parse({"zone": given.pop(name, [""])}).zone for name in ("zone", "to_zone")}
            span, query = _asked(given)
            if zones["zone"] not in ZONES:
                raise NoSuchView
            viewed = views.crossing(officer(), zones["zone"], zones["to_zone"], span=span, query=query)
            return _view(viewed, "/crossings", zones, query, **zones)

    return pages


def _ranked(denials: Sequence[Denials]) -> list[tuple[Denials, Bar]]:
    return list(zip(denials, bars([(each.times, 0) for each in denials]), strict=True))


def _view(viewed: Viewed, path: str, kept: Mapping[str, str], query: Query, **more: Any) -> str:
    drawn = viewed.picture
    outcome = query.outcome.value if query.outcome else ""
    asked = {**kept, "span": drawn.span.name}

    def address(**other: Any) -> str:
        return f"{path}?{urlencode({name: value for name, value in {**asked, **other}.items() if value != ''})}"

    return render_template(
        "audit/view.html",
        viewed=viewed,
        figures=tiles(drawn)[:3],
        events=outcomes_over_time(drawn, half=bool(viewed.people)),
        maps=crossing_maps(drawn),
        ranks=list(zip(viewed.people, bars([(every, bad) for _who, every, bad in viewed.people]), strict=True)),
        older=address(outcome=outcome, after=viewed.next) if viewed.next is not None else None,
        newest=address(outcome=outcome) if query.after is not None else None,
        narrowed=[(name, address(outcome=name), name == outcome) for name in ("", "success", "denied")],
        address=address,
        lag=viewed.lag,
        **{"title": "", "explains": "", "zone": "", "to_zone": ""} | more,
        **_frame(drawn, path=path, kept=kept),
        **choices({}, Query()),
    )


def _frame(drawn: Picture, *, path: str = "/", kept: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {
        "picture": drawn,
        "spans": [
            (f"{path}?{urlencode({**(kept or {}), 'span': name})}", words, name == drawn.span.name)
            for name, words in _SPANS.items()
        ],
        "spans_words": _SPANS_WORDS,
        "pair_columns": goals(drawn),
        "zones_short": _ZONES_SHORT,
        "crossing_search": partial(_crossing_search, drawn),
        "stacked": OUTCOMES,
        "chosen_from": drawn.since.strftime(MINUTE),
        "chosen_to": (drawn.until - timedelta(minutes=1)).strftime(MINUTE),
    }


def _crossing_search(drawn: Picture, origin: str, destination: str) -> str:
    """The search for exactly the decisions that a picture counts between two networks."""
    since, until = drawn.since.strftime(MINUTE), (drawn.until - timedelta(minutes=1)).strftime(MINUTE)
    asked = {"type": DECISION, "zone": origin, "to_zone": destination or NOWHERE, "from": since, "to": until}
    return f"/search?{urlencode(asked)}"


def _asked(given: dict[str, list[str]] | None = None) -> tuple[Span, Query]:
    """The span and the filters of the address.

    Raises:
        BadFilter: one of them is unknown.
    """
    values = parameters() if given is None else given
    names = values.pop("span", ["24h"])
    if len(names) != 1 or names[0] not in SPANS:
        raise BadFilter(field="span")
    return SPANS[names[0]], parse(values)
