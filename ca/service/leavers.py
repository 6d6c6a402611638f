# SPDX-License-Identifier: Apache-2.0
"""Who leaves takes no certificate along: what was issued to them is suspended as soon as the record says so.

Suspended and not revoked, so that a mistake can be undone by a registration officer. How far the record was heard
stands in a file: what was heard twice changes nothing, and what an officer has released since is left alone.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from audit import Entry
from core.log import logger

from ..errors import AlreadyRevoked, AlreadySuspended
from ..models import Certificate, Standing

LEFT = "directory.person.left"
LEAVERS = (LEFT,)
_MOST = 500
_log = logger(__name__)


class Leavers:
    """Hears the record; several processes may, for each step may be done twice."""

    def __init__(
        self, *, issued: Callable[[str, int], Sequence[Certificate]], suspend: Callable[[str], None], place: Path
    ) -> None:
        """``issued`` tells the newest certificates of a subject, ``suspend`` takes one; ``place`` is the file."""
        self._issued = issued
        self._suspend = suspend
        self._place = place

    def start(self) -> int:
        """Where to begin; a file that cannot be read means: at the beginning."""
        try:
            return int(self._place.read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def hear(self, entries: Sequence[Entry]) -> None:
        """Some entries in order.

        Raises:
            Unavailable: the tables did not answer; they are heard again.
        """
        for entry in entries:
            if entry.event.type == LEFT and entry.event.subject:
                self._take(entry.event.subject)
        if entries:
            fresh = self._place.with_suffix(".new")
            fresh.write_text(str(entries[-1].index + 1), "ascii")
            fresh.replace(self._place)

    def _take(self, subject: str) -> None:
        for each in self._issued(subject, _MOST):
            if each.standing is Standing.GOOD:
                # Somebody may take it at the same moment.
                with suppress(AlreadySuspended, AlreadyRevoked):
                    self._suspend(each.serial)
                    _log.info("suspended_of_leaver", serial=each.serial)
