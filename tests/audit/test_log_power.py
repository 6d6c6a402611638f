# SPDX-License-Identifier: Apache-2.0
"""The power fails at a seeded step, again and again; what was not synced is dropped. Nothing acknowledged is lost.

TALLYGATE_CRASHES says at how many moments (scripts/soak: 10,000), TALLYGATE_SEED which.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from audit import Event, RecordUnavailable, Wait
from audit.blobs import Disk
from audit.errors import LogDamaged
from audit.merkle import verify_consistency
from audit.verify import verify_folder
from audit.writer import Log, keys
from audit.writer.log import Place
from core.errors import TallygateError
from tests.fakes.log_site import LogSite, event
from tests.fakes.power import FailingPower, Platters, PowerFailed

CRASHES = int(os.environ.get("TALLYGATE_CRASHES", "100"))
SEED = int(os.environ.get("TALLYGATE_SEED", "20261128"))
# A soak takes as long as the machine lets it.
PATIENCE = 0 if CRASHES > 100 else 260
# One life of the log, from opening to the last batch, takes about so many steps.
_LIFE = 110
_BATCHES = 4
# A log that grew for ever would make each look at it slower.
_ONE_LOG = 50


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    yield site
    site.close()


class Witness:
    """An outsider: keeps what it was told, and holds the log to it."""

    def __init__(self, site: LogSite) -> None:
        self._site = site
        self.acknowledged: list[tuple[Event, Place]] = []
        self.promised = 0
        self._roots: dict[int, bytes] = {}

    def tell(self, events: list[Event], places: list[Place | TallygateError]) -> None:
        """The log answered."""
        self.acknowledged += [
            (one, place) for one, place in zip(events, places, strict=True) if isinstance(place, Place)
        ]

    def look(self) -> None:
        """Whatever is published must verify, continue every earlier root, and cover what was said to be covered."""
        report = verify_folder(self._site.folder, self._site.vkey)
        assert report.size >= self.promised
        assert self._roots.setdefault(report.size, report.root) == report.root
        self.promised = report.size

    def demand(self) -> None:
        """After recovery: every acknowledged entry in its place, and one history."""
        report = verify_folder(self._site.folder, self._site.vkey)
        reader = self._site.reader()
        entries = {entry.event.key: entry.index for entry in reader.entries(0, report.size)}
        assert len(entries) == report.size
        for one, place in self.acknowledged:
            assert entries[one.key] == place.index
        for size, root in self._roots.items():
            proof = reader.consistency_proof(size, report.size)
            verify_consistency(old=size, new=report.size, old_root=root, new_root=report.root, proof=proof)


def _live(log: Log, witness: Witness, dice: Random) -> None:
    for _ in range(_BATCHES):
        batch = [event(subject=f"p{dice.randrange(9)}") for _ in range(dice.randrange(1, 40))]
        witness.tell(batch, log.append(batch))
        if dice.random() < 0.7:
            checkpoint = log.integrate()
            witness.promised = max(witness.promised, checkpoint.size if checkpoint else 0)


@pytest.mark.timeout(PATIENCE)
def test_nothing_acknowledged_is_lost_when_the_power_fails_at_any_step(tmp_path: Path) -> None:
    dice = Random(SEED)  # noqa: S311 - moments that can be repeated
    failed = 0
    for begun in range(0, CRASHES, _ONE_LOG):
        (folder := tmp_path / str(begun)).mkdir()
        site = LogSite(folder).create()
        try:
            failed += _crash(site, dice, min(_ONE_LOG, CRASHES - begun))
        finally:
            site.close()
        shutil.rmtree(folder)
    assert failed > CRASHES // 2


@pytest.mark.timeout(PATIENCE)
def test_the_index_of_keys_survives_with_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "YOUNG", 8)
    monkeypatch.setattr(keys, "TOGETHER", 2)
    # Where the power can fail, and every time in the same order.
    monkeypatch.setattr(keys.KeyIndex, "_merge_beside", keys.KeyIndex._merge)
    site = LogSite(tmp_path).create()
    failed = _crash(site, Random(SEED), CRASHES // 3)  # noqa: S311 - moments that can be repeated
    assert failed > CRASHES // 6
    site.close()


def _crash(site: LogSite, dice: Random, times: int) -> int:
    """Let the power fail on one log; how often it did before the work was done."""
    witness, platters = Witness(site), Platters(site.folder)
    failed = 0
    for crash in range(times):
        disk = FailingPower(platters, dice, fails_at=dice.randrange(_LIFE))
        log: Log | None = None
        try:
            log = site.open(disk)
            _live(log, witness, dice)
        except PowerFailed:
            failed += 1
        except LogDamaged as error:
            pytest.fail(f"seed {SEED}, crash {crash}: {error}")
        finally:
            if log is not None:
                log.close()
        platters.fail(dice)
        witness.look()
    platters.close()
    site.open().close()
    witness.demand()
    assert len(witness.acknowledged) > times
    return failed


class Refusing(Disk):
    """A disk that refuses with one error from a given write or sync on; before that, half of the bytes arrive."""

    def __init__(self, number: int, *, at: int) -> None:
        self._number = number
        self._left = at
        self.refused = False

    def write_all(self, descriptor: int, content: bytes) -> None:
        if self._refuses():
            os.write(descriptor, content[: len(content) // 2])
            raise OSError(self._number, os.strerror(self._number))
        super().write_all(descriptor, content)

    def sync(self, descriptor: int) -> None:
        if self._refuses():
            raise OSError(self._number, os.strerror(self._number))
        super().sync(descriptor)

    def _refuses(self) -> bool:
        self._left -= 1
        self.refused = self.refused or self._left < 0
        return self.refused


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
def test_a_disk_that_refuses_at_any_write_costs_only_what_was_not_acknowledged(site: LogSite, number: int) -> None:
    witness, at = Witness(site), 0
    while True:
        disk = Refusing(number, at=at)
        log: Log | None = None
        with suppress(OSError):
            log = site.open(disk)
            _live(log, witness, Random(at))  # noqa: S311 - the same work again
        if log is not None:
            if disk.refused:
                # It can be neither believed nor used any more; the process ends and its successor looks.
                with pytest.raises(RecordUnavailable):
                    log.append([event()])
                with pytest.raises(RecordUnavailable):
                    log.integrate()
            log.close()
        witness.look()
        if not disk.refused:
            break
        at += 3
    # The disk has room again.
    site.open().close()
    witness.demand()
    assert at > 20


class Short(Disk):
    """A file system that takes a few bytes at a time, as a full pipe or a signal makes ``write`` return early."""

    def write_all(self, descriptor: int, content: bytes) -> None:
        real = os.write
        try:
            os.write = lambda to, data: real(to, bytes(data)[:97])
            super().write_all(descriptor, content)
        finally:
            os.write = real


def test_writes_that_take_only_a_part_are_continued(site: LogSite) -> None:
    log, witness = site.open(Short()), Witness(site)
    _live(log, witness, Random(1))  # noqa: S311 - any work
    log.close()
    site.open().close()
    witness.demand()


def test_a_process_that_died_of_a_full_disk_answers_nobody_and_serves_again_when_there_is_room(site: LogSite) -> None:
    disk = Refusing(errno.ENOSPC, at=10_000)
    with site.served(disk) as served:
        recorder = site.recorder()
        kept = recorder.record(event())
        disk.refused = True
        for wait in (Wait.SEQUENCED, Wait.PUBLISHED):
            with pytest.raises(RecordUnavailable):
                recorder.record(event(), wait=wait)
        recorder.close()
        served.stop()
        assert isinstance(served.failure, OSError)
    with site.served():
        again = site.recorder()
        assert again.record(event()).index > kept.index
        again.close()
    assert site.reader().entry(kept.index).event.source == "sso"
