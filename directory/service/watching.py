# SPDX-License-Identifier: Apache-2.0
"""Follows the server's own log of changes; what stands there and was not written down before is an alarm.

The journal writes down how each change will look in that log before it makes it. Here every line of the log takes one
such expectation away, and a line for which there is none was made by somebody else: with a stolen secret, or past us.
Expectations of closed undertakings that no line came for (what was to be entered was there already) are dropped once
the log has been read past them, so that nothing can hide behind them later.
"""

import fcntl
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from audit import Event, Outcome, encode_event
from core.clock import Clock

from ..errors import DirectoryUnavailable
from ..ldap import Pool, Tree, accesslog
from ..ldap.accesslog import Seen
from ..store import Note, Noticed, Store
from .events import SOURCE
from .unrecorded import about

ALARM = "directory.change.unrecorded"
PAGE = 200
FIRST, SECOND = "changes", "second"
"""Names of the logs that are read."""
GAP = "gap"
"""What a stretch of the log that is gone, unread, is called in place of a verb."""


class Watch:
    """One process at a time watches; the others find the lock taken and do nothing."""

    def __init__(
        self,
        *,
        store: Store,
        pool: Pool,
        tree: Tree,
        clock: Clock,
        lock: Path,
        nudge: Callable[[], None],
        second: Pool | None = None,
    ) -> None:
        """``pool`` reads the log of the only, or first, provider; ``second`` that of the other one."""
        self._store = store
        self._logs = {FIRST: pool} | ({SECOND: second} if second else {})
        self._tree = tree
        self._clock = clock
        self._lock = lock
        self._nudge = nudge

    def look(self) -> int:
        """Read what is new to the end and return how much of it nobody had written down.

        Raises:
            DirectoryUnavailable: the server does not answer; look again later.
            OutboxFull: the alarms cannot be recorded now; look again later.
        """
        with self._first() as first:
            if not first:
                return 0
            # Whatever these did is in the log before it is read.
            settled = self._store.settled()
            alarms, unread = 0, 0
            for name in self._logs:
                try:
                    alarms += self._gap(name) + self._read(name)
                except DirectoryUnavailable:
                    # One of two may be down; what it noted is read when it is back.
                    unread += 1
                    if unread == len(self._logs):
                        raise
            if not unread:
                self._store.forget_expected(settled)
        if alarms:
            self._nudge()
        return alarms

    def _read(self, name: str) -> int:
        alarms, more = 0, True
        if name == SECOND and not self._store.watched(name)[1]:
            # It began as a copy of the first one, of which this much has been read.
            self._store.notice_nothing(name, *self._store.watched(FIRST))
        while more:
            _, csn = self._store.watched(name)
            found = accesslog.read(self._logs[name], after=csn, limit=PAGE)
            alarms += self._notice(found, name)
            more = len(found) == PAGE
        return alarms

    def _gap(self, name: str) -> int:
        """An alarm if the server has cleared from its log what was not read, or the whole log is another one."""
        _, csn = self._store.watched(name)
        cleared = accesslog.forgotten_until(self._logs[name])
        if not csn or (cleared and cleared <= csn):
            return 0
        return self._notice([Seen(id=f"gap {csn}", place="", csn=cleared, by="", verb=GAP, dn="")], name)

    def _notice(self, found: list[Seen], name: str) -> int:
        at = self._clock.now()
        noticed = [self._noticed(seen, name) for seen in found]
        return self._store.notice(noticed, at=int(at.timestamp()), name=name)

    def _noticed(self, seen: Seen, name: str) -> Noticed:
        return Noticed(
            id=seen.id,
            trace=seen.trace(),
            place=seen.place,
            csn=seen.csn,
            told=partial(self._told, seen),
            is_copy=len(self._logs) > 1 and seen.verb != GAP and seen.second is not (name == SECOND),
        )

    def _told(self, seen: Seen) -> tuple[bytes, Note | None]:
        alarm = None if seen.changes_nothing else self._alarm(seen)
        return accesslog.dump(seen), Note(alarm.key, encode_event(alarm)) if alarm else None

    def _alarm(self, seen: Seen) -> Event:
        whom = about(seen, self._tree)
        tail = f",{self._tree.branch('services')}".lower()
        service = seen.by.lower().removesuffix(tail).removeprefix("cn=") if seen.by.lower().endswith(tail) else ""
        sealed = {"entry": seen.dn[:_LONGEST_SEALED], **_fields(seen)} if whom.subject else {}
        return Event(
            # The same line of the server's log is the same entry of the record, however often it is read.
            key=hashlib.sha256(f"{ALARM} {seen.id}".encode()).hexdigest()[:32],
            type=ALARM,
            outcome=Outcome.SUCCESS,
            at=self._clock.now(),
            source=SOURCE,
            subject=whom.subject,
            organisation=whom.organisation,
            object=seen.id,
            attributes={
                "change": seen.verb,
                "place": whom.place,
                "names": seen.names,
                "by": service or "somebody else",
            },
            sealed=sealed,
        )

    @contextmanager
    def _first(self) -> Iterator[bool]:
        self._lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True


def _fields(seen: Seen) -> dict[str, str]:
    """``before.<attribute>`` and ``after.<attribute>``, as far as they have room in an entry of the record."""
    fields: dict[str, str] = {}
    room = _ROOM
    for when, held in (("before", seen.before()), ("after", seen.after())):
        for name, value in sorted(held.items())[:_MOST_FIELDS]:
            kept = value[: min(room, _LONGEST_SEALED)]
            room -= len(kept)
            if kept:
                fields[f"{when}.{_UNUSUAL.sub('-', name)[:_LONGEST_FIELD]}"] = kept
    return fields


_LONGEST_NAMES = 500
# An entry of the record takes 64 sealed fields and 65,535 bytes of ciphertext and all.
_MOST_FIELDS = 30
_LONGEST_FIELD = 50
_ROOM = 12_000
_UNUSUAL = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_SEALED = 2_000
"""Characters; an entry of the record holds 64 KiB, and the whole of it is kept here."""
