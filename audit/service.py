# SPDX-License-Identifier: Apache-2.0
"""The log's verbs beside its running process: create it, record while no role runs, own it until told to stop."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import uvloop

from core.calls import PairSecrets
from core.clock import Clock
from core.errors import TallygateError

from .errors import RecordUnavailable
from .merkle import LogKey
from .models import Event, Outcome, Receipt, Wait
from .models_codec import decode_event, encode_event, new_key
from .seals import Seals, SealStore
from .writer import Log, serve


def create_log(folder: Path, *, key: LogKey, seals: Seals, clock: Clock) -> Receipt:
    """Begin a log: its folder, the empty checkpoint, and entry 0, published.

    Raises:
        LogExists: there is one, even if its birth died before entry 0.
    """
    Log.create(folder, key=key, clock=clock)
    with closing(Log.open(folder, key=key, seals=seals, clock=clock)) as log:
        first = Event(
            key=new_key(),
            type="log.created",
            outcome=Outcome.SUCCESS,
            at=clock.now(),
            source="audit",
            object=key.origin,
            attributes={"vkey": str(key.vkey)} | ({"mldsa44_vkey": str(key.mldsa_vkey)} if key.mldsa_vkey else {}),
        )
        return LocalRecorder(log).record(first, wait=Wait.PUBLISHED)


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
        # Through the codec, so that in process and over the socket the log sees the same.
        event = decode_event(encode_event(event))
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
def local_recorder(folder: Path, *, key: LogKey, seals: Seals, clock: Clock) -> Iterator[LocalRecorder]:
    """Own the log for a while, as at the birth of a site; everything is published at the end.

    Raises:
        LogInUse: the log's process is running.
    """
    with closing(Log.open(folder, key=key, seals=seals, clock=clock)) as log:
        yield LocalRecorder(log)
        log.integrate()


def run_log(
    folder: Path,
    socket: Path,
    *,
    key: LogKey,
    seal_keys: Path,
    pairs: PairSecrets,
    clock: Clock,
    publish: timedelta = timedelta(milliseconds=250),
) -> None:
    """The log's process: own the folder and serve its socket until SIGTERM or SIGINT.

    Raises:
        LogInUse: another process owns the folder.
        LogDamaged: what is stored contradicts what was acknowledged.
        OSError: a write failed; the process ends so that its successor finds out what is on disk.
    """
    store = SealStore.open(seal_keys, upgrade=True)
    with closing(store), closing(Log.open(folder, key=key, seals=Seals(store), clock=clock)) as log:
        uvloop.run(_until_told(log, socket, pairs, clock, publish))


async def _until_told(log: Log, socket: Path, pairs: PairSecrets, clock: Clock, publish: timedelta) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(log, socket, pairs=pairs, clock=clock, stop=stop, interval=publish.total_seconds())
