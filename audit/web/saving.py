# SPDX-License-Identifier: Apache-2.0
"""Keeping a search under a name, and forgetting it; the list stands on the search page."""

from flask import Blueprint, redirect
from werkzeug.wrappers import Response as Answer

from core.web import Guard, form_text

from ..console import SavedSearches
from .asked import officer
from .blueprint import ROLE, Pages

_LONGEST = 4_000


def saving(searches: SavedSearches, *, assurance: int = 1) -> Pages:
    """The two forms."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.post("/searches")
        @guard.person(ROLE, assurance=assurance)
        def save_search() -> Answer:
            query = form_text("query", longest=_LONGEST, optional=True)
            searches.save(officer(), name=form_text("name"), query=query)
            return redirect(f"/search?{query}#saved" if query else "/search#saved", code=303)

        @made.post("/searches/<identifier>/remove")
        @guard.person(ROLE, assurance=assurance)
        def remove_search(identifier: str) -> Answer:
            searches.remove(officer(), identifier)
            return redirect("/search#saved", code=303)

    return pages
