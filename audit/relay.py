# SPDX-License-Identifier: Apache-2.0
"""From a component's outbox to the log: in order, each row until its receipt is there.

A crash between receipt and removal sends a row twice; its key makes that one entry. One process at a time drains.

Where many wait and the recorder takes many at once, those at the head go as one piece, which the log keeps together in
its order; so thousands of outcomes cost a few waits. A piece without a receipt for each row is sent again from the
first that lacks one; the log knows the keys of those behind it.

A row that the log refuses for good (no event, too long, a key used before) is set aside in the owner's own database,
and a record of that takes its place in the order, so that the rows behind it are not held up and nobody overlooks
the gap. That record names the row by position and by a commitment whose key stays with the row: a plain hash of
personal data would be personal data.
"""

import fcntl
import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from core.clock import Clock
from core.db import Aside, Standing, Waiting
from core.errors import TallygateError
from core.log import logger

from .errors import BadEvent, KeyReused, RecordUnavailable
from .events import KINDS
from .models import Attribute, Event, Outcome, Receipt, Recorder
from .models_codec import claimed_type, decode_event, encode_event, new_key

SET_ASIDE = "audit.record.set_aside"
_LONGEST_PAUSE = 1.0
_BLIND_SIZE = 32
_LONGEST_WHY = 200
_TOGETHER = 16
"""So many rows are worth being sent as one; fewer keep the order even around a row that the log refuses."""
_PIECE = 1 << 19
"""Bytes; the log takes so much as one request, which it keeps together."""
_log = logger(__name__)


@runtime_checkable
class _TakesMany(Protocol):
    """A recorder over the log's socket (``audit.client.RecorderClient``)."""

    def record_all(self, events: Sequence[bytes]) -> list[Receipt | TallygateError]:
        """Append encoded events; the answer to each in their order."""
        ...


class OutboxRows(Protocol):
    """An outbox as it is emptied; each verb in its own transaction (``core.db.Drain``)."""

    def head(self) -> list[Waiting]:
        """The oldest rows in order."""
        ...

    def drop(self, positions: list[int]) -> None:
        """Remove delivered rows."""
        ...

    def set_aside(self, row: Waiting, aside: Aside, *, instead: Waiting) -> None:
        """Keep a row where nobody delivers it; ``instead`` takes its place."""
        ...

    def standing(self) -> Standing:
        """How the outbox stands."""
        ...


