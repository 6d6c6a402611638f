# SPDX-License-Identifier: Apache-2.0
"""A real process is killed by SIGKILL at each single write and sync that it makes; its successor has lost nothing."""

import os
import signal
from pathlib import Path
from random import Random

import pytest

from audit import new_key
from audit.blobs import Disk
from audit.merkle import verify_consistency
from audit.verify import verify_folder
from audit.writer.log import Place
from tests.fakes.log_site import LogSite, event

_BATCHES = 2
_STEPS = 400
"""More than one life of the process takes; the test ends at the first life that is not cut short."""


class Deadly(Disk):
    """Kills its own process before or amid the write, or before or after the sync, that has a number."""

    def __init__(self, at: int) -> None:
        self._left = at

    def sync(self, descriptor: int) -> None:
        self._step()
        super().sync(descriptor)
        self._step()

    def sync_folder(self, folder: Path) -> None:
        self._step()
        super().sync_folder(folder)

    def write_all(self, descriptor: int, content: bytes) -> None:
        self._step()
        super().write_all(descriptor, content[: len(content) // 2])
        self._step()
        super().write_all(descriptor, content[len(content) // 2 :])

    def _step(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


def _life(folder: Path, at: int, told: int) -> None:
    """What the child does: recover, then append and publish, and tell each acknowledgement as it comes."""
    site = LogSite(folder)
    log = site.open(Deadly(at))
    dice = Random(at)  # noqa: S311 - the same work again
    for _ in range(_BATCHES):
        batch = [event(key=new_key()) for _ in range(dice.randrange(1, 100))]
        for one, place in zip(batch, log.append(batch), strict=True):
            assert isinstance(place, Place)
            os.write(told, f"{one.key} {place.index}\n".encode())
        log.integrate()
    log.close()


def _child(folder: Path, at: int) -> tuple[int, list[tuple[str, int]]]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            _life(folder, at, writing)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "r", encoding="ascii") as lines:
        acknowledged = [(key, int(index)) for key, _, index in (line.strip().partition(" ") for line in lines)]
    _, status = os.waitpid(child, 0)
    return status, acknowledged


def test_sigkill_at_every_write_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    site = LogSite(tmp_path).create()
    acknowledged: dict[str, int] = {}
    roots: dict[int, bytes] = {}
    for at in range(_STEPS + 1):
        status, told = _child(tmp_path, at)
        acknowledged.update(told)
        # An auditor who comes before the successor finds a whole log too.
        report = verify_folder(site.folder, site.vkey)
        assert roots.setdefault(report.size, report.root) == report.root
        if status == 0:
            break
        assert os.WIFSIGNALED(status), f"the child failed by itself at step {at}"
        assert os.WTERMSIG(status) == signal.SIGKILL
    else:
        pytest.fail("one life takes more steps than were tried")
    assert at > 20
    site.open().close()
    report = verify_folder(site.folder, site.vkey)
    reader = site.reader()
    found = {entry.event.key: entry.index for entry in reader.entries(0, report.size)}
    assert len(found) == report.size
    assert acknowledged.items() <= found.items()
    for size, root in roots.items():
        proof = reader.consistency_proof(size, report.size)
        verify_consistency(old=size, new=report.size, old_root=root, new_root=report.root, proof=proof)
    site.close()
