# SPDX-License-Identifier: Apache-2.0
"""How a question and its answer stand in the record."""

from collections.abc import Sequence

from ..models import Attribute
from ..search import Query, Row


def asked_of(query: Query) -> dict[str, Attribute]:
    """The filters that are no personal data, as attributes; what is typed as a name or freely is sealed."""
    asked: dict[str, Attribute] = {f"filter_{name}": value for name, value in query.fields().items()}
    for name, moment in (("from", query.since), ("to", query.until)):
        if moment:
            asked[f"filter_{name}"] = moment.isoformat()
    if query.after is not None:
        asked["filter_after"] = query.after
    return asked


def personal(query: Query) -> dict[str, str]:
    """What may name somebody: sealed under the officer's own key."""
    typed = {"person": query.person, "words": query.text}
    return {name: text for name, text in typed.items() if text}


def span_of(rows: Sequence[Row]) -> dict[str, Attribute]:
    """Which entries were shown: with the filters, enough to reconstruct the page."""
    return {"shown": len(rows), "newest": rows[0].index, "oldest": rows[-1].index} if rows else {"shown": 0}
