# SPDX-License-Identifier: Apache-2.0
"""The signing key changes on the record only: intent first, one true outcome, wherever the command dies."""

import json
import multiprocessing
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audit import Event, Outcome, Receipt, RecordUnavailable, Wait
from core.errors import Conflict
from sso.service import begin_rotation, end_rotation, finish_rotation, load_keys, make_keys
from tests.fakes.log_site import LogSite, event
from tests.fakes.recorder import ListRecorder

AT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
MOST = 60


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    with site.served():
        yield site
    site.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys = tmp_path / "keys"
    make_keys(keys)
    return keys


def _kids(folder: Path) -> list[str]:
    return [key["kid"] for key in load_keys(folder).jwks()["keys"]]


def _outcomes(log: LogSite) -> dict[str, list[Outcome]]:
    """Outcomes by the key that was to take over, in the record's order."""
    # What came before this is published with it.
    recorder = log.recorder("sso")
    recorder.record(event(), wait=Wait.PUBLISHED)
    recorder.close()
    reader, found = log.reader(), defaultdict(list)
    for entry in reader.entries(0, reader.checkpoint().size):
        if entry.event.type == "sso.key.rotated":
            found[entry.event.object].append(entry.event.outcome)
    return found


def test_the_intent_is_recorded_before_the_new_key_is_believed_and_before_it_signs(folder: Path) -> None:
    [old], recorder = _kids(folder), ListRecorder()
    announced = [
        key["kid"] for key in begin_rotation(folder, recorder=recorder, at=AT, actor="role:app").jwks()["keys"]
    ]
    assert [(each.outcome, each.object) for each in recorder.events] == [(Outcome.INTENDED, announced[0])]
    assert announced[1:] == [old]
    # Whoever starts now still signs with the old one.
    assert _kids(folder) == [old]
    assert [key["kid"] for key in finish_rotation(folder, recorder=recorder).jwks()["keys"]] == announced
    assert _kids(folder) == announced
    intent, outcome = recorder.events
    assert (outcome.type, outcome.outcome, outcome.object) == ("sso.key.rotated", Outcome.SUCCESS, announced[0])
    assert intent.actor == outcome.actor == "role:app"
    assert outcome.attributes == {"retained": old}
    assert sorted(path.name for path in folder.iterdir()) == [f"retained-{old}.pem", "signing.pem"]


def test_without_the_record_no_key_changes(folder: Path) -> None:
    [old], recorder = _kids(folder), ListRecorder()
    recorder.down = True
    with pytest.raises(RecordUnavailable):
        begin_rotation(folder, recorder=recorder, at=AT, actor="role:app")
    assert _kids(folder) == [old]
    recorder.down = False
    # The receipt may have been lost on its way, so this attempt is told and ended, not forgotten.
    end_rotation(folder, recorder=recorder)
    assert [each.outcome for each in recorder.events] == [Outcome.INTENDED, Outcome.FAILURE]
    assert [path.name for path in folder.iterdir()] == ["signing.pem"]


def test_an_outcome_waits_for_the_record(folder: Path) -> None:
    recorder = ListRecorder()
    begin_rotation(folder, recorder=recorder, at=AT, actor="role:app")
    recorder.down = True
    fresh = finish_rotation(folder, recorder=recorder).jwks()["keys"][0]["kid"]
    assert _kids(folder)[0] == fresh
    with pytest.raises(RecordUnavailable):
        end_rotation(folder, recorder=recorder)
    recorder.down = False
    end_rotation(folder, recorder=recorder)
    end_rotation(folder, recorder=recorder)
    assert [each.outcome for each in recorder.events] == [Outcome.INTENDED, Outcome.SUCCESS]


def test_a_start_of_the_role_in_between_ends_the_rotation(folder: Path) -> None:
    [old], recorder = _kids(folder), ListRecorder()
    begin_rotation(folder, recorder=recorder, at=AT, actor="role:app")
    end_rotation(folder, recorder=recorder)
    with pytest.raises(Conflict):
        finish_rotation(folder, recorder=recorder)
    assert _kids(folder) == [old]
    assert [each.outcome for each in recorder.events] == [Outcome.INTENDED, Outcome.FAILURE]


class _Recorder:
    def __init__(self, log: LogSite, passing: Callable[[], None]) -> None:
        self._recorder = log.recorder("sso")
        self._passing = passing

    def record(self, event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
        self._passing()
        receipt = self._recorder.record(event, wait=wait)
        self._passing()
        return receipt


def _die_at(point: int, folder: Path, log: LogSite) -> bool:
    """Rotate in a process that is killed at one of the places where something lasting happens; whether it was."""

    def rotate() -> None:
        passed = 0

        def passing() -> None:
            nonlocal passed
            passed += 1
            if passed == point:
                os.kill(os.getpid(), signal.SIGKILL)

        def watched(name: str) -> None:
            real = getattr(os, name)

            def act(*arguments: Any, **options: Any) -> Any:
                passing()
                answer = real(*arguments, **options)
                passing()
                return answer

            setattr(os, name, act)

        for name in ("replace", "unlink", "fsync"):
            watched(name)
        recorder = _Recorder(log, passing)
        begin_rotation(folder, recorder=recorder, at=AT, actor="role:app")
        finish_rotation(folder, recorder=recorder)

    child = multiprocessing.get_context("fork").Process(target=rotate)
    child.start()
    child.join(60)
    assert child.exitcode in {0, -signal.SIGKILL}
    return child.exitcode != 0


def test_wherever_a_rotation_dies_it_has_one_true_outcome(folder: Path, log: LogSite) -> None:
    died = 0
    for point in range(1, MOST):
        before = _kids(folder)
        if not _die_at(point, folder, log):
            break
        died += 1
        recorder = log.recorder("sso")
        end_rotation(folder, recorder=recorder)
        recorder.close()
        # The old key is still believed, and the new one signs if and only if the record says so.
        now = _kids(folder)
        assert set(before) <= set(now)
        outcomes = _outcomes(log)
        changed = now[0] != before[0]
        assert (outcomes.get(now[0]) == [Outcome.INTENDED, Outcome.SUCCESS]) or not changed, point
        assert all(each[0] is Outcome.INTENDED and len(each) == 2 for each in outcomes.values()), point
        signed = [kid for kid, each in outcomes.items() if each[1] is Outcome.SUCCESS]
        assert set(signed) <= set(now)
        assert not [path for path in folder.iterdir() if path.suffix == ".json" or path.name == "signing.new"]
    else:
        pytest.fail("a rotation never ended")
    assert died > 15
    assert {tuple(each) for each in _outcomes(log).values()} == {
        (Outcome.INTENDED, Outcome.SUCCESS),
        (Outcome.INTENDED, Outcome.FAILURE),
    }


def test_a_rotation_tells_no_secret(folder: Path) -> None:
    recorder = ListRecorder()
    announced = begin_rotation(folder, recorder=recorder, at=AT, actor="role:app").jwks()
    assert all("d" not in key for key in announced["keys"])
    assert set(json.loads((folder / "rotation.json").read_bytes())) == {
        *("fresh", "old", "at", "actor"),
        *("scheduled", "recorded"),
    }
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
