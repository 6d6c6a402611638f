# SPDX-License-Identifier: Apache-2.0
"""The full check of our own logs, done again and again: every bundle, leaf, tile and signature, as an outsider would.

A flipped bit off the path of every proof that somebody asked for is found here and nowhere else. What was found stands
in the record itself: a check that passed, or the first entry that is not what was signed. The check goes on telling
until the damage is mended, for a log that is damaged can be answered by its successor only.
"""

from collections.abc import Sequence

from core.clock import Clock

from .blobs import BlobStore
from .errors import LogDamaged
from .merkle import VerifierKey
from .models import Attribute, Event, Outcome, Recorder
from .models_codec import new_key
from .verify import Report, verify_chain_of


class FullCheck:
    """Checks every log of the site from where its public part lies, and that each continues the one before."""

    def __init__(self, logs: Sequence[tuple[BlobStore, str]], *, recorder: Recorder, clock: Clock) -> None:
        """``logs`` are where each lies with its key, oldest first; the last one is the present one."""
        self._logs = [(blobs.get, VerifierKey.parse(key)) for blobs, key in logs]
        self._recorder = recorder
        self._clock = clock

    def round(self) -> list[Report]:
        """Check everything once and record what was found; a report of each log.

        Raises:
            LogDamaged: names the first bad entry; it is on the record.
            RecordUnavailable: what was found could not be recorded.
        """
        try:
            reports = verify_chain_of(self._logs)
        except LogDamaged as error:
            self._record("audit.check.failed", _told(error), Outcome.FAILURE)
            raise
        told: dict[str, Attribute] = {
            "size": sum(report.size for report in reports),
            "tiles": sum(report.tiles for report in reports),
        }
        if len(reports) > 1:
            told["logs"] = len(reports)
        self._record("audit.check.passed", told, Outcome.SUCCESS)
        return reports

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
