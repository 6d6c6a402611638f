# SPDX-License-Identifier: Apache-2.0
"""The full check of our own log, done again and again: every bundle, leaf, tile and signature, as an outsider would.

A flipped bit off the path of every proof that somebody asked for is found here and nowhere else. What was found stands
in the record itself: a check that passed, or the first entry that is not what was signed. The check goes on telling
until the damage is mended, for a log that is damaged can be answered by its successor only.
"""

from core.clock import Clock

from .blobs import BlobStore
from .errors import LogDamaged
from .models import Attribute, Event, Outcome, Recorder
from .models_codec import new_key
from .verify import Report, verify


class FullCheck:
    """Checks one log from where its public part lies."""

    def __init__(self, blobs: BlobStore, *, log_key: str, recorder: Recorder, clock: Clock) -> None:
        self._blobs = blobs
        self._log_key = log_key
        self._recorder = recorder
        self._clock = clock

    def round(self) -> Report:
        """Check everything once and record what was found.

        Raises:
            LogDamaged: names the first bad entry; it is on the record.
            RecordUnavailable: what was found could not be recorded.
        """
        try:
            report = verify(self._blobs.get, self._log_key)
        except LogDamaged as error:
            told = _told(error)
            self._record("audit.check.failed", told, Outcome.FAILURE)
            raise
        self._record("audit.check.passed", {"size": report.size, "tiles": report.tiles}, Outcome.SUCCESS)
        return report

    def _record(self, kind: str, told: dict[str, Attribute], outcome: Outcome) -> None:
        self._recorder.record(
            Event(
                key=new_key(),
                type=kind,
                outcome=outcome,
                at=self._clock.now(),
                source="audit",
                # The first bad entry, if one was found.
                object=str(told.get("index", "")),
                attributes=told,
            )
        )


def _told(error: LogDamaged) -> dict[str, Attribute]:
    return {"index": int(error.parameters["index"]), "reason": str(error.parameters["why"])}
