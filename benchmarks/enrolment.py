# SPDX-License-Identifier: Apache-2.0
"""Devices enrolled by a table: from the officers' word to the last line, with lint, synced commits and both records.

``python -m benchmarks.enrolment`` founds an authority, sends a table and has it issued in this process and its lint
helpers, as the role does. Records are synced to a file, so that the disk is waited for; what the log itself costs is in
``docs/benchmarks.md``. Rates by the clock are those of this machine at this moment; processor time is split by process.
"""

import argparse
import base64
import dataclasses
import multiprocessing
import os
import tempfile
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from audit import Event, Receipt, Wait
from audit.models_codec import encode_event
from ca import CASettings
from ca.ceremony import found
from ca.press import Press
from ca.registration import At
from ca.registration.bulk import Bulk, Jobs, JobState, Workshop, read_upload
from ca.service import open_authority
from ca.store import Store
from core.errors import TallygateError
from tests.ca.world import open_database, request_for, site_in
from tests.fakes.clock import ManualClock
from tests.fakes.people import KIOSK, OFFICER, SmallDirectory
from tests.fakes.recorder import ListRecorder

LINES = 1_920
"""Thirty batches."""


class SyncedRecorder:
    """Takes records as the log's client does, and syncs them to a file: the wait for a disk, without the log's tree."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._taken = 0

    def record(self, event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
        """One event."""
        (receipt,) = self._written([encode_event(event)], wait)
        return receipt

    def record_all(self, events: Sequence[bytes], *, wait: Wait = Wait.SEQUENCED) -> list[Receipt | TallygateError]:
        """Many, with one sync."""
        return list(self._written(events, wait))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _written(self, events: Sequence[bytes], wait: Wait) -> list[Receipt]:
        self._file.write(b"".join(events))
        self._file.flush()
        os.fdatasync(self._file.fileno())
        first, self._taken = self._taken, self._taken + len(events)
        return [
            Receipt(log="bench", index=each, leaf=bytes(32), level=wait, checkpoint="x")
            for each in range(first, self._taken)
        ]


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a run took."""

    lines: int
    # Seconds by the clock, and of processor: in the role's process, and in its helpers.
    took: float
    own: float
    helpers: float

    def __str__(self) -> str:
        whole = self.own + self.helpers
        return (
            f"{self.lines / self.took:,.0f}/s by the clock; {self.lines / whole:,.0f} for each second of processor "
            f"({self.own / self.lines * 1000:.2f} ms in the role, {self.helpers / self.lines * 1000:.2f} ms in helpers)"
        )


def measured(folder: Path, *, lines: int, helpers: int) -> Cost:
    """Enrol so many devices, in a process of its own."""
    site = site_in(folder / "state")
    site.folder("ca").mkdir(parents=True, mode=0o700)
    database, clock, directory = open_database(site), ManualClock(), SmallDirectory()
    found(site=site, settings=CASettings(), database=database, recorder=ListRecorder(), clock=clock)
    devices = [dataclasses.replace(KIOSK, id=str(uuid.uuid4()), name=f"Meter {n}") for n in range(lines)]
    directory.devices.update({each.id: each for each in devices})
    recorder, store, press = SyncedRecorder(folder / "records"), Store(database), Press(helpers)
    authority = open_authority(
        site=site,
        settings=CASettings(),
        store=store,
        recorder=recorder,
        clock=clock,
        directory=directory,
        lint=press.findings,
    )
    bulk = Bulk(
        jobs=Jobs(database),
        certificates=store,
        authority=authority,
        directory=directory,
        recorder=recorder,
        clock=clock,
    )
    table = "device,csr\n" + "".join(f"{each.id},{_encoded()}\n" for each in devices)
    job = bulk.ask(
        read_upload(table.encode()), profile="device-client", asker=OFFICER.subject, reference="bench", name="bench"
    )
    while not all(each.ready() for each in press.helpers):
        time.sleep(0.1)
    bulk.approve(job.id, At(officer=OFFICER.subject, assurance=3, zone="management"), digest=job.digest)
    shop = Workshop(bulk, lock=folder / "lock")
    before = sum(_spent(each.process) for each in press.helpers)
    began, own = time.perf_counter(), time.process_time()
    while bulk.job(job.id).state is JobState.RUNNING:
        try:
            shop.round()
        except TallygateError:
            # Nobody takes records out here; the way to the log is emptied by hand.
            store.outbox.drop([each.position for each in store.outbox.head()])
    took, own = time.perf_counter() - began, time.process_time() - own
    if not all(each.serial for each in bulk.all_lines(job.id)):
        raise RuntimeError("a line was refused")
    helping = sum(_spent(each.process) for each in press.helpers) - before
    shop.stop()
    press.close()
    recorder.close()
    database.close()
    return Cost(lines=lines, took=took, own=own, helpers=helping)


def _spent(process: int) -> float:
    """Seconds of processor that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _encoded() -> str:
    return base64.b64encode(request_for()).decode()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.enrolment")
    parser.add_argument("--lines", type=int, default=LINES)
    asked = parser.parse_args()
    for helpers in (0, 1):
        with (
            tempfile.TemporaryDirectory() as folder,
            ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        ):
            cost = pool.submit(measured, Path(folder), lines=asked.lines, helpers=helpers).result()
        print(f"{helpers} helpers: {cost}; load {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()
