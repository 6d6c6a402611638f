# SPDX-License-Identifier: Apache-2.0
"""Where networks are and how far apart, by the record's table of places; loaded only at sites that have one.

The table comes with all rules of the record's alerts, which sign-on never uses.
"""

from pathlib import Path

from audit.alerts import Places, PlacesRefused
from core.log import logger

_log = logger(__name__)


class Table:
    """The record's table of places; empty if this role cannot read it."""

    def __init__(self, path: Path) -> None:
        try:
            self._places = Places.parse(path.read_bytes())
        except (OSError, PlacesRefused):
            _log.warning("no_places")
            self._places = Places.parse(b"")

    def distance(self, one: str, other: str) -> int | None:
        """Kilometres between two networks; None where one of them is nowhere."""
        here, there = self._places.of(one), self._places.of(other)
        return here.kilometres(there) if here is not None and there is not None else None

    def name(self, network: str) -> str:
        """The name of a network's place; empty if it is nowhere."""
        place = self._places.of(network)
        return place.name if place else ""
