# SPDX-License-Identifier: Apache-2.0
"""The story of one person, device, session or document."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from flask import Blueprint, render_template

from core.charts import Timed, stacked
from core.errors import N_
from core.web import Guard

from ..console import About, Stories
from ..console.picture import OUTCOMES
from ..console.stories import Story
from ..search import BadFilter, parse
from ..search.words import OUTCOMES as OUTCOME_WORDS
from .asked import officer, parameters
from .blueprint import ROLE, Pages
from .choices import choices

_PATHS = {About.PERSON: "people", About.DEVICE: "devices", About.SESSION: "sessions", About.DOCUMENT: "documents"}
_WORDS = {
    About.PERSON: N_("Story of a person"),
    About.DEVICE: N_("Story of a device"),
    About.SESSION: N_("Story of a session"),
    About.DOCUMENT: N_("Story of a document"),
}
_KEPT = ("type", "outcome", "from", "to")
_FILTERS = (*_KEPT, "after", "lang")
_STEPS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(days=1))
_BARS = 36


def telling(stories: Stories, *, assurance: int = 1) -> Pages:
    """The pages; ``assurance`` is the lowest with which an officer reads."""

    def pages(made: Blueprint, guard: Guard) -> None:
        def page(about: About, identifier: str) -> str:
            given = parameters(only=_FILTERS)
            query = parse(given)
            # The address is as strict as a filter.
            identifier = parse({"object": [identifier]}).object
            if not identifier:
                raise BadFilter(field=about.value)
            story = stories.tell(officer(), about, identifier, query=query)
            here = f"/{_PATHS[about]}/{identifier}"
            kept = {name: given[name][0] for name in _KEPT if given.get(name, [""])[0].strip()}
            return render_template(
                "audit/story.html",
                story=story,
                title=_WORDS[story.kind],
                course=course(story),
                here=here,
                older=f"{here}?{urlencode(kept | {'after': story.next})}" if story.next is not None else None,
                newest=(f"{here}?{urlencode(kept)}" if kept else here) if query.after is not None else None,
                lag=story.lag,
                **choices(given, query),
            )

        @made.get("/people/<identifier>")
        @guard.person(ROLE, assurance=assurance)
        def person(identifier: str) -> str:
            return page(About.PERSON, identifier)

        @made.get("/devices/<identifier>")
        @guard.person(ROLE, assurance=assurance)
        def device(identifier: str) -> str:
            return page(About.DEVICE, identifier)

        @made.get("/sessions/<identifier>")
        @guard.person(ROLE, assurance=assurance)
        def session(identifier: str) -> str:
            return page(About.SESSION, identifier)

        @made.get("/documents/<identifier>")
        @guard.person(ROLE, assurance=assurance)
        def document(identifier: str) -> str:
            return page(About.DOCUMENT, identifier)

    return pages


def course(story: Story) -> Timed:
    """The head's entries over time, in steps of which a picture has room."""
    span = story.last - story.first
    step = next((each for each in _STEPS if span / each < _BARS), max(_STEPS[-1], span / (_BARS - 1)))
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    start = epoch + step * ((story.first - epoch) // step)
    count = (story.last - start) // step + 1
    series = [[0] * count for _ in OUTCOMES]
    for row in story.summary:
        series[OUTCOMES.index(row.outcome)][(row.at - start) // step] += 1
    starts = [start + step * place for place in range(count)]
    legend = [(f"is-{outcome.value}", OUTCOME_WORDS[outcome]) for outcome in OUTCOMES]
    return stacked(starts, step, series, legend)