class Relay:
    """Drains one outbox in the background, at once when nudged; ``source`` is the role whose outbox it is.

    What comes within ``interval`` seconds of that goes together, no later than what another process of the role put
    there: each round is a transaction of the owner's, for which whoever writes waits, and where many come every act
    would pay for a round.
    """

    def __init__(
        self, outbox: OutboxRows, recorder: Recorder, *, source: str, clock: Clock, lock: Path, interval: float = 0.05
    ) -> None:
        self._outbox = outbox
        self._recorder = recorder
        self._source = source
        self._clock = clock
        self._lock = lock
        self._interval = interval
        self._nudged = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Drain in the background from now on."""
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    def nudge(self) -> None:
        """Something was committed to the outbox."""
        self._nudged.set()

    def drain(self) -> None:
        """Deliver everything that is waiting now.

        Raises:
            RecordUnavailable: the log gave no receipt; what is left stays, in order.
            OutboxFull: a row cannot be delivered, and no more can be set aside; it stays, and stops those behind it.
            BadEvent: the log does not even take the word that a row was set aside; somebody has to look.
        """
        self._drain(gathered=0.0)

    def standing(self) -> Mapping[str, int]:
        """What a probe tells of the outbox: numbers only."""
        now = self._outbox.standing()
        age = self._age(now.oldest) if now.oldest is not None else 0
        told = {"outbox_waiting": now.waiting, "outbox_oldest_seconds": age, "outbox_aside": now.aside}
        return {name: number for name, number in told.items() if number is not None}

    def stop(self) -> None:
        """End the thread; what waits stays."""
        self._stopping.set()
        self._nudged.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _drain(self, *, gathered: float) -> None:
        # Several workers look twenty times a second, and hardly ever is there anything: not worth a lock.
        if not self._outbox.head():
            return
        with self._alone():
            while rows := self._outbox.head():
                if len(rows) >= _TOGETHER and isinstance(self._recorder, _TakesMany):
                    self._deliver_together(_piece(rows), self._recorder)
                else:
                    self._deliver(rows)
                    self._stopping.wait(gathered)

    def _deliver(self, rows: Sequence[Waiting]) -> None:
        delivered: list[int] = []
        try:
            for row in rows:
                try:
                    self._recorder.record(_event(row))
                except (BadEvent, KeyReused) as refusal:
                    self._set_aside(row, refusal)
                    # Another row stands in its place now.
                    return
                delivered.append(row.position)
        finally:
            # One write for all. Dying before it costs nothing: the log knows their keys when they come again.
            if delivered:
                self._outbox.drop(delivered)

    def _deliver_together(self, rows: Sequence[Waiting], recorder: _TakesMany) -> None:
        """As one piece; what is in the way of the first row is dealt with as if it were alone."""
        good: list[Waiting] = []
        for row in rows:
            try:
                _event(row)
            except BadEvent:
                break
            good.append(row)
        answers = recorder.record_all([row.body for row in good]) if good else []
        refused = (i for i, answer in enumerate(answers) if not isinstance(answer, Receipt))
        until = next(refused, len(answers))
        if until:
            self._outbox.drop([row.position for row in good[:until]])
        if until < len(rows):
            answer = answers[until] if until < len(answers) else None
            if isinstance(answer, TallygateError) and not isinstance(answer, BadEvent | KeyReused):
                raise RecordUnavailable from answer
            self._deliver(rows[until : until + 1])

    def _set_aside(self, row: Waiting, refusal: TallygateError) -> None:
        kind = claimed_type(row.body)
        if kind == SET_ASIDE:
            # Not the row is wrong but something between us and the log.
            raise refusal
        why = str(refusal.parameters.get("why", ""))[:_LONGEST_WHY]
        blind = secrets.token_bytes(_BLIND_SIZE)
        facts: dict[str, Attribute] = {
            "position": row.position,
            "reason": refusal.code,
            "why": why,
            "bytes": len(row.body),
            "commitment": commitment(row, blind).hex(),
        }
        said = Event(
            key=new_key(),
            type=SET_ASIDE,
            outcome=Outcome.FAILURE,
            at=self._clock.now(),
            source=self._source,
            attributes=facts | ({"about": kind} if kind in KINDS else {}),
        )
        aside = Aside(reason=refusal.code, why=why, blind=blind, at=int(said.at.timestamp()))
        self._outbox.set_aside(row, aside, instead=Waiting(row.position, said.key, encode_event(said)))
        _log.error("record_set_aside", position=row.position, code=refusal.code, why=why, about=kind)

    def _age(self, row: Waiting) -> int | None:
        """Seconds since what the row says happened; None for a row that says nothing readable."""
        try:
            at = _event(row).at
        except BadEvent:
            return None
        return max(0, int((self._clock.now() - at).total_seconds()))

    def _run(self) -> None:
        pause = self._interval
        while not self._stopping.is_set():
            self._nudged.clear()
            if self._drained():
                pause = self._interval
                self._nudged.wait(pause)
            else:
                pause = min(pause * 2, _LONGEST_PAUSE)
                self._stopping.wait(pause)

    def _drained(self) -> bool:
        try:
            self._drain(gathered=self._interval)
        except (TallygateError, OSError) as error:
            _log.warning("outbox_waits", error=str(error))
            return False
        except Exception:  # noqa: BLE001 - the thread must live: without it what was taken away bites nowhere else
            _log.error("outbox_waits", exc_info=True)
            return False
        return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock file; its owner's death lets go of it."""
        with self._lock.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def commitment(row: Waiting, blind: bytes) -> bytes:
    """What the record holds of a row that was set aside; only who has row and ``blind`` can make it again."""
    said = row.position.to_bytes(8, "big") + row.key.encode() + b"\n" + row.body
    return hmac.new(blind, said, hashlib.sha256).digest()


def _piece(rows: Sequence[Waiting]) -> Sequence[Waiting]:
    """As many of the first rows as the log keeps together."""
    size = 0
    for i, row in enumerate(rows):
        size += len(row.body)
        if i and size > _PIECE:
            return rows[:i]
    return rows


def _event(row: Waiting) -> Event:
    event = decode_event(row.body)
    if event.key != row.key:
        raise BadEvent(why="its key is not its row's")
    return event
