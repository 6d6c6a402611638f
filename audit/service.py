# SPDX-License-Identifier: Apache-2.0
"""The log's verbs beside its running process: create it, record while no role runs, own it until told to stop."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import uvloop

from core.calls import PairSecrets
from core.clock import Clock
from core.errors import TallygateError

from .blobs import BlobStore, DiskBlobs
from .errors import RecordUnavailable
from .lineage import Past, created
from .merkle import LogKey
from .models import Event, Outcome, Receipt, Recorder, Wait
from .models_codec import new_key
from .models_settings import CHANGED, Stated, told
from .press.pool import Press
from .reader import WITNESSED, LogReader
from .seals import Seals, SealStore
from .witness import STATUS, Cosigning, Policy, Rounds, WitnessClient
from .writer import Log, Recorded, Settings, serve


@dataclass(frozen=True, kw_only=True)
class Witnesses:
    """Who cosigns this log, how often they are asked while nobody waits, and by which roots their hosts are known."""

    policy: Policy
    interval: timedelta = timedelta(seconds=10)
    authorities: Path | None = None


def create_log(folder: Path, *, key: LogKey, seals: Seals, clock: Clock, blobs: BlobStore | None = None) -> Receipt:
    """Begin a log: its folder, the empty checkpoint, and entry 0, published; ``blobs`` holds its public part.

    Raises:
        LogExists: there is one, even if its birth died before entry 0.
    """
    Log.create(folder, key=key, clock=clock, blobs=blobs)
    with closing(Log.open(folder, key=key, seals=seals, clock=clock, blobs=blobs)) as log:
        return LocalRecorder(log).record(created(key, clock.now()), wait=Wait.PUBLISHED)


class LocalRecorder:
    """A recorder beside the log, in the process that owns it; each event is one batch."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._guard = threading.Lock()

    def record(self, event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
        """Append one event.

        Raises:
            RecordUnavailable: it could not be written; or a witness was asked for, and there is none.
            BadEvent: the event breaks a rule.
            KeyReused: the key belongs to a different event.
        """
        if wait is Wait.WITNESSED:
            raise RecordUnavailable
        with self._guard:
            try:
                [place] = self._log.append([event])
                if wait is Wait.PUBLISHED:
                    self._log.integrate()
            except OSError as error:
                raise RecordUnavailable from error
            if isinstance(place, TallygateError):
                raise place
            note = self._log.note if wait is Wait.PUBLISHED else ""
            return Receipt(log=self._log.origin, index=place.index, leaf=place.leaf, level=wait, checkpoint=note)


@contextmanager
def local_recorder(
    folder: Path, *, key: LogKey, seals: Seals, clock: Clock, blobs: BlobStore | None = None
) -> Iterator[LocalRecorder]:
    """Own the log for a while, as at the birth of a site; everything is published at the end.

    Raises:
        LogInUse: the log's process is running.
    """
    with closing(Log.open(folder, key=key, seals=seals, clock=clock, blobs=blobs)) as log:
        yield LocalRecorder(log)
        log.integrate()


def record_first(path: Path, stated: Stated, *, recorder: Recorder, clock: Clock) -> None:
    """Put the settings by which a site is born on the record, and keep at ``path`` that they are.

    Raises:
        RecordUnavailable: no record, no birth.
    """
    event = Event(
        key=new_key(),
        type=CHANGED,
        outcome=Outcome.SUCCESS,
        at=clock.now(),
        source="audit",
        attributes=told(None, stated, role="app"),
    )
    recorder.record(event)
    Recorded(path).keep(stated)


def run_log(
    folder: Path,
    socket: Path,
    *,
    key: LogKey,
    seal_keys: Path,
    pairs: PairSecrets,
    clock: Clock,
    publish: timedelta = timedelta(milliseconds=250),
    witnesses: Witnesses | None = None,
    blobs: BlobStore | None = None,
    past: Past | None = None,
    helpers: int = 0,
    settings: Settings | None = None,
) -> None:
    """The log's process: own the folder and serve its socket until SIGTERM or SIGINT; ``past`` are the closed logs.

    ``helpers`` is how many processes of its own share the work on many events at once; ``settings`` are what this
    process works by.

    Raises:
        LogInUse: another process owns the folder.
        LogDamaged: what is stored contradicts what was acknowledged.
        OSError: a write failed; the process ends so that its successor finds out what is on disk.
        TilesUnavailable: the store of tiles does not answer at the start.
    """
    store, blobs = SealStore.open(seal_keys, upgrade=True), blobs or DiskBlobs(folder)
    seals = Seals(store)
    with (
        closing(store),
        closing(Press(helpers)) as press,
        closing(Log.open(folder, key=key, seals=seals, clock=clock, blobs=blobs, press=press)) as log,
    ):
        rounds = rounds_of(log, folder, witnesses, clock, blobs=blobs) if witnesses else None
        serving = _until_told(
            log, socket, pairs=pairs, clock=clock, publish=publish, rounds=rounds, past=past, settings=settings
        )
        uvloop.run(serving)


def rounds_of(log: Log, folder: Path, witnesses: Witnesses, clock: Clock, *, blobs: BlobStore | None = None) -> Rounds:
    """Whom to ask about this log, and where the answers go."""
    blobs, status = blobs or DiskBlobs(folder), folder / "private" / STATUS
    urls = {witness.url for witness in witnesses.policy.witnesses.values() if witness.url}
    cosigning = Cosigning(
        policy=witnesses.policy,
        key=log.key.vkey,
        log=LogReader(blobs, str(log.key.vkey)),
        addresses={url: WitnessClient(url, authorities=witnesses.authorities) for url in sorted(urls)},
        keep=lambda note: blobs.replace(WITNESSED, note),
        tell=lambda said: _replace(status, said),
        clock=clock,
        kept=blobs.get(WITNESSED) or b"",
    )
    return Rounds(cosigning, interval=witnesses.interval.total_seconds())


def _replace(path: Path, content: bytes) -> None:
    """A file that is there whole; it may be lost."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(content)
    draft.replace(path)


async def _until_told(
    log: Log,
    socket: Path,
    *,
    pairs: PairSecrets,
    clock: Clock,
    publish: timedelta,
    rounds: Rounds | None,
    past: Past | None,
    settings: Settings | None,
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    seconds = publish.total_seconds()
    await serve(
        log,
        socket,
        pairs=pairs,
        clock=clock,
        stop=stop,
        interval=seconds,
        rounds=rounds,
        past=past,
        settings=settings,
    )
