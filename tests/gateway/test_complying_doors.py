# SPDX-License-Identifier: Apache-2.0
"""The compliance page's own knocking, at a real nginx: what is refused is shown, and what gets in is a no."""

import socket
from datetime import UTC, datetime

import pytest

from app.wiring.complying_doors import bound
from app.wiring.complying_trials import Entrance, Trials
from audit.web import Finding
from policies.models import Decision, DecisionRequest
from tests.gateway.conftest import City

NOW = datetime.now(UTC)
DEVICES = Entrance(label="devices", listener="external", path="/api/device/v1/me")


class Nothing:
    """Policies that refuse everything."""

    version, sequence, zones, needless = "7", 7, frozenset[str](), ()

    def decide(self, request: DecisionRequest) -> Decision:
        del request
        return Decision(allowed=False, code="device", reasons=(), step_up=None, version="7")


def _found(city: City, entrance: Entrance = DEVICES) -> Finding:
    trials = Trials(site=city.site, engine=Nothing, empty=Nothing(), now=NOW, entrance=entrance)
    return trials.stranger_device()


def test_a_strangers_certificate_and_name_are_refused_and_that_is_shown(city: City) -> None:
    city.gateway.verifier.foreign = True
    found = _found(city)
    assert found.met, found.shown
    assert found.shown[1] == "certificate of a stranger → devices.city.localhost: 401 credential"
    assert "handshake" not in found.shown[2]
    # The knocking is on the record like everybody's.
    assert city.gateway.recorder.events[-1].attributes["reason"] == "credential"


def test_where_any_certificate_will_do_it_is_a_no(city: City) -> None:
    found = _found(city)
    assert not found.met
    assert found.shown[1] == "certificate of a stranger → devices.city.localhost: 200 "


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (bytes.fromhex("300c02010161070a010004000400"), 0),
        (bytes.fromhex("300c02010161070a013104000400"), 49),
        # The same as OpenLDAP writes it, with lengths of four bytes.
        (bytes.fromhex("30840000001002010161840000000" + "70a013104000400"), 49),
        (b"HTTP/1.1 400 Bad Request", None),
        (b"", None),
    ],
)
def test_what_a_directory_says_of_a_name_and_a_password_is_read(answer: bytes, code: int | None) -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(answer)
        there.shutdown(socket.SHUT_WR)
        if code is None:
            with pytest.raises(ValueError, match="no answer"):
                bound(here, "cn=root,dc=city", "secret")
        else:
            assert bound(here, "cn=root,dc=city", "secret") == code
            # Message, number, bind, version 3, name, simple password (RFC 4511 section 4.2).
            said = there.recv(1000)
            assert said == bytes.fromhex("3021020101601c020103040f") + b"cn=root,dc=city" + b"\x80\x06secret"
