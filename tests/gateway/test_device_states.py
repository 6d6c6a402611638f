# SPDX-License-Identifier: Apache-2.0
"""The state of a device as the directory has it bites at the gateway where a row of the matrix asks for one."""

from dataclasses import replace

import pytest

from audit import Entry, Event, Outcome
from directory import Mandate
from directory.models import DeviceState
from gateway.models import Answer
from policies import Decision, DecisionRequest
from policies.bundle import read_source
from policies.config import SHIPPED
from policies.release import Release
from tests.gateway.conftest import DEVICE, SUBJECT, FakeEngine, Gateway
from tests.gateway.test_service_decision import ask, device_question

ROW = b'classes = ["device-api"]\nactions = ["access"]\ndevice = true\n'


@pytest.fixture(scope="module")
def healthy() -> Release:
    """The shipped policies, but devices have to be healthy."""
    files = read_source(SHIPPED)
    assert ROW in files["zones.toml"]
    zones = files["zones.toml"].replace(ROW, ROW + b'device_states = ["healthy"]\n')
    return Release({**files, "zones.toml": zones}, version="1-healthy")


@pytest.fixture
def strict(unit: Gateway, healthy: Release, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    def decide(engine: FakeEngine, request: DecisionRequest) -> Decision:
        engine.asked.append(request)
        return healthy.decide(request)

    monkeypatch.setattr(FakeEngine, "decide", decide)
    return unit


def _now(unit: Gateway, state: DeviceState, kind: str) -> None:
    """The directory says so, and with its news the gateway hears it."""
    enabled = not state.is_out
    unit.directory.devices[DEVICE] = replace(unit.directory.devices[DEVICE], state=state, enabled=enabled)
    event = Event(
        key="0" * 32, type=kind, outcome=Outcome.SUCCESS, at=unit.clock.now(), source="directory", subject=DEVICE
    )
    unit.news.hear([Entry(index=0, event=event)])


def _asked(unit: Gateway) -> Answer:
    return ask(unit, **device_question())


def test_a_device_in_another_state_than_the_row_asks_for_is_refused_and_told_what_to_do(strict: Gateway) -> None:
    answer = _asked(strict)
    assert (answer.status, answer.reason, answer.could) == (403, "device", ("device",))
    assert strict.engine.asked[-1].device_state == "enrolled"
    event = strict.recorder.events[-1]
    assert "zone:devices-within-external" in str(event.attributes["policies"])


def test_with_the_news_of_its_state_it_gets_in_and_is_out_again(strict: Gateway) -> None:
    """No second passes on the gateway's clock between the news and the answer, and nothing is read by chance."""
    assert _asked(strict).reason == "device"
    _now(strict, DeviceState.HEALTHY, "directory.device.changed")
    assert _asked(strict).status == 204
    _now(strict, DeviceState.ENROLLED, "directory.device.changed")
    assert _asked(strict).reason == "device"


@pytest.mark.parametrize("state", [DeviceState.LOST, DeviceState.RETIRED])
def test_what_is_lost_or_retired_is_refused_with_the_news(strict: Gateway, state: DeviceState) -> None:
    _now(strict, DeviceState.HEALTHY, "directory.device.changed")
    assert _asked(strict).status == 204
    _now(strict, state, "directory.device.disabled")
    assert (_asked(strict).status, _asked(strict).reason) == (403, "disabled")
    if state is DeviceState.LOST:
        _now(strict, DeviceState.HEALTHY, "directory.device.enabled")
        assert _asked(strict).status == 204


def test_a_mandate_of_an_organisation_is_read_from_the_directory_and_over_with_it(unit: Gateway) -> None:
    held = Mandate(organisation="mill", scope="tax", until=unit.clock.now().date())
    unit.directory.people[SUBJECT] = unit.person(mandates=(held,))
    cookie = unit.open_session(mandate="organisation:mill:tax", mandate_ends=int(unit.clock.now().timestamp()) + 3600)
    assert ask(unit, unverified_cookie=cookie).status == 204
    assert (unit.engine.asked[-1].acting_for, unit.engine.asked[-1].mandates) == ("mill", frozenset({"mill"}))
    unit.directory.people[SUBJECT] = unit.person()
    event = Event(
        key="0" * 32, type="directory.mandate.withdrawn", outcome=Outcome.SUCCESS, at=unit.clock.now(),
        source="directory", subject=SUBJECT, attributes={"organisation": "mill", "scope": "tax"},
    )  # fmt: skip
    unit.news.hear([Entry(index=0, event=event)])
    assert ask(unit, unverified_cookie=cookie).reason == "login"
