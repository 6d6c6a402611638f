# SPDX-License-Identifier: Apache-2.0
"""The end of one log and the birth of its successor, while no role runs; cut off anywhere, running it again ends it.

1. the successor's keys exist   2. the old log's last entry names them, and its last checkpoint is published and, where
witnesses are asked, cosigned   3. the successor is born beside it; its entry 0 names that checkpoint   4. the old
folder goes to the archive   5. the successor takes its place   6. whoever reads is told, by the caller

A log whose last entry names a successor takes nothing any more, so nothing is lost between 2 and 6; and no two logs
are written at one time.
"""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from . import lineage
from .blobs import BlobStore, Disk
from .errors import LogClosed, LogDamaged, TooFewWitnesses
from .merkle import Checkpoint, LogKey
from .models import Wait
from .models_codec import decode_entry
from .reader import LogReader
from .seals import Seals
from .service import LocalRecorder, Witnesses, rounds_of
from .witness import Cosigning
from .writer import Log

_log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A log's folder, its keys, and where its public part lies."""

    folder: Path
    key: LogKey
    # None: in the folder.
    blobs: BlobStore | None = None


class Rotation:
    """One rotation; every verb may be repeated."""

    def __init__(
        self, *, old: Place, new: Place, archive: Path, seals: Seals, clock: Clock, disk: Disk | None = None
    ) -> None:
        self._old = old
        self._new = new
        self._archive = archive
        self._seals = seals
        self._clock = clock
        self._disk = disk or Disk()

    def run(self, witnesses: Witnesses | None, *, unwitnessed: bool = False) -> Checkpoint:
        """Steps 2 to 5; returns where the old log ended.

        Raises:
            TooFewWitnesses: the quorum does not answer, and nothing was closed yet.
            LogInUse: the log's process is running.
            LogDamaged, OSError, TilesUnavailable: run it again when that is put right.
        """
        if self._archive.exists():
            # It went there finished; perhaps its successor is not yet where it was.
            final = LogReader(self._old.blobs or self._archive, str(self._old.key.vkey)).checkpoint()
        else:
            final = self._close(witnesses, unwitnessed=unwitnessed)
        if self._new.folder.exists() or not self._archive.exists():
            self._bear(final)
        self._swap()
        return final

    def _close(self, witnesses: Witnesses | None, *, unwitnessed: bool) -> Checkpoint:
        with closing(self._opened(self._old)) as log:
            cosigning = None
            if witnesses is not None:
                asked = rounds_of(log, self._old.folder, witnesses, self._clock, blobs=self._old.blobs)
                cosigning = asked.cosigning
            if not log.closed:
                if cosigning is not None and not unwitnessed:
                    _demand_quorum(cosigning)
                LocalRecorder(log).record(lineage.closed(self._new.key, self._clock.now()), wait=Wait.PUBLISHED)
            [raw] = log.read(log.size - 1, 1)
            if not lineage.is_closed_by(decode_entry(log.size - 1, raw), self._new.key.vkey):
                raise LogDamaged(index=log.size - 1, why="the log is closed in favour of another successor")
            if cosigning is not None:
                try:
                    cosigning.advance()
                except TallygateError as error:
                    # The successor's entry 0 names this end, and its own checkpoints will be cosigned.
                    _log.warning("end_not_witnessed", exc_info=error)
            return Checkpoint.verified(log.note.encode(), [self._old.key.vkey])

    def _bear(self, final: Checkpoint) -> None:
        new = self._new
        if not (new.folder / "private" / "committed").exists():
            Log.create(new.folder, key=new.key, clock=self._clock, disk=self._disk, blobs=new.blobs)
        with closing(self._opened(new)) as log:
            if log.size == 0:
                first = lineage.created(new.key, self._clock.now(), after=final)
                LocalRecorder(log).record(first, wait=Wait.PUBLISHED)
            [raw] = log.read(0, 1)
            if not lineage.continues(decode_entry(0, raw), final):
                raise LogDamaged(index=0, why="the successor continues another log")

    def _opened(self, place: Place) -> Log:
        return Log.open(
            place.folder,
            key=place.key,
            seals=self._seals,
            clock=self._clock,
            disk=self._disk,
            blobs=place.blobs,
            even_closed=True,
        )

    def _swap(self) -> None:
        if not self._archive.exists():
            self._disk.make(self._archive.parent)
            self._old.folder.rename(self._archive)
            self._disk.sync_folder(self._archive.parent)
            self._disk.sync_folder(self._old.folder.parent)
        if self._new.folder.exists():
            self._new.folder.rename(self._old.folder)
            self._disk.sync_folder(self._old.folder.parent)
        # Against mistakes, not against its owner; whoever opens it finds it closed besides.
        self._archive.chmod(0o555)


def _demand_quorum(cosigning: Cosigning) -> None:
    cosigning.advance()
    if not cosigning.met:
        raise TooFewWitnesses


def demand_open(folder: Path, key: LogKey) -> None:
    """See that the log in a folder is the one of this key, before its process begins.

    Raises:
        LogClosed: a rotation was interrupted.
    """
    try:
        origin = (folder / "private" / "committed").read_text("utf-8").partition("\n")[0]
    except FileNotFoundError as error:
        raise LogClosed from error
    if origin != key.origin:
        raise LogClosed
