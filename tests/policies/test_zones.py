# SPDX-License-Identifier: Apache-2.0
"""No data can join the internal and the external network live, and what has no row does not pass."""

import pytest

from policies import Code, PoliciesUnusable
from policies.config import SHIPPED
from policies.zones import Ferry, Live, Zone, ZoneMatrix

from .conftest import Ask

NAMES = ("internet", "external", "internal", "management")


def row(origin: str, destination: str, **more: object) -> Live:
    return Live(
        id=f"{origin}-{destination}",
        origin=origin,
        destination=destination,
        classes=("portal",),
        actions=("access",),
        **more,  # type: ignore[arg-type]  # a test's shorthand
    )


@pytest.mark.parametrize("ends", [("internal", "external"), ("external", "internal")])
def test_a_live_route_between_internal_and_external_is_refused(ends: tuple[str, str]) -> None:
    with pytest.raises(PoliciesUnusable, match="joins"):
        ZoneMatrix(zones=NAMES, live=[row(*ends)])


def test_a_live_route_through_a_third_zone_is_refused() -> None:
    with pytest.raises(PoliciesUnusable, match="joins"):
        ZoneMatrix(zones=NAMES, live=[row("external", "management"), row("internal", "management")])


@pytest.mark.parametrize("ends", [("inner", "external"), ("external", "inner"), ("inner", "outer"), ("inner", "hall")])
def test_a_network_under_another_name_is_the_same_network(ends: tuple[str, str]) -> None:
    """What comes in by the listener of one network comes from it, however the zone is called and told apart."""
    zones = {
        "inner": Zone(says="x", networks=("10.2.0.0/16",), listeners=("internal",)),
        "outer": Zone(says="x", networks=("10.1.0.0/16",), listeners=("external",)),
        "external": Zone(says="x"),
        "hall": Zone(says="x"),
    }
    sound = [row("inner", "inner"), row("outer", "external"), row("outer", "hall")]
    ZoneMatrix(zones=zones, live=sound)
    with pytest.raises(PoliciesUnusable, match="joins"):
        ZoneMatrix(zones=zones, live=[*sound, row(*ends)])


def test_a_zone_with_a_door_in_either_network_joins_them_without_any_row() -> None:
    both = Zone(says="x", peers=("ab" * 32,), listeners=("internal", "external"))
    with pytest.raises(PoliciesUnusable, match="joins"):
        ZoneMatrix(zones={"external": Zone(says="x"), "internal": Zone(says="x"), "both": both}, live=[])


def test_a_pair_joined_by_ferry_has_no_live_route() -> None:
    with pytest.raises(PoliciesUnusable, match="joins"):
        ZoneMatrix(
            zones=NAMES,
            live=[row("management", "internal")],
            ferry=[Ferry(origin="management", destination="internal")],
        )


@pytest.mark.parametrize(
    "live", [[row("external", "moon")], [row("external", "external"), row("external", "external")]]
)
def test_strangers_and_double_rows_are_refused(live: list[Live]) -> None:
    with pytest.raises(PoliciesUnusable):
        ZoneMatrix(zones=NAMES, live=live)


@pytest.mark.parametrize("content", [b"zones = 3", b"\xff", b"[zones.x]\nsays='x'\nopen=true", b"surprise = 1", b"["])
def test_a_file_that_cannot_be_read_is_refused(content: bytes) -> None:
    with pytest.raises(PoliciesUnusable):
        ZoneMatrix.read(content)


def test_an_action_nobody_knows_is_refused() -> None:
    live = Live(id="x", origin="external", destination="external", classes=("portal",), actions=("conquer",))
    with pytest.raises(PoliciesUnusable):
        ZoneMatrix(zones=NAMES, live=[live])


def test_rows_ask_for_assurance_and_device(ask: Ask) -> None:
    matrix = ZoneMatrix(zones=NAMES, live=[row("external", "external", assurance=2, device=True)])
    assert matrix.passage(ask(assurance=2)).code is Code.DEVICE
    assert matrix.passage(ask(assurance=1, device="d")).code is Code.ASSURANCE
    assert matrix.passage(ask(assurance=2, device="")).code is Code.DEVICE
    assert matrix.passage(ask(assurance=2, device="d")).code is None
    assert matrix.passage(ask(assurance=0, device="d", path_public=True)).code is None


def test_management_is_reached_from_management_only() -> None:
    matrix = ZoneMatrix.read((SHIPPED / "zones.toml").read_bytes())
    assert matrix.origins(destination="management", resource_class="console", action="access") == ("management",)


@pytest.mark.parametrize("zone", ["", "moon", "External", "external ", "internal,external"])
def test_an_unknown_zone_does_not_pass(ask: Ask, zone: str) -> None:
    matrix = ZoneMatrix.read((SHIPPED / "zones.toml").read_bytes())
    assert matrix.passage(ask(from_zone=zone)).code is Code.ZONE
    assert matrix.passage(ask(to_zone=zone)).code is Code.ZONE


def test_rows_name_ports_and_protocols(ask: Ask) -> None:
    matrix = ZoneMatrix(zones=NAMES, live=[row("external", "external", ports=(8443,), protocols=("https",))])
    assert matrix.passage(ask(port=8443, protocol="https")).code is None
    for port, protocol in ((8444, "https"), (8443, "websocket"), (0, ""), (8443, "")):
        assert matrix.passage(ask(port=port, protocol=protocol)).code is Code.ZONE


@pytest.mark.parametrize("wrong", [{"ports": (0,)}, {"ports": (65_536,)}, {"protocols": ("gopher",)}])
def test_a_row_with_a_port_or_protocol_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(PoliciesUnusable):
        ZoneMatrix(zones=NAMES, live=[row("external", "external", **wrong)])
