# SPDX-License-Identifier: Apache-2.0
"""What covers the entries of a file: a cosigned checkpoint and a time-stamp; both are asked for at need.

The wait is bounded. What does not come in time is left out, and the report says that it was asked for in vain.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from ..errors import NoSuchEntry, RecordUnavailable
from ..merkle import Checkpoint
from ..models import Event, Outcome, Reader, Recorder, Wait
from .errors import NotPublishedYet
from .models import Token
from .published import Published

_FAR = 30_000
_log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Covered:
    """On what a file rests."""

    note: str
    checkpoint: Checkpoint
    token: Token | None
    # Asked when the file was made, and without the answer that was needed.
    witnesses_silent: bool = False
    authority_silent: bool = False


class Covering:
    """Finds what covers entries, and asks for what is not there yet."""

    def __init__(
        self,
        *,
        log: Published,
        recorder: Recorder,
        clock: Clock,
        # Whether witnesses are asked about this log at all.
        watched: bool,
        # The earliest stamp over a log of at least this size.
        stamped: Callable[[int], Token | None],
        # Has the newest checkpoint stamped at once; None where no authority is asked.
        stamp: Callable[[], None] | None,
    ) -> None:
        self._log = log
        self._recorder = recorder
        self._clock = clock
        self._watched = watched
        self._stamped = stamped
        self._stamp = stamp

    def cover(self, reader: Reader, indices: Sequence[int]) -> Covered:
        """The cosigned checkpoint if it covers all that was chosen, else the newest; and the earliest stamp that does.

        Raises:
            NoSuchEntry: the last entry that was chosen does not exist.
            NotPublishedYet: it is not covered by any checkpoint yet.
        """
        last = indices[-1]
        newest = self._log.opened(self._log.note())
        if last >= newest.size:
            # Whoever reads an index off a page has seen it published; anything else was made up.
            raise NotPublishedYet if last < newest.size + _FAR else NoSuchEntry
        note, silent = self._cosigned(last), False
        if note is None and self._watched:
            silent = not self._ask_witnesses(reader, len(indices))
            note = self._cosigned(last)
        token, mute = self._stamped(last + 1), False
        if token is None and self._stamp is not None:
            mute = not self._ask_authority(self._stamp)
            token = self._stamped(last + 1)
        note = note if note is not None else self._log.note()
        return Covered(
            note=note,
            checkpoint=self._log.opened(note),
            token=token,
            witnesses_silent=silent,
            authority_silent=mute,
        )

    def _cosigned(self, last: int) -> str | None:
        note = self._log.witnessed()
        return note if note is not None and self._log.opened(note).size > last else None

    def _ask_witnesses(self, reader: Reader, count: int) -> bool:
        """That a file is being made is an entry for which enough witnesses must answer: they are asked at once."""
        begun = Event(
            key=secrets.token_hex(16),
            type="audit.evidence.begun",
            outcome=Outcome.INTENDED,
            at=self._clock.now(),
            source="audit",
            subject=reader.subject,
            session=reader.session,
            zone=reader.zone,
            decision=reader.decision,
            attributes={"count": count} | ({"reader": reader.role} if reader.role else {}),
        )
        try:
            self._recorder.record(begun, wait=Wait.WITNESSED)
        except RecordUnavailable as error:
            _log.warning("evidence_not_witnessed", code=error.code)
            return False
        return True

    @staticmethod
    def _ask_authority(stamp: Callable[[], None]) -> bool:
        try:
            stamp()
        except TallygateError as error:
            _log.warning("evidence_not_stamped", code=error.code)
            return False
        return True
