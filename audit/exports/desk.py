# SPDX-License-Identifier: Apache-2.0
"""What officers and operators do to targets: look, pause, let go on, send again, allow personal parts to leave.

Each is recorded first and then done: a pause that cannot be recorded is no danger, since without the record nothing
is exported either.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from core.clock import Clock

from ..config import ExportTarget, Personal
from ..models import Attribute, Event, Outcome, Reader, Recorder
from ..models_codec import new_key
from .errors import BadReplay, NoSuchTarget
from .exporter import Standing
from .store import ExportStore, SignedExport

ALLOWED_FOR = timedelta(days=90)
"""For how long two officers allow personal parts to leave for one target."""
LISTED = 50


class ExportDesk:
    """The verbs; safe to share between threads."""

    def __init__(
        self,
        targets: Mapping[str, ExportTarget],
        *,
        store: ExportStore,
        size: Callable[[], int],
        recorder: Recorder,
        clock: Clock,
        series: Sequence[tuple[int, ExportStore]] = (),
    ) -> None:
        """``size`` says how many entries are published, ``series`` where each log's signed exports and places begin."""
        self._series = series or [(0, store)]
        self._targets = targets
        self._store = store
        self._size = size
        self._recorder = recorder
        self._clock = clock

    def now(self) -> int:
        """The time, as cursors count it."""
        return int(self._clock.now().timestamp())

    def standings(self) -> list[Standing]:
        """How every target of the settings stands."""
        size = self._size()
        cursors = [(name, target, self._store.cursor(name)) for name, target in sorted(self._targets.items())]
        return [
            Standing(name=name, target=target, cursor=cursor, behind=max(0, size - cursor.next))
            for name, target, cursor in cursors
        ]

    def signed(self, *, below: int | None = None, limit: int = LISTED) -> list[SignedExport]:
        """The newest signed exports of all logs, with the places of their entries.

        ``below`` leaves out those that begin at this place or behind it.
        """
        found: list[SignedExport] = []
        for base, store in reversed(self._series):
            own = None if below is None else below - base
            if own is None or own > 0:
                listed = store.signed(limit - len(found), below=own)
                found += [replace(each, first=base + each.first, last=base + each.last) for each in listed]
            if len(found) >= limit:
                break
        return found

    def signed_at(self, first: int) -> SignedExport:
        """The signed export that begins at a place.

        Raises:
            NoSuchTarget: none does.
        """
        for found in self.signed(below=first + 1, limit=1):
            if found.first == first:
                return found
        raise NoSuchTarget

    def pause(self, name: str, *, paused: bool, by: Reader) -> None:
        """Stop sending, or go on.

        Raises:
            NoSuchTarget: the settings name none.
            RecordUnavailable: nothing was done.
        """
        self._known(name)
        self._record("audit.export.paused" if paused else "audit.export.resumed", name, by, {})
        self._store.pause(name, paused=paused)

    def replay(self, name: str, start: int, *, by: Reader) -> None:
        """Send again from an entry on.

        Raises:
            NoSuchTarget: the settings name none.
            BadReplay: the record is not that long.
            RecordUnavailable: nothing was done.
        """
        self._known(name)
        if not 0 <= start <= self._size():
            raise BadReplay(index=start)
        before = self._store.cursor(name).next
        self._record("audit.export.replayed", name, by, {"first": start, "before": before})
        while not self._store.replay(name, start):
            pass

    def allow(self, name: str, *, by: Reader, warrant: str) -> datetime:
        """Let personal parts leave for a while, by a warrant of two officers; until when.

        Raises:
            NoSuchTarget: the settings name none to which personal parts could go.
            RecordUnavailable: nothing was done.
        """
        if self._known(name).personal is not Personal.OPENED:
            raise NoSuchTarget
        until = self._clock.now() + ALLOWED_FOR
        self._record("audit.export.allowed", name, by, {"warrant": warrant, "until": until.isoformat()})
        self._store.allow(name, until=int(until.timestamp()), warrant=warrant)
        return until

    def forbid(self, name: str, *, by: Reader) -> None:
        """Let no personal parts leave any more; raises as ``pause``."""
        self._known(name)
        self._store.allow(name, until=0, warrant="")
        self._record("audit.export.forbidden", name, by, {})

    def _known(self, name: str) -> ExportTarget:
        target = self._targets.get(name)
        if target is None:
            raise NoSuchTarget
        return target

    def _record(self, kind: str, name: str, by: Reader, attributes: Mapping[str, Attribute]) -> None:
        self._recorder.record(
            Event(
                key=new_key(),
                type=kind,
                outcome=Outcome.SUCCESS,
                at=self._clock.now(),
                source="audit",
                subject=by.subject,
                actor=by.subject,
                object=name,
                session=by.session,
                zone=by.zone,
                decision=by.decision,
                attributes={"target": name, **attributes} | ({} if by.subject else {"by": "operator"}),
            )
        )
