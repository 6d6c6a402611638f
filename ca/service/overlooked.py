# SPDX-License-Identifier: Apache-2.0
"""Who was shut out before their certificates went with them: an older release left those good, and so they stayed.

Each holder of something good is looked up in the directory once, a few at a time. How far that went stands in a file;
what is found shut is suspended as the leavers' is, recorded, and comes back when the account does.
"""

import threading
from pathlib import Path
from typing import Protocol

from core.clock import Clock
from core.errors import NotFound, TallygateError
from core.log import logger
from directory import Person

from ..store import Store
from .leavers import SHUT_OUT, Leavers, write_place

DONE = "\x7f"
"""Behind every subject: there is nobody left to be looked at."""
_AT_ONCE = 100
_PAUSE = 0.5
"""Seconds between two handfuls: who logs in meanwhile asks the same directory."""
_LONG_PAUSE = 30.0
"""The same after something went wrong, which another try a moment later would only repeat."""
_log = logger(__name__)


class People(Protocol):
    """The part of the directory that is asked."""

    def person(self, subject: str) -> Person:
        """One person; raises NotFound."""
        ...


class Overlooked:
    """Looks once; several processes may, for each step may be done twice."""

    def __init__(self, *, store: Store, people: People, leavers: Leavers, clock: Clock, place: Path) -> None:
        """``place`` is the file that says who was looked at last."""
        self._store = store
        self._people = people
        self._leavers = leavers
        self._clock = clock
        self._place = place

    def look(self, most: int = _AT_ONCE) -> bool:
        """Look at some; whether there are more.

        Raises:
            Unavailable: the directory or the tables did not answer; they are looked at again.
        """
        after = self._place.read_text("utf-8") if self._place.exists() else ""
        if after == DONE:
            return False
        found = self._store.holders(after=after, at=self._clock.now(), limit=most)
        for subject in found:
            if self._shut(subject):
                self._leavers.take(subject, SHUT_OUT)
                _log.info("overlooked_found")
                if not self._shut(subject):
                    # Let in at this moment: whoever hears that may have come before there was anything to give back.
                    self._leavers.give_back(subject)
        write_place(self._place, found[-1] if len(found) == most else DONE)
        return len(found) == most

    def _shut(self, subject: str) -> bool:
        try:
            return not self._people.person(subject).enabled
        except NotFound:
            # A machine's or an organisation's, which have no accounts.
            return False

    def start(self) -> None:
        """In a thread of its own, until everybody was looked at."""
        threading.Thread(target=self._keep_looking, name="overlooked", daemon=True).start()

    def _keep_looking(self) -> None:
        pause, more = threading.Event(), True
        while more:
            wait = _PAUSE
            try:
                more = self.look()
            except TallygateError as error:
                _log.warning("overlooked_waits", code=error.code)
                wait = _LONG_PAUSE
            except Exception:  # noqa: BLE001 - without this thread they would be overlooked for good
                _log.error("overlooked_failed", exc_info=True)
                wait = _LONG_PAUSE
            pause.wait(wait)
