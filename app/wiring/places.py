# SPDX-License-Identifier: Apache-2.0
"""How far apart places are, by the record's table of them; loaded only at sites that have one.

The table comes with all rules of the record's alerts, which sign-on never uses.
"""

from pathlib import Path

from audit.alerts import Places, PlacesRefused
from core.log import logger
from sso.service.browsers import Distance

_log = logger(__name__)


def distance(path: Path) -> Distance:
    """By the record's table of places, if this role can read it."""
    try:
        places = Places.parse(path.read_bytes())
    except (OSError, PlacesRefused):
        _log.warning("no_places")
        places = Places.parse(b"")

    def between(one: str, other: str) -> int | None:
        here, there = places.of(one), places.of(other)
        return here.kilometres(there) if here is not None and there is not None else None

    return between
