# SPDX-License-Identifier: Apache-2.0
"""The writer as a real process, killed with SIGKILL under load at seeded random moments.

TALLYGATE_KILLS sets the number of rounds; scripts/soak runs many.
"""

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import Event, Receipt, RecordUnavailable, Wait
from audit.merkle import Checkpoint, verify_consistency
from audit.verify import verify_folder
from tests.fakes.log_site import LogSite, event, wait_for

ROUNDS = int(os.environ.get("TALLYGATE_KILLS", "10"))
THREADS = 6


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    yield site
    site.close()


class Load:
    """Threads that record until the log is gone, and keep what was acknowledged and what was not."""

    def __init__(self, site: LogSite, seed: int) -> None:
        self._client = site.recorder()
        self._stop = threading.Event()
        self.acknowledged: list[tuple[Event, Receipt]] = []
        self.unknown: list[Event] = []
        self._threads = [threading.Thread(target=self._run, args=(random.Random(seed + i),)) for i in range(THREADS)]  # noqa: S311 - a reproducible load
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=30)
        self._client.close()

    def _run(self, chance: random.Random) -> None:
        while not self._stop.is_set():
            one = event(subject=f"p{chance.randrange(40)}")
            wait = Wait.PUBLISHED if chance.random() < 0.1 else Wait.SEQUENCED
            try:
                self.acknowledged.append((one, self._client.record(one, wait=wait)))
            except RecordUnavailable:
                self.unknown.append(one)
                return


@pytest.mark.timeout(60 + ROUNDS * 20)
def test_a_killed_writer_loses_nothing_it_acknowledged(site: LogSite) -> None:
    chance = random.Random(20261120)  # noqa: S311 - seeded moments, so that a failure can be repeated
    acknowledged: list[tuple[Event, Receipt]] = []
    unknown: list[Event] = []
    checkpoints: dict[int, Checkpoint] = {}
    for round_number in range(ROUNDS):
        process = site.process()
        load = Load(site, round_number * 100)
        if round_number % 2:
            # However slow the machine is, some of them die amid receipts.
            wait_for(lambda load=load: bool(load.acknowledged or load.unknown))
        time.sleep(chance.uniform(0.02, 0.2))
        process.kill()
        process.wait()
        load.finish()
        acknowledged += load.acknowledged
        unknown += load.unknown
        # Before recovery whatever is published is whole, and covers what was promised to be published.
        report = verify_folder(site.folder, site.vkey)
        for _, receipt in load.acknowledged:
            assert receipt.level is Wait.SEQUENCED or receipt.index < report.size
        site.open().close()
        checkpoint = site.reader().checkpoint()
        checkpoints[checkpoint.size] = checkpoint
        for one, receipt in load.acknowledged:
            entry = site.reader().entry(receipt.index)
            assert entry.event.key == one.key
            assert site.seals.open(entry) == one.sealed
    assert len(acknowledged) >= ROUNDS // 2
    whole_and_consistent(site, acknowledged, unknown, checkpoints)


def whole_and_consistent(
    site: LogSite,
    acknowledged: list[tuple[Event, Receipt]],
    unknown: list[Event],
    checkpoints: dict[int, Checkpoint],
) -> None:
    # Sending again what had no answer, and some of what had one, makes no second entry.
    log = site.open()
    log.append([*unknown, *(one for one, _ in acknowledged[-50:])])
    log.integrate()
    log.close()
    report = verify_folder(site.folder, site.vkey)
    reader = site.reader()
    keys = [entry.event.key for entry in reader.entries(0, report.size)]
    assert len(keys) == len(set(keys))
    assert {one.key for one in unknown} | {one.key for one, _ in acknowledged} <= set(keys)
    for size, checkpoint in checkpoints.items():
        proof = reader.consistency_proof(size, report.size)
        verify_consistency(old=size, new=report.size, old_root=checkpoint.root, new_root=report.root, proof=proof)
