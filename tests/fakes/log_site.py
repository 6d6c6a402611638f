# SPDX-License-Identifier: Apache-2.0
"""A real log in a folder of its own, for tests: opened in process, served by a thread, or by a process to be killed."""

import asyncio
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from audit import Event, Outcome, new_key
from audit.blobs import BlobStore, Disk
from audit.blobs.objects import ObjectBlobs
from audit.client import FeedClient, RecorderClient
from audit.lineage import Past
from audit.merkle import LogKey
from audit.reader import LogReader
from audit.seals import Seals, SealStore
from audit.service import Witnesses, create_log, rounds_of, run_log
from audit.witness import Rounds
from audit.writer import Log, Settings, serve
from core.calls import PairSecrets
from core.clock import Clock, SystemClock
from tests.fakes.begun import Begun

CALLERS = ("sso", "ca", "gateway", "nginx", "app", "audit")


_SAID: dict[str, dict[str, Any]] = {
    "ca": {"type": "ca.certificate.issued", "object": "1f2e3d4c"},
    "audit": {"type": "log.started", "sealed": {}},
    "app": {"type": "policy.released", "actor": "role:app", "object": "7", "sealed": {}},
}


def event(clock: Clock | None = None, **fields: Any) -> Event:
    """What a source would say, a login if none is named, or whatever ``fields`` make of it."""
    said = {} if "type" in fields else _SAID.get(fields.get("source", ""), {})
    at = clock.now() if clock else datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    return Event(
        **{
            "key": new_key(),
            "type": "sso.login",
            "outcome": Outcome.SUCCESS,
            "at": at,
            "source": "sso",
            "subject": "3b0e",
            "sealed": {"name": "李雷"},
            **said,
            **fields,
        }
    )


class LogSite:
    """Folder, keys and pair secrets of one log; the socket lies in a short folder of its own."""

    def __init__(self, folder: Path, clock: Clock | None = None, blobs: BlobStore | None = None) -> None:
        self.folder = folder / "log"
        # Where the public part lies, if not in the folder.
        self.blobs = blobs
        self.seal_keys = folder / "seals.db"
        self.clock = clock or SystemClock()
        self.key = self.first_key()
        self.vkey = str(self.key.vkey)
        self.secrets = {caller: caller.encode().ljust(32, b".") for caller in CALLERS}
        # Socket paths are short (107 bytes), the folders of tests are not.
        self.socket = Path(tempfile.mkdtemp(dir="/tmp")) / "log.sock"
        self.store = SealStore.open(self.seal_keys, upgrade=True)
        self.seals = Seals(self.store)

    @staticmethod
    def first_key() -> LogKey:
        """The key with which every such site begins."""
        return LogKey("city.example/log", seed=b"\x07" * 32, mldsa_seed=b"\x08" * 32)

    def create(self) -> "LogSite":
        create_log(self.folder, key=self.key, seals=self.seals, clock=self.clock, blobs=self.blobs)
        return self

    def close(self) -> None:
        self.store.close()
        self.socket.unlink(missing_ok=True)
        self.socket.parent.rmdir()

    def open(self, disk: Disk | None = None) -> Log:
        return Log.open(self.folder, key=self.key, seals=self.seals, clock=self.clock, disk=disk, blobs=self.blobs)

    def reader(self) -> LogReader:
        return LogReader(self.blobs or self.folder, self.vkey)

    def recorder(self, caller: str = "sso", **more: Any) -> RecorderClient:
        return RecorderClient(
            self.socket, **{"caller": caller, "secret": self.secrets.get(caller, b""), "log_key": self.vkey, **more}
        )

    def feed(self, caller: str = "gateway", **more: Any) -> FeedClient:
        return FeedClient(
            self.socket, **{"caller": caller, "secret": self.secrets.get(caller, b""), "log_key": self.vkey, **more}
        )

    @contextmanager
    def served(
        self,
        disk: Disk | None = None,
        interval: float = 0.05,
        witnesses: Witnesses | None = None,
        past: Past | None = None,
        settings: Settings | None = None,
    ) -> Iterator["Served"]:
        """The writer's loop in a thread."""
        log = self.open(disk)
        rounds = rounds_of(log, self.folder, witnesses, self.clock, blobs=self.blobs) if witnesses else None
        served = Served(self, log, interval, rounds, past, settings)
        try:
            yield served
        finally:
            served.stop()
            log.close()

    def process(self, *objects: str) -> Begun:
        """The writer as a process of its own, ready when this returns; ``objects`` are URL, address, credentials."""
        process = Begun(write, self.folder.parent, self.socket, objects)
        wait_for(lambda: answers(self) or process.poll() is not None)
        return process


class Served:
    """A running writer and how it ended."""

    def __init__(  # noqa: PLR0917 - made by `served` alone, and by whoever looks at how one ends
        self,
        site: LogSite,
        log: Log,
        interval: float,
        rounds: Rounds | None,
        past: Past | None,
        settings: Settings | None = None,
    ) -> None:
        self.log = log
        self.failure: BaseException | None = None
        self._loop = uvloop.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, args=(site, interval, rounds, past, settings))
        self._thread.start()
        wait_for(lambda: answers(site) or not self._thread.is_alive())

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()

    def ended(self) -> bool:
        return not self._thread.is_alive()

    def _run(
        self, site: LogSite, interval: float, rounds: Rounds | None, past: Past | None, settings: Settings | None
    ) -> None:
        pairs = PairSecrets(site.secrets)
        work = serve(
            self.log,
            site.socket,
            pairs=pairs,
            clock=site.clock,
            stop=self._stop,
            interval=interval,
            rounds=rounds,
            past=past,
            settings=settings,
        )
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(work)
        except BaseException as error:  # noqa: BLE001 - the test asks how it ended
            self.failure = error


def answers(site: LogSite) -> bool:
    """Whether somebody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(site.socket))
        except OSError:
            return False
    return True


def wait_for(happened: Any, seconds: float = 20.0) -> None:
    """Poll until true."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.005)


def write(folder: Path, where: Path, objects: Sequence[str]) -> None:
    """What a process of its own does."""
    run_log(
        folder / "log",
        where,
        key=LogKey("city.example/log", seed=b"\x07" * 32, mldsa_seed=b"\x08" * 32),
        seal_keys=folder / "seals.db",
        pairs=PairSecrets({caller: caller.encode().ljust(32, b".") for caller in CALLERS}),
        clock=SystemClock(),
        blobs=ObjectBlobs.open(objects[0], endpoint=objects[1], credentials=objects[2]) if objects else None,
    )
