# SPDX-License-Identifier: Apache-2.0
"""A release that dies at any of its steps has one outcome in the end, and it is the true one; on a real log."""

import multiprocessing
import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import Outcome, Recorder, Wait
from audit.models import Event, Receipt
from policies import NothingToRelease
from policies.bundle import CURRENT, JOURNAL, files, read_current, release, replay
from policies.release import Release
from tests.fakes.log_site import LogSite, event

from .conftest import AT

POINTS = 40
"""More than a release has places to die at: before and after each record and each file."""


class _Executioner:
    """Kills its own process at the given place."""

    def __init__(self, at: int) -> None:
        self._left = at

    def pass_by(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class _Watched:
    """A real recorder, passing by the executioner before and after each record."""

    def __init__(self, recorder: Recorder, executioner: _Executioner) -> None:
        self._recorder, self._executioner = recorder, executioner

    def record(self, said: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
        self._executioner.pass_by()
        receipt = self._recorder.record(said, wait=wait)
        self._executioner.pass_by()
        return receipt


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    process = site.process()
    yield site
    process.kill()
    process.wait()
    site.close()


def _die_at(point: int, log: LogSite, source: dict[str, bytes], *, at: datetime = AT, **how: Any) -> bool:
    """Release in a process that dies at one point; says whether it got there."""
    # The proof is all that takes long, and dies nowhere else than before anything was done: the child finds it made.
    Release.proved(source, version="")

    def run() -> None:
        executioner = _Executioner(point)
        write = files.write

        def watched(*arguments: Any, **options: Any) -> None:
            executioner.pass_by()
            write(*arguments, **options)
            executioner.pass_by()

        files.write = watched
        release(source=source, recorder=_Watched(log.recorder("app"), executioner), at=at, actor="maker", **how)

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    child.join(60)
    assert child.exitcode in {0, -signal.SIGKILL}
    return child.exitcode != 0


def _outcomes(log: LogSite) -> dict[tuple[str, datetime], list[Outcome]]:
    """Outcomes by version and time of the release, intents first."""
    found = defaultdict(list)
    # What came before this is published with it.
    recorder = log.recorder("sso")
    recorder.record(event(), wait=Wait.PUBLISHED)
    recorder.close()
    reader = log.reader()
    for entry in reader.entries(0, reader.checkpoint().size):
        if entry.event.type == "policy.released":
            found[entry.event.object, entry.event.at].append(entry.event.outcome)
    return found


@pytest.mark.timeout(600)
def test_wherever_a_release_dies_its_intent_has_one_true_outcome(
    tmp_path: Path, log: LogSite, key: Ed25519PrivateKey, shipped_files: dict[str, bytes]
) -> None:
    folder, journal = tmp_path / "policies", tmp_path / JOURNAL
    one, other = (
        {**shipped_files, "access.cedar": shipped_files["access.cedar"] + f"\n// {name}\n".encode()}
        for name in ("one", "other")
    )
    died = 0
    for point in range(1, POINTS):
        before, stands = "", dict[str, bytes]()
        if (folder / CURRENT).exists():
            manifest, stands = read_current(folder, key.public_key())
            before = manifest.version
        # Never what is in force already.
        source, at = other if stands == one else one, AT + timedelta(minutes=point)
        if not _die_at(point, log, source, at=at, folder=folder, key=key, journal=journal):
            break
        died += 1
        recorder = log.recorder("app")
        version = replay(folder, key=key.public_key(), journal=journal, recorder=recorder)
        # Asked again, there is nothing left to do.
        assert replay(folder, key=key.public_key(), journal=journal, recorder=recorder) == ""
        recorder.close()
        outcomes = _outcomes(log)
        in_force = read_current(folder, key.public_key())[0].version if (folder / CURRENT).exists() else ""
        if version:
            true = Outcome.SUCCESS if in_force == version else Outcome.FAILURE
            assert outcomes[version, at] == [Outcome.INTENDED, true], point
        else:
            assert in_force == before
    else:
        pytest.fail("a release never ended")
    # Intent, six files or more, manifest, outcome: each has two places.
    assert died > 20
    assert {tuple(each) for each in _outcomes(log).values()} == {
        (Outcome.INTENDED, Outcome.SUCCESS), (Outcome.INTENDED, Outcome.FAILURE),
    }  # fmt: skip


def test_the_next_release_ends_the_one_before(
    tmp_path: Path, log: LogSite, key: Ed25519PrivateKey, shipped_files: dict[str, bytes]
) -> None:
    folder, journal = tmp_path / "policies", tmp_path / JOURNAL
    # Journal written, intent recorded, then dead.
    assert _die_at(4, log, shipped_files, folder=folder, key=key, journal=journal)
    recorder = log.recorder("app")
    manifest = release(
        folder, shipped_files, key=key, journal=journal, recorder=recorder, at=AT + timedelta(hours=1), actor="other"
    )
    with pytest.raises(NothingToRelease):
        release(folder, shipped_files, key=key, journal=journal, recorder=recorder, at=AT, actor="other")
    recorder.close()
    outcomes = _outcomes(log)
    assert outcomes.pop((manifest.version, AT + timedelta(hours=1))) == [Outcome.INTENDED, Outcome.SUCCESS]
    assert list(outcomes.values()) == [[Outcome.INTENDED, Outcome.FAILURE]]
