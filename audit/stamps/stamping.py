# SPDX-License-Identifier: Apache-2.0
"""One round: is there anything new, is it time, ask, check, keep, record.

A token is kept before its entry is written, and the entry's key is made of the token: killed in between, the next
round writes the entry, once. Killed before the token was kept, nothing was promised and the next round asks again.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from cryptography import x509

from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from ..errors import ProofRefused
from ..merkle import Checkpoint, Note, VerifierKey
from ..models import Entry, Event, Outcome, Recorder
from .answer import checked
from .errors import StampRefused, StampSilent
from .question import Question
from .store import Outage, Stamp, StampStore

OWN = frozenset({"log.stamped", "log.stamp.failed"})
"""Entries of ours: they are no reason to stamp again."""
_READ = 16
_WHY = 200
_log = logger(__name__)


class Stampable(Protocol):
    """What stamping needs of the published log."""

    def note(self) -> str:
        """The newest published checkpoint, its signature checked."""
        ...

    def first(self) -> int:
        """The first entry that is still kept."""
        ...

    def entries(self, start: int, count: int) -> Sequence[Entry]:
        """Entries from ``start`` on."""
        ...


class Stamper:
    """Keeps the checkpoints of one log stamped; of a ``closed`` one, its end.

    ``before`` is how many places lie before the log that is written, in which the stamps' entries stand. For
    ``patience`` after its making an authority that does not answer is no outage: one of the same site may start later.
    """

    def __init__(
        self,
        *,
        log: Stampable,
        store: StampStore,
        ask: Callable[[bytes], bytes],
        roots: Sequence[x509.Certificate],
        interval: timedelta,
        policy: str,
        # The log's second key, whose signature tells a checkpoint's time; None where the log has none.
        dated_by: VerifierKey | None,
        recorder: Recorder,
        clock: Clock,
        before: int = 0,
        closed: bool = False,
        patience: timedelta = timedelta(),
    ) -> None:
        self._before = before
        self._closed = closed
        self._log = log
        self._store = store
        self._ask = ask
        self._roots = roots
        self._interval = interval
        self._policy = policy
        self._dated_by = dated_by
        self._recorder = recorder
        self._clock = clock
        self._patient_until = clock.now() + patience

    def round(self) -> None:
        """Stamp the newest checkpoint if it is time and there is anything new.

        Raises:
            StampSilent: the authority does not answer; recorded once for each outage, unless it is ``patient`` still.
            StampRefused: what it answered does not hold; likewise.
            RecordUnavailable: what was kept could not be recorded yet; the next round does it.
        """
        self._say_what_is_kept()
        last, now = self._store.last(), self._clock.now()
        # A clock that was set back must not stop the stamps.
        if last is not None and timedelta(0) <= now - last.kept < self._interval:
            return
        note = self._log.note()
        size = Checkpoint.unverified(Note.parse(note.encode()).text).size
        if self._news(last.size if last else 0, size):
            self._try(note)

    @property
    def patient(self) -> bool:
        """Whether silence is no outage yet."""
        return self._clock.now() < self._patient_until

    def now(self) -> None:
        """Stamp the newest checkpoint, whenever the last one was stamped; raises as ``round``."""
        self._try(self._log.note())

    def _try(self, note: str) -> None:
        checkpoint = Checkpoint.unverified(Note.parse(note.encode()).text)
        try:
            self._stamp(note, checkpoint)
        except StampSilent as error:
            if not self.patient:
                self._failed(error)
            raise
        except StampRefused as error:
            self._failed(error)
            raise
        self._say_what_is_kept()

    def _stamp(self, note: str, checkpoint: Checkpoint) -> None:
        # Positive and of one length, so that no encoder can spell it in two ways.
        question = Question.about(Note.parse(note.encode()).text, nonce=secrets.randbits(62) | 1 << 62,
                                  policy=self._policy)  # fmt: skip
        asked = self._clock.now()
        answer = self._ask(question.encode())
        stamped = checked(
            answer,
            question,
            roots=self._roots,
            not_before=self._dated(note, checkpoint, asked),
            asked=asked,
            answered=self._clock.now(),
        )
        self._store.keep(checkpoint.size, note, stamped, kept=self._clock.now())

    def _dated(self, note: str, checkpoint: Checkpoint, asked: datetime) -> datetime:
        if self._dated_by is None:
            return asked - self._interval
        try:
            return checkpoint.verify_cosignature(Note.parse(note.encode()), self._dated_by)
        except ProofRefused as error:
            raise StampRefused(why=str(error.parameters["why"])) from error

    def _news(self, start: int, end: int) -> bool:
        """Whether anything but our own entries lies between; ends at the first that is something else."""
        if self._closed:
            # Its last entry names its successor.
            return start < end
        # What was pruned meanwhile was hardly all our own.
        if self._log.first() > start:
            return True
        while start < end:
            found = self._log.entries(start, min(_READ, end - start))
            if not found or any(entry.event.type not in OWN for entry in found):
                return bool(found)
            start += len(found)
        return False

    def _say_what_is_kept(self) -> None:
        for stamp in self._store.unsaid():
            receipt = self._recorder.record(self._stamped_event(stamp))
            self._store.said(stamp.size, self._before + receipt.index)
            _log.info("log_stamped", size=stamp.size, authority=stamp.authority)
        outage = self._store.outage()
        if outage is not None and outage.entry is None:
            self._tell(outage)

    def _failed(self, error: TallygateError) -> None:
        why = str(error.parameters.get("why", ""))[:_WHY]
        began = Outage(since=self._clock.now(), code=error.code, why=why, key=secrets.token_hex(16))
        outage = self._store.failed(began)
        if outage.entry is None:
            self._tell(outage)

    def _tell(self, outage: Outage) -> None:
        receipt = self._recorder.record(
            Event(
                key=outage.key,
                type="log.stamp.failed",
                outcome=Outcome.FAILURE,
                at=outage.since,
                source="audit",
                attributes={"reason": outage.code} | ({"detail": outage.why} if outage.why else {}),
            )
        )
        self._store.told(self._before + receipt.index)

    def _stamped_event(self, stamp: Stamp) -> Event:
        text = Note.parse(stamp.note.encode()).text
        return Event(
            key=hashlib.sha256(stamp.token).hexdigest()[:32],
            type="log.stamped",
            outcome=Outcome.SUCCESS,
            at=stamp.kept,
            source="audit",
            object=str(stamp.size),
            attributes={
                "authority": stamp.authority,
                "serial": stamp.serial,
                "policy_oid": stamp.policy,
                "stamped_at": stamp.at.isoformat(),
                "imprint": hashlib.sha256(text.encode()).hexdigest(),
                "token": hashlib.sha256(stamp.token).hexdigest(),
            },
        )
