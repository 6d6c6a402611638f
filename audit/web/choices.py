# SPDX-License-Identifier: Apache-2.0
"""What the filter form offers, and what it shows as chosen."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from core.web import _

from ..events import KINDS
from ..models import Outcome
from ..search import Query
from ..search.query import FILTERS, ZONES
from ..search.words import ENTERED, OUTCOMES, TONES
from ..search.words import ZONES as ZONE_WORDS

MINUTE = "%Y-%m-%dT%H:%M"


def choices(given: Mapping[str, list[str]], query: Query) -> dict[str, Any]:
    """Variables of ``audit/_filter.html`` and of the tables beside it."""
    # A time field of a browser takes minutes only; the last minute of a span is inside it.
    times = {
        "from": query.since.strftime(MINUTE) if query.since else "",
        "to": (query.until - timedelta(seconds=1)).strftime(MINUTE) if query.until else "",
    }
    return {
        "chosen": {name: given.get(name, [""])[0].strip() for name in FILTERS} | times,
        "kinds": sorted((_(kind.says), name) for name, kind in KINDS.items()),
        "zones_words": ZONE_WORDS,
        "zones": [(name, ZONE_WORDS[name]) for name in ZONES],
        "entered": list(ENTERED.items()),
        "outcomes": [(outcome.value, OUTCOMES[outcome]) for outcome in Outcome],
        "tones": {outcome.value: TONES[outcome] for outcome in Outcome},
    }
