# SPDX-License-Identifier: Apache-2.0
"""Two providers that hold the same: which one is written to, and that nothing acknowledged is lost when it dies.

Each change was written down before it was made, and stays written down until the other provider says that it has it
(``contextCSN``, RFC 4533). When the one that is written to does not answer and the other does, the other is written to
from then on, and everything still written down is made there again, in its order; every change may be made twice. There
is no going back by itself: a provider that returns first gets what it missed, and is then as good as the other.

Passwords are never written down. So whoever sets one is answered only when the other provider has it, unless that one
is down; and a password that was lost all the same is recorded, so that somebody sets it again.
"""

import time
from collections.abc import Mapping
from pathlib import Path

from audit import Event, Outcome, new_key
from audit.models import Attribute
from core.clock import Clock
from core.log import logger

from ..errors import DirectoryUnavailable
from ..ldap import Pool, Tree
from ..ldap.changes import Verb
from ..ldap.connection import SECOND
from ..store import Store
from .events import event
from .journal import Journal

_log = logger(__name__)
_PAUSE = 0.01
_PATIENCE = 5.0
"""Seconds for which a password waits for the other provider."""
_SOURCES = ("001", "002")
NAMES = ("first", SECOND.decode("ascii"))


class Progress:
    """How far each of two providers has come."""

    def __init__(self, first: Pool, second: Pool, tree: Tree) -> None:
        self._pools = (first, second)
        self._tree = tree

    def of(self, place: int) -> Mapping[str, str] | None:
        """The number of the newest change from each provider; None if this one does not answer."""
        try:
            entry = self._pools[place].read(self._tree.suffix, ["contextCSN"])
        except DirectoryUnavailable:
            return None
        return {csn.split("#")[2]: csn for csn in entry.texts("contextCSN")} if entry else {}

    def touched(self, place: int, dn: str) -> str:
        """The number of the last change of an entry, empty if it is not there."""
        entry = self._pools[place].read(dn, ["entryCSN"])
        return entry.text("entryCSN") if entry else ""


def covers(place: int, one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether the provider at a place, which has come as far as ``one``, has everything that the other one has.

    Of its own changes it has all, whatever the other one says of them: at its start a provider gives itself a number.
    """
    return all(one.get(source, "") >= csn for source, csn in other.items() if source != _SOURCES[place])


class Providers:
    """Looked after every second by the role that writes."""

    def __init__(
        self, *, store: Store, journal: Journal, progress: Progress, tree: Tree, written: Path, clock: Clock
    ) -> None:
        self._store = store
        self._journal = journal
        self._progress = progress
        self._tree = tree
        self._written = written
        self._clock = clock

    def announce(self) -> None:
        """Let every reader know which one is written to."""
        name = NAMES[self._store.at_second()].encode()
        if not self._written.exists() or self._written.read_bytes() != name:
            self._written.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = self._written.with_name(f"{self._written.name}.new")
            fresh.write_bytes(name)
            fresh.chmod(0o640)
            fresh.replace(self._written)

    def tend(self) -> bool:
        """See which one lives; True if another one is written to from now on.

        Raises:
            DirectoryUnavailable: neither answers; call again later.
            OutboxFull: the record cannot keep up; nothing was changed.
        """
        self.announce()
        if self._store.is_behind():
            # An earlier run died between going over and making everything again, or the server did.
            self._journal.make_again()
        place = int(self._store.at_second())
        last = self._store.made_last()
        mine, other = self._progress.of(place), self._progress.of(1 - place)
        if mine is None and other is None:
            raise DirectoryUnavailable
        if mine is None:
            return self._go_over(1 - place)
        if last and other is not None and covers(1 - place, other, mine):
            self._store.forget_made(last)
        return False

    def _go_over(self, place: int) -> bool:
        def decide() -> tuple[Event, ...]:
            # Another process may have been quicker, or it answers again.
            if int(self._store.at_second()) == place or self._progress.of(1 - place) is not None:
                return ()
            key, at, lost = new_key(), self._clock.now(), self._lost(place)
            again = len(self._store.made())
            what: dict[str, Attribute] = {"provider": NAMES[place], "again": again, "lost": len(lost)}
            said = event("directory.provider.changed", Outcome.SUCCESS, at, operation=key, attributes=what)
            return said, *(
                event("directory.password.lost", Outcome.SUCCESS, at, subject=subject, operation=key)
                for subject in lost
            )

        if not self._journal.go_over(decide, to_second=bool(place)):
            return False
        _log.error("provider_changed", provider=NAMES[place])
        self.announce()
        self._journal.make_again()
        return True

    def _lost(self, place: int) -> tuple[str, ...]:
        """Whose new password this one does not have."""
        tail = f",{self._tree.branch('people')}".lower()
        lost: dict[str, None] = {}
        for _, series in self._store.made():
            for change in series:
                if change.verb is Verb.WITNESS and self._progress.touched(place, change.dn) <= change.value:
                    lost[change.dn.lower().removesuffix(tail).partition("=")[2]] = None
        return tuple(lost)


def wait(store: Store, progress: Progress) -> bool:
    """Wait until the other provider has what this one has; False if it does not come, or is down."""
    place, until = int(store.at_second()), time.monotonic() + _PATIENCE
    mine = progress.of(place)
    while mine is not None and time.monotonic() < until:
        other = progress.of(1 - place)
        if other is None:
            return False
        if covers(1 - place, other, mine):
            return True
        time.sleep(_PAUSE)
    return False
