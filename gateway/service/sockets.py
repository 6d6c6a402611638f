# SPDX-License-Identifier: Apache-2.0
"""WebSockets and ways out that are open: each is recorded before it opens and at its end, and ends with what let it in.

A decision is good for one moment, and a socket outlives it. So each one hangs on names: a sign-on session, a person, a
grant, a device and its certificate, the switches of its way. When the record says that one was taken away, when the
person's entry changed, when other policies are in force, or when nothing was heard for a second, the socket ends and
whoever wants another is decided on anew.
"""

import secrets
import threading
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from audit import Entry, Event, Outcome, Recorder, Wait, decode_event, encode_event
from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from ..errors import Reason, Refused
from ..store import Kind, Note, Store
from ..tokens import Ties
from .news import PAST_RECORD, Freshness, News, about_people

MOST = 20_000
"""Sockets that one keeper holds."""
_LATELY = 60.0
"""Seconds for which changes are remembered: four times the life of what a decision says of a connection."""
_Change = tuple[str, str, str]
"""Why sockets end by it, and whose: a subject, or a session and its host."""
_ANYBODY: _Change = ("entry-changed", "", "")
_AUTHORITIES: _Change = ("authorities", "", "")
_log = logger(__name__)


@dataclass(eq=False, kw_only=True)
class Held:
    """One open socket; ``end`` is called from any thread, once, with the reason why it is over."""

    ties: Ties
    opened: datetime
    closing: Event
    end: Callable[[str], None]
    names: tuple[tuple[Kind, str], ...]
    over: str = ""
    counted: dict[str, int] = field(default_factory=dict)


class Sockets:
    """All sockets of one keeper; safe for threads."""

    def __init__(
        self,
        *,
        store: Store,
        recorder: Recorder,
        news: News,
        freshness: Freshness,
        clock: Clock,
        nudge: Callable[[], None] = lambda: None,
        each: int = MOST,
        tunnels: int = MOST,
    ) -> None:
        """``each`` is how many one person or device may hold, and still open another; ``tunnels`` for a way out."""
        self._each = each
        self._tunnels = tunnels
        self._store = store
        self._recorder = recorder
        self._news = news
        self._freshness = freshness
        self._clock = clock
        self._nudge = nudge
        self._lock = threading.Lock()
        self._held: set[Held] = set()
        # Whose are being opened: they count, or many that come at once would all find room.
        self._coming: list[str] = []
        # Decisions whose socket was opened: none opens two.
        self._used: dict[str, float] = {}
        # What ends sockets and is no name that stays taken away: index of the entry that said so last, and when.
        self._lately: dict[_Change, tuple[int, float]] = {}

    def open(self, ties: Ties, *, end: Callable[[str], None], way_out: bool = False) -> Held:
        """Record that it is open, and hold it; the decision on a way out, recorded before, says the first already.

        Raises:
            Refused: what it hangs on was taken away meanwhile, it was opened before, or there are too many.
            Unavailable: it cannot be recorded, or the news are stale.
        """
        at = self._clock.now()
        closing = _event("gateway.egress.closed" if way_out else "gateway.socket.closed", ties, at)
        names = tuple((Kind(kind), name) for kind, name in ties.names)
        held = Held(ties=ties, opened=at, closing=closing, end=end, names=names)
        if way_out:
            # Its decision, which is recorded, says that it opened: whatever comes now, its end is recorded too.
            self._store.open_socket(_note(closing), at=at)
        try:
            with self._room(ties, most=self._tunnels if way_out else self._each):
                self._freshness.check()
                if not way_out:
                    # A death after this line leaves a row that replay() turns into the end.
                    self._store.open_socket(_note(closing), at=at)
                    self._recorder.record(_event("gateway.socket.opened", ties, at), wait=Wait.SEQUENCED)
                with self._lock:
                    self._held.add(held)
        except BaseException as error:
            # Whether the log took it may be unknown; then it says at least that it ended at once.
            self._finish(held, "too-many" if isinstance(error, Refused) else "not-recorded")
            raise
        # Heard between decision and now; whatever comes from here on finds it among the held.
        if reason := self._reason(held, at) or self._changed(ties):
            self._finish(held, held.over or reason)
            raise Refused(Reason.DISABLED)
        return held

    def close(self, held: Held, reason: str, *, sent: int, received: int) -> None:
        """Record how it ended."""
        held.counted = {"sent": sent, "received": received}
        self._finish(held, held.over or reason)

    def heard(self, entries: Sequence[Entry]) -> None:
        """End what the news end; called after they are in force."""
        if not entries:
            return
        changes = {change: one.index for one in entries if (change := _change(one.event))}
        self._remember(changes)
        now = self._clock.now()
        for held in self._all():
            if reason := _reason_of(held.ties, changes) or self._reason(held, now):
                self._end(held, reason)

    def watch(self) -> None:
        """End what is over by time, and everything if the news are stale; to be called several times a second."""
        if not self._held:
            return
        # Not waited for: whoever calls carries the bytes of all of them, and nothing passes meanwhile (``passing``).
        if self._freshness.lost():
            for held in self._all():
                self._end(held, "stale")
            return
        now = self._clock.now()
        for held in self._all():
            if held.ties.until and now.timestamp() >= held.ties.until:
                self._end(held, "time")

    def passing(self) -> bool:
        """Whether what an open one carries may pass now: not while something could have been taken away unheard."""
        return self._freshness.fresh()

    def count(self, subject: str) -> int:
        """How many somebody has open."""
        with self._lock:
            return sum(held.ties.subject == subject for held in self._held)

    def replay(self) -> int:
        """Record the ends of sockets whose keeper died; how many."""
        count = 0
        while left := self._store.open_sockets():
            ends = [
                replace(decode_event(note.body), at=self._clock.now(), attributes={"reason": "keeper-ended"})
                for note in left
            ]
            count += self._store.close_sockets(*(_note(event) for event in ends))
        if count:
            self._nudge()
        return count

    @contextmanager
    def _room(self, ties: Ties, *, most: int) -> Iterator[None]:
        """A place for one more, of everybody's and of theirs, until it is among the held; once for a decision."""
        now = self._clock.monotonic()
        with self._lock:
            mine = sum(held.ties.subject == ties.subject for held in self._held) + self._coming.count(ties.subject)
            if ties.decision in self._used or len(self._held) + len(self._coming) >= MOST or mine >= most:
                raise Refused(Reason.TOO_MANY)
            # A tie lives fifteen seconds.
            self._used = {name: at for name, at in self._used.items() if now - at < 60}  # noqa: PLR2004 - four times that
            self._used[ties.decision] = now
            self._coming.append(ties.subject)
        try:
            yield
        finally:
            with self._lock:
                self._coming.remove(ties.subject)

    def _remember(self, changes: Mapping[_Change, int]) -> None:
        """Of a decision that was made before them a socket may be on its way."""
        if not changes:
            return
        now = self._clock.monotonic()
        with self._lock:
            kept = {change: said for change, said in self._lately.items() if now - said[1] < _LATELY}
            self._lately = kept | {change: (index, now) for change, index in changes.items()}

    def _changed(self, ties: Ties) -> str:
        """Why a decision is over, by what it had not heard."""
        with self._lock:
            later = {change: index for change, (index, _) in self._lately.items() if index >= ties.heard}
        return _reason_of(ties, later)

    def _all(self) -> list[Held]:
        with self._lock:
            return list(self._held)

    def _reason(self, held: Held, now: datetime) -> str:
        for name in held.names:
            if self._news.taken(name):
                return str(name[0])
        return "time" if held.ties.until and now.timestamp() >= held.ties.until else ""

    def _end(self, held: Held, reason: str) -> None:
        if held.over:
            return
        held.over = reason
        held.end(reason)

    def _finish(self, held: Held, reason: str) -> None:
        with self._lock:
            self._held.discard(held)
        at = self._clock.now()
        seconds = int((at - held.opened).total_seconds())
        event = replace(held.closing, at=at, attributes={"reason": reason, "seconds": seconds, **held.counted})
        try:
            if self._store.close_sockets(_note(event)):
                self._nudge()
        except TallygateError as error:
            # The row stays; the next keeper records the end.
            _log.error("socket_end_not_recorded", code=error.code)


