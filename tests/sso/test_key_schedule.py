# SPDX-License-Identifier: Apache-2.0
"""The signing key changes by itself: announced before it signs, believed after; a crash anywhere is gone on from."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from audit import Outcome, RecordUnavailable
from sso.config import SSOSettings
from sso.errors import InvalidToken
from sso.oauth.rfc7517 import KeyRing
from sso.service import KeySchedule, begin_rotation, end_rotation, finish_rotation, load_keys, make_keys
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SETTINGS = SSOSettings(key_days=30, key_overlap=DAY)
ISSUER = "https://sso.city.example"


class Worker:
    """One process with its own ring on the common folder."""

    def __init__(self, folder: Path, clock: ManualClock, recorder: ListRecorder) -> None:
        self.ring = load_keys(folder)
        self.published: list[Any] = []
        self.schedule = KeySchedule(
            folder,
            ring=self.ring,
            recorder=recorder,
            settings=SETTINGS,
            clock=clock,
            publish=lambda ring: self.published.append(ring.jwks()),
        )

    def look(self) -> None:
        self.schedule.look()

    def states(self) -> list[str]:
        return [each.state for each in self.schedule.standing()]

    def sign(self) -> str:
        return self.ring.sign({"iss": ISSUER, "sub": "x", "aud": "y", "exp": 1, "iat": 0}, typ="JWT")

    def believes(self, token: str) -> bool:
        return believes(self.ring, token)


def believes(ring: KeyRing, token: str) -> bool:
    try:
        ring.read(token, typ="JWT", issuer=ISSUER)
    except InvalidToken:
        return False
    return True


@pytest.fixture
def city(tmp_path: Path) -> tuple[Path, ManualClock, ListRecorder]:
    make_keys(tmp_path / "keys")
    return tmp_path / "keys", ManualClock(), ListRecorder()


City = tuple[Path, ManualClock, ListRecorder]


def test_two_rotations_and_every_token_is_believed_by_every_worker_as_long_as_it_may_live(city: City) -> None:
    folder, clock, recorder = city
    one, two = Worker(*city), Worker(*city)
    seen: list[list[str]] = []
    tokens, signers = [], set()
    for _ in range(70 * 4):
        # They never look in the same moment: what one signs, the other has to believe before it has looked.
        one.look()
        tokens.append(one.sign())
        assert all(each.believes(token) for each in (one, two) for token in tokens[-4:])
        two.look()
        tokens.append(two.sign())
        assert all(each.believes(token) for each in (one, two) for token in tokens[-4:])
        assert one.ring.jwks() == two.ring.jwks() == one.published[-1]
        signers.add(one.ring.jwks()["keys"][0]["kid"])
        if not seen or seen[-1] != one.states():
            seen.append(one.states())
        clock.advance(6 * HOUR)
    assert len(signers) == 3
    assert seen == [
        ["signing"],
        ["announced", "signing"],
        ["signing", "retained"],
        ["signing"],
        ["announced", "signing"],
        ["signing", "retained"],
        ["signing"],
    ]
    # What was signed by the first of three keys is believed no more.
    assert not one.believes(tokens[0])
    rotated = [each.outcome for each in recorder.events if each.type == "sso.key.rotated"]
    assert rotated == [Outcome.INTENDED, Outcome.SUCCESS] * 2
    assert [each.type for each in recorder.events if each.type == "sso.key.removed"] == ["sso.key.removed"] * 2
    assert sorted(path.name for path in folder.iterdir()) == ["dates.json", "signing.pem"]


def test_nobody_is_told_of_a_key_before_that_is_on_record(city: City) -> None:
    _folder, clock, recorder = city
    worker = Worker(*city)
    worker.look()
    clock.advance(31 * DAY)
    recorder.down = True
    with pytest.raises(RecordUnavailable):
        worker.look()
    assert worker.states() == ["signing"]
    assert len(worker.ring.jwks()["keys"]) == 1
    recorder.down = False
    worker.look()
    assert worker.states() == ["announced", "signing"]


class Died(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("step", range(1, 9))
def test_a_crash_at_each_write_is_gone_on_from_and_ends_as_without_it(
    city: City, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    folder, clock, recorder = city
    Worker(*city).look()
    first = load_keys(folder)
    token = first.sign({"iss": ISSUER, "sub": "x", "aud": "y", "exp": 1, "iat": 0}, typ="JWT")
    clock.advance(30 * DAY)
    writes = [0]

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def write(*arguments: Any, **more: Any) -> Any:
            writes[0] += 1
            if writes[0] == step:
                raise Died
            return real(*arguments, **more)

        return write

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dying(Path.replace))
        patched.setattr(Path, "unlink", dying(Path.unlink))
        patched.setattr(recorder, "record", dying(recorder.record))
        died = False
        for _ in range(4):
            try:
                Worker(*city).look()
            except Died:
                died = True
                break
            clock.advance(DAY)
    assert died
    # The role starts again: what stands is believed, and the look after it goes on.
    end_rotation(folder, recorder=recorder)
    assert believes(load_keys(folder), token)
    for _ in range(5):
        worker = Worker(*city)
        worker.look()
        assert worker.believes(worker.sign())
        clock.advance(DAY)
    assert worker.states() == ["signing"]
    assert worker.ring.jwks() != first.jwks()
    known = {(each.object, each.outcome) for each in recorder.events if each.type == "sso.key.rotated"}
    fresh = worker.ring.jwks()["keys"][0]["kid"]
    assert {(fresh, Outcome.INTENDED), (fresh, Outcome.SUCCESS)} <= known


def test_a_start_leaves_an_announced_key_and_a_command_takes_its_place(city: City) -> None:
    folder, clock, recorder = city
    worker = Worker(*city)
    worker.look()
    clock.advance(30 * DAY)
    worker.look()
    announced = worker.schedule.standing()[0].kid
    end_rotation(folder, recorder=recorder)
    assert worker.schedule.standing()[0].kid == announced
    begin_rotation(folder, recorder=recorder, at=clock.now(), actor="role:app")
    finish_rotation(folder, recorder=recorder)
    worker.look()
    assert worker.states() == ["signing", "retained"]
    assert worker.ring.jwks()["keys"][0]["kid"] != announced
    failed = [each.object for each in recorder.events if each.outcome is Outcome.FAILURE]
    assert failed == [announced]
    # What an operator did counts from then on: the next by itself is a whole time later.
    clock.advance(29 * DAY)
    worker.look()
    worker.look()
    assert worker.states() == ["signing"]


def test_a_site_born_before_counts_from_its_first_look_and_one_without_days_changes_nothing(city: City) -> None:
    folder, clock, recorder = city
    clock.advance(400 * DAY)
    worker = Worker(*city)
    worker.look()
    assert worker.states() == ["signing"]
    assert json.loads((folder / "dates.json").read_bytes()) != {}
    still = KeySchedule(
        folder,
        ring=worker.ring,
        recorder=recorder,
        settings=SSOSettings(key_days=0),
        clock=clock,
        publish=lambda _ring: None,
    )
    clock.advance(400 * DAY)
    still.look()
    assert [(each.state, each.until) for each in still.standing()] == [("signing", None)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"key_overlap": timedelta(minutes=9)},
        {"key_overlap": timedelta(minutes=20), "token_lifetime": timedelta(minutes=15)},
        {"key_days": -1},
        {"key_days": 1},
    ],
    ids=str,
)
def test_an_overlap_shorter_than_tokens_live_is_refused_at_the_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="key_"):
        SSOSettings(**wrong)
