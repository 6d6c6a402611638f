# SPDX-License-Identifier: Apache-2.0
"""Who is shut out takes no certificate along: what was issued to them is suspended as soon as the record says so.

Whatever shuts an account, an administrator, a leave, the last day of an outside worker, is the same to us. Suspended
and not revoked, so that a mistake can be undone, and whoever is let in again gets back what was good before: only that,
and nothing that was revoked meanwhile or that an officer suspended. Who leaves for good gets nothing back without an
officer.

How far the record was heard stands in a file; what comes back stands in the authority's tables, written in the
transaction that suspends. So what is heard twice, after a death at any line or by another process, ends the same.
"""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from audit import Entry, Event, Outcome
from core.clock import Clock
from core.log import logger

from ..errors import AlreadyRevoked, AlreadySuspended, NoSuchCertificate, NotSuspended
from ..store import Store, Together, withhold

LEFT = "directory.person.left"
SHUT_OUT = "directory.person.disabled"
LET_IN = "directory.person.enabled"
LEAVERS = (LEFT, SHUT_OUT, LET_IN)
ACTOR = "role:ca"
SECOND_LOOK = 120.0
"""Seconds after which nothing can be on its way to somebody that was begun while they were still let in."""
_PLAIN = re.compile(r"[0-9a-f-]{1,64}\Z")
_log = logger(__name__)


class Changes(Protocol):
    """The two verbs of the authority."""

    def suspend(self, serial: str, *, actor: str, because: str, together: Together | None) -> None:
        """See ``StandingChanges.suspend``."""
        ...

    def release(self, serial: str, *, actor: str) -> None:
        """See ``StandingChanges.release``."""
        ...


class Leavers:
    """Hears the record; several processes may, for each step may be done twice."""

    def __init__(self, *, store: Store, changes: Changes, clock: Clock, place: Path) -> None:
        """``place`` is the file that says how far the record was heard."""
        self._store = store
        self._changes = changes
        self._clock = clock
        self._place = place
        # Whom to look at once more, when, and after which kind of entry. A death forgets it, and ends what was begun.
        self._again: dict[str, tuple[float, str]] = {}

    def start(self) -> int:
        """Where to begin; a file that cannot be read means: at the beginning."""
        self._take_over()
        try:
            return int(self._place.read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def hear(self, entries: Sequence[Entry]) -> None:
        """Some entries in order; none is a heartbeat.

        Raises:
            Unavailable: the tables or the record did not answer; they are heard again.
        """
        for entry in entries:
            if entry.event.subject and entry.event.outcome is Outcome.SUCCESS:
                self._follow(entry.event)
        if entries:
            write_place(self._place, str(entries[-1].index + 1))
        self._look_again()

    def _follow(self, event: Event) -> None:
        if event.type == LET_IN:
            self._again.pop(event.subject, None)
            self.give_back(event.subject)
        elif event.type in (LEFT, SHUT_OUT):
            if event.type == LEFT:
                self._store.keep(event.subject)
            self.take(event.subject, event.type)
            self._again[event.subject] = (self._clock.monotonic() + SECOND_LOOK, event.type)

    def take(self, subject: str, why: str, *, never_released: bool = False) -> None:
        """Suspend all that is worth something; of who is only shut out, it is written down that it comes back."""
        found = self._store.worth_something(subject, at=self._clock.now(), never_released=never_released)
        for serial in found:
            back = withhold(subject, serial) if why == SHUT_OUT else None
            # Somebody may take it at the same moment.
            with suppress(AlreadySuspended, AlreadyRevoked, NoSuchCertificate):
                self._changes.suspend(serial, actor=ACTOR, because=why.rpartition(".")[2], together=back)
                _log.info("suspended_of_leaver", serial=serial)

    def give_back(self, subject: str) -> None:
        """Release what was suspended because they were shut out, and nothing else."""
        for serial in self._store.withheld(subject):
            # Revoked while they were out, or released by an officer: neither is touched.
            with suppress(NotSuspended, AlreadyRevoked, NoSuchCertificate):
                self._changes.release(serial, actor=ACTOR)
                _log.info("released_of_returner", serial=serial)
        self._store.keep(subject)

    def _look_again(self) -> None:
        """An issuance may have asked the directory before, and been written down after, what was suspended was read.

        What an officer released since is not new, and stays released.
        """
        now = self._clock.monotonic()
        for subject in [each for each, (due, _) in self._again.items() if due <= now]:
            self.take(subject, self._again[subject][1], never_released=True)
            del self._again[subject]

    def _take_over(self) -> None:
        """What earlier releases kept in a file for each person: what a leave took, and the return gives back."""
        folder = self._place.with_name("away")
        for note in folder.iterdir() if folder.is_dir() else ():
            # Another process may do the same; written down twice is written down once.
            with suppress(FileNotFoundError):
                serials = note.read_text("ascii").split()
                if _PLAIN.match(note.name):
                    self._store.take_over(note.name, serials)
                note.unlink()


def write_place(place: Path, text: str) -> None:
    """Put it in the file at once, whoever else does."""
    fresh = place.with_name(f"{place.name}.{os.getpid()}.new")
    fresh.write_text(text, "ascii")
    fresh.replace(place)
