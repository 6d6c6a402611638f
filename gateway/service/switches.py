# SPDX-License-Identifier: Apache-2.0
"""Which emergency switches an access passes, by their names in the record; any one that is thrown refuses it."""

from collections.abc import Iterable
from datetime import datetime

from ..config import READING, Lapsed, Route


def passed(
    *, origin: str, zone: str, resource: str, client: str = "", method: str = "", socket: bool = False
) -> list[str]:
    """The switches on the way; ``origin`` and ``zone`` are empty where a host stands in none.

    Whoever does not say that nothing is changed may change something: that holds for WebSockets too.
    """
    names = [f"portal={resource}"]
    if origin and zone:
        names += ways(origin, (zone,))
    if client:
        names.append(f"client={client}")
    if socket or method not in READING:
        names.append("writing")
    return names


def ways(origin: str, zones: Iterable[str]) -> list[str]:
    """The switches on the ways from one zone to others."""
    return [f"zones={origin}:{zone}" for zone in zones]


def lapsed(route: Route, means: Lapsed, *, method: str = "", socket: bool = False, at: datetime) -> bool:
    """Whether a host's assessment has run out, and that refuses this."""
    if means is Lapsed.OPEN or route.unshuttable or route.assessment is None or at.date() <= route.assessment.due:
        return False
    return means is Lapsed.SHUT or socket or method not in READING