def _change(event: Event) -> _Change | None:
    """What an entry changes that whoever has a socket was decided by."""
    if event.type == "policy.released" and event.outcome is Outcome.SUCCESS:
        return ("policies", "", "")
    if event.type == "ca.ceremony.completed" and event.outcome is Outcome.SUCCESS:
        return _AUTHORITIES
    if event.type == PAST_RECORD:
        return _ANYBODY
    if about_people(event) and event.subject:
        return ("entry-changed", event.subject, "")
    if event.type == "gateway.session.ended" and "reason" not in event.attributes:
        return ("session", event.session, str(event.attributes.get("host", "")))
    return None


def _reason_of(ties: Ties, changes: Container[_Change]) -> str:
    if ("policies", "", "") in changes:
        return "policies"
    # A root may have taken an authority back; who shows a certificate is looked at anew.
    if _AUTHORITIES in changes and any(kind == Kind.CERTIFICATE for kind, _ in ties.names):
        return "authorities"
    if _ANYBODY in changes or ("entry-changed", ties.subject, "") in changes:
        return "entry-changed"
    return "session" if ("session", ties.session, ties.host) in changes else ""


def _event(kind: str, ties: Ties, at: datetime) -> Event:
    return Event(
        key=secrets.token_hex(16),
        type=kind,
        outcome=Outcome.SUCCESS,
        at=at.astimezone(UTC),
        source="gateway",
        subject=ties.subject,
        object=ties.resource,
        organisation=ties.organisation,
        session=ties.session,
        zone=ties.zone,
        decision=ties.decision,
    )


def _note(event: Event) -> Note:
    return Note(key=event.key, body=encode_event(event))
