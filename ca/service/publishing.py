# SPDX-License-Identifier: Apache-2.0
"""Keeps the directory's copy of certificates and lists: said by the authority, written by the directory's one writer.

What the tables say has to be looked at is looked at in the order in which it became due, and the whole of what an entry
shall hold is said at once. Nothing that issues or revokes waits for it. Every entry is looked at again when one of its
certificates ends, and once a day in any case, so that what somebody else put there does not stay.
"""

import fcntl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from core.clock import Clock
from core.errors import Kind, TallygateError
from core.log import logger

from ..errors import IssuerUnusable, NoSuchIssuer
from ..store import AUTHORITIES, DEVICES, ORGANISATIONS, PEOPLE, Due, Entry, Store
from ..x509 import PROFILES, Profile
from .authority import CertificateAuthority
from .branches import entry_of

_log = logger(__name__)

MOST = 20
"""Certificates of one entry: the newest. The directory takes no more."""
LONGEST_LIST = 512 * 1024
"""Bytes; a longer list is at its HTTP address alone, and the directory shows none rather than an old one."""
AGAIN = timedelta(days=1)
AUTHORITIES_AGAIN = timedelta(minutes=10)
"""A root's list changes by ceremony, which tells nobody."""
_AFTER_REFUSAL = timedelta(hours=1)
_AT_ONCE = 100
INTERVAL = 1.0
RETRY = 5.0


class Shelf(Protocol):
    """Where copies are put; `directory.client.PublishingClient`."""

    def certificates(self, kind: str, identifier: str, certificates: Sequence[bytes]) -> None:
        """Let an entry hold exactly these; raises NotFound if there is no such entry."""
        ...

    def authority(self, name: str, parts: Mapping[str, bytes]) -> None:
        """Let an authority's entry hold these parts; an empty one goes."""
        ...


class Publisher:
    """A daemon thread; of several processes one works at a time, so that an older word never comes after a newer one.

    ``ready`` raises while the tables may be older than the record: what they say is then not shown.
    """

    def __init__(
        self,
        *,
        store: Store,
        authority: CertificateAuthority,
        shelf: Shelf,
        clock: Clock,
        lock: Path,
        profiles: Mapping[str, Profile] = PROFILES,
        ready: Callable[[], None] = lambda: None,
        interval: float = INTERVAL,
        retry: float = RETRY,
    ) -> None:
        self._store = store
        self._authority = authority
        self._shelf = shelf
        self._clock = clock
        self._lock = lock
        self._shown: Mapping[str, frozenset[str]] = {
            kind: frozenset(
                each.name for each in profiles.values() if (entry := entry_of(each, "x")) and entry.kind == kind
            )
            for kind in (PEOPLE, ORGANISATIONS, DEVICES)
        }
        self._ready = ready
        self._interval = interval
        self._retry = retry
        self._too_long: set[str] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ca-publisher", daemon=True)

    def start(self) -> None:
        """Begin; every authority is looked at once."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for a round under way."""
        self._stopped.set()
        self._thread.join()

    def look_at_authorities(self) -> None:
        """Have every root and issuing authority looked at."""
        for name in (*self._authority.roots, *self._authority.issuers):
            self._store.touch(Entry(kind=AUTHORITIES, id=name), at=self._clock.now())

    def round(self) -> int:
        """Show what is due, some of it; returns how many entries were looked at. None if another process is at it.

        Raises:
            Unavailable: the directory or a table does not answer; a later round goes on.
        """
        with self._alone() as alone:
            if not alone:
                return 0
            self._ready()
            found = self._store.due(self._clock.now(), limit=_AT_ONCE)
            for due in found:
                self._look(due)
            return len(found)

    def standing(self) -> Mapping[str, int]:
        """What a probe tells: numbers only."""
        lag = self._store.behind()
        age = max(0, int((self._clock.now() - lag.oldest).total_seconds())) if lag.oldest else 0
        return {
            "published_waiting": lag.waiting,
            "published_oldest_seconds": age,
            "published_refused": lag.refused,
            "published_too_long": len(self._too_long),
        }

    def _look(self, due: Due) -> None:
        now = self._clock.now()
        try:
            again = self._show_authority(due.entry) if due.entry.kind == AUTHORITIES else self._show(due.entry, now)
        except NoSuchIssuer:
            # A root without a list yet, or one of an older hierarchy.
            again = now + AGAIN
        except TallygateError as error:
            # What one authority cannot do holds up nobody else's.
            if error.kind is Kind.UNAVAILABLE and not isinstance(error, IssuerUnusable):
                raise
            if error.kind is not Kind.NOT_FOUND:
                _log.error("publication_refused", kind=due.entry.kind, id=due.entry.id, code=error.code)
                self._store.refused(due, again=now + _AFTER_REFUSAL)
                return
            # Whoever left the directory shows nothing there.
            again = now + AGAIN
        self._store.shown(due, again=again)

    def _show(self, entry: Entry, now: datetime) -> datetime:
        """The earliest moment at which something else is to be shown."""
        found = self._store.usable(entry.id, profiles=self._shown[entry.kind], at=now, limit=MOST)
        self._shelf.certificates(entry.kind, entry.id, [der for der, _ in found])
        ends = [last + timedelta(seconds=1) for _, last in found]
        return min([now + AGAIN, *ends])

    def _show_authority(self, entry: Entry) -> datetime:
        now, name = self._clock.now(), entry.id
        whole = self._authority.crl(name).der
        delta = b""
        if name in self._authority.issuers and self._authority.whole_deltas:
            delta = self._authority.crl(name, delta=True).der
        (self._too_long.add if max(len(whole), len(delta)) > LONGEST_LIST else self._too_long.discard)(name)
        parts = {"certificate": self._authority.authority(name), "list": _short(whole), "delta": _short(delta)}
        self._shelf.authority(name, parts)
        return now + AUTHORITIES_AGAIN

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        with self._lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def _run(self) -> None:
        pause, known = 0.0, False
        while not self._stopped.wait(pause):
            pause = self._interval
            try:
                if not known:
                    self.look_at_authorities()
                    known = True
                if self.round() == _AT_ONCE:
                    pause = 0.0
            except TallygateError as error:
                _log.warning("publication_waits", code=error.code)
                pause = self._retry
            except Exception:  # noqa: BLE001 - without this thread the directory would show what is revoked
                _log.error("publication_failed", exc_info=True)
                pause = self._retry


def _short(der: bytes) -> bytes:
    return der if len(der) <= LONGEST_LIST else b""
