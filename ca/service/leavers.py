# SPDX-License-Identifier: Apache-2.0
"""Who leaves takes no certificate along: what was issued to them is suspended as soon as the record says so.

Suspended and not revoked, so that a mistake can be undone by a registration officer. Who goes on leave gets back what
was good when the leave began, once the record says that they are let in again; what was suspended before stays so, and
so does everything of who left meanwhile. How far the record was heard stands in a file, what a leave took in a file of
its own for each person: what was heard twice changes nothing in the end, and what an officer has released since is left
alone.
"""

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from audit import Entry, Event, Outcome
from core.log import logger

from ..errors import AlreadyRevoked, AlreadySuspended, NoSuchCertificate, NotSuspended
from ..models import Certificate, Standing

LEFT = "directory.person.left"
SHUT_OUT = "directory.person.disabled"
LET_IN = "directory.person.enabled"
LEAVERS = (LEFT, SHUT_OUT, LET_IN)
ON_LEAVE = "leave"
"""Why somebody was shut out, in the words of the directory."""
_MOST = 500
_PLAIN = re.compile(r"[0-9a-f-]{1,64}\Z")
_log = logger(__name__)


class Leavers:
    """Hears the record; several processes may, for each step may be done twice."""

    def __init__(
        self,
        *,
        issued: Callable[[str, int], Sequence[Certificate]],
        suspend: Callable[[str], None],
        release: Callable[[str], None],
        place: Path,
    ) -> None:
        """``issued`` tells the newest certificates of a subject, ``suspend`` takes one, ``release`` gives it back.

        ``place`` is the file that says how far the record was heard; what leaves took stands in a folder beside it.
        """
        self._issued = issued
        self._suspend = suspend
        self._release = release
        self._place = place
        self._away = place.with_name("away")

    def start(self) -> int:
        """Where to begin; a file that cannot be read means: at the beginning."""
        try:
            return int(self._place.read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def hear(self, entries: Sequence[Entry]) -> None:
        """Some entries in order.

        Raises:
            Unavailable: the tables or the record did not answer; they are heard again.
        """
        for entry in entries:
            if entry.event.subject and entry.event.outcome is Outcome.SUCCESS:
                self._follow(entry.event)
        if entries:
            _write(self._place, str(entries[-1].index + 1))

    def _follow(self, event: Event) -> None:
        if event.type == LEFT:
            self._take(self._good(event.subject))
            self._note(event.subject).unlink(missing_ok=True)
        elif event.type == SHUT_OUT and event.attributes.get("because") == ON_LEAVE:
            note = self._note(event.subject)
            if not note.exists():
                # Before anything is taken: what is not written down would not come back.
                self._away.mkdir(mode=0o700, exist_ok=True)
                _write(note, "\n".join(self._good(event.subject)))
            self._take(_lines(note))
        elif event.type == LET_IN:
            self._give_back(self._note(event.subject))

    def _give_back(self, note: Path) -> None:
        for serial in _lines(note):
            # Revoked while they were away, or released by an officer: neither is touched.
            with suppress(NotSuspended, AlreadyRevoked, NoSuchCertificate):
                self._release(serial)
                _log.info("released_after_leave", serial=serial)
        note.unlink(missing_ok=True)

    def _good(self, subject: str) -> list[str]:
        return [each.serial for each in self._issued(subject, _MOST) if each.standing is Standing.GOOD]

    def _take(self, serials: Sequence[str]) -> None:
        for serial in serials:
            # Somebody may take it at the same moment.
            with suppress(AlreadySuspended, AlreadyRevoked, NoSuchCertificate):
                self._suspend(serial)
                _log.info("suspended_of_leaver", serial=serial)

    def _note(self, subject: str) -> Path:
        # A subject is random and of plain letters; nothing else names a file.
        return self._away / (subject if _PLAIN.match(subject) else "nobody")


def _lines(note: Path) -> list[str]:
    try:
        return note.read_text("ascii").split()
    except FileNotFoundError:
        return []


def _write(place: Path, text: str) -> None:
    fresh = place.with_name(f"{place.name}.{os.getpid()}.new")
    fresh.write_text(text, "ascii")
    fresh.replace(place)
