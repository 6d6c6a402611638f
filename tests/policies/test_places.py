# SPDX-License-Identifier: Apache-2.0
"""Where a request comes from follows from its path alone; agencies of six classes reach what their class says."""

from pathlib import Path

import pytest

from policies import Code, PoliciesUnusable
from policies.config import SHIPPED
from policies.zones import Apart, Ferry, Kind, Live, Places, Zone, ZoneMatrix

from .conftest import Ask

CLASSES = ZoneMatrix.read(Path(__file__).with_name("access_classes.toml").read_bytes())
REACHES = {
    "a": {"public"},
    "b": {"public", "unified-exit"},
    "c": {"public", "own-exit"},
    "d": {"public", "private", "unified-exit"},
    "e": {"public", "private", "own-exit"},
    "f": {"public", "private"},
}
PEER = "ab" * 32


@pytest.mark.parametrize("agency", REACHES)
@pytest.mark.parametrize("zone", ["public", "private", "unified-exit", "own-exit"])
def test_an_agency_reaches_what_its_access_class_says(ask: Ask, agency: str, zone: str) -> None:
    origin = CLASSES.places.place(listener="agencies", address=f"172.16.{ord(agency) - ord('a') + 1}.9")
    assert origin == f"class-{agency}"
    passage = CLASSES.passage(ask(from_zone=origin, to_zone=zone))
    assert (passage.code is None) == (zone in REACHES[agency])
    assert CLASSES.kind(origin, zone) is (Kind.LIVE if zone in REACHES[agency] else Kind.NONE)
    # And nothing comes back the other way.
    assert CLASSES.passage(ask(from_zone=zone, to_zone=origin)).code is Code.ZONE


def zone(*networks: str, listeners: tuple[str, ...] = (), peers: tuple[str, ...] = ()) -> Zone:
    return Zone(says="x", networks=networks, listeners=listeners, peers=peers)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10.0.0.0/8", "10.1.0.0/16"),
        ("10.1.0.0/16", "10.0.0.0/8"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("2001:db8::/32", "2001:db8:1::/48"),
        ("0.0.0.0/0", "203.0.113.7/32"),
    ],
)
def test_networks_that_overlap_are_refused(one: str, other: str) -> None:
    with pytest.raises(PoliciesUnusable, match="overlap"):
        Places({"a": zone(one), "b": zone(other)})
    with pytest.raises(PoliciesUnusable, match="overlap"):
        Places({"a": zone(one, other)})


@pytest.mark.parametrize("network", ["10.0.0.1/8", "10.0.0.0/33", "ten", "", "::ffff:10.0.0.0/104"])
def test_what_is_no_network_is_refused(network: str) -> None:
    with pytest.raises(PoliciesUnusable):
        Places({"a": zone(network)})


def test_neighbours_do_not_overlap_and_v4_is_not_v6() -> None:
    Places({"a": zone("10.0.0.0/9", "::/8"), "b": zone("10.128.0.0/9", "0.0.0.0/8")})


PLACES = Places(
    {
        "internet": zone(listeners=("external",)),
        "external": zone("10.1.0.0/16", "2001:db8:1::/48", listeners=("external",)),
        "internal": zone("10.2.0.0/16", peers=(PEER,)),
        "management": zone(),
    }
)


@pytest.mark.parametrize(
    ("listener", "address", "peer", "expected"),
    [
        ("external", "10.1.2.3", "", "external"),
        ("external", "2001:db8:1::5", "", "external"),
        ("external", "203.0.113.7", "", "internet"),
        ("internal", "10.2.0.1", "", "internal"),
        # The same address in its longer spelling.
        ("external", "::ffff:10.1.2.3", "", "external"),
        # An address of another network at this door: somebody joined two networks.
        ("external", "10.2.0.1", "", ""),
        ("external", "::ffff:10.2.0.1", "", ""),
        ("management", "10.1.2.3", "", ""),
        # A zone with networks takes nothing else in.
        ("internal", "203.0.113.7", "", ""),
        # A proxy speaks for the zone it stands in, at its own door only.
        ("internal", "203.0.113.7", PEER, "internal"),
        ("external", "10.1.2.3", PEER, ""),
        ("external", "10.1.2.3", "cd" * 32, "external"),
        ("moon", "10.1.2.3", "", ""),
        ("", "10.1.2.3", "", ""),
        ("external", "unix:", "", ""),
        ("external", "", "", ""),
        ("external", "10.1.2.3, 10.2.0.1", "", ""),
    ],
)
def test_a_request_is_placed_by_its_path(listener: str, address: str, peer: str, expected: str) -> None:
    assert PLACES.place(listener=listener, address=address, peer=peer) == expected


def test_for_which_zones_somebody_may_speak_at_a_listener() -> None:
    assert PLACES.spoken_for("internal") == {"internal"}
    assert PLACES.spoken_for("external") == PLACES.spoken_for("moon") == frozenset()


def test_two_zones_that_nothing_tells_apart_are_refused() -> None:
    with pytest.raises(PoliciesUnusable, match="apart"):
        Places({"a": zone(listeners=("door",)), "b": zone(listeners=("door",))})
    with pytest.raises(PoliciesUnusable):
        Places({"a": zone(peers=(PEER,)), "b": zone(peers=(PEER,))})
    with pytest.raises(PoliciesUnusable):
        Places({"a": zone(peers=("not a digest",))})


def live(origin: str, destination: str, **more: object) -> Live:
    words = {"id": f"{origin}-{destination}", "classes": ("portal",), "actions": ("access",), **more}
    return Live(origin=origin, destination=destination, **words)  # type: ignore[arg-type]  # a test's shorthand


@pytest.mark.parametrize(
    "rows", [[live("a", "b")], [live("b", "a")], [live("a", "c"), live("c", "b")], [live("c", "a"), live("c", "b")]]
)
def test_zones_declared_apart_are_never_joined_live(rows: list[Live]) -> None:
    with pytest.raises(PoliciesUnusable, match="joins"):
        ZoneMatrix(zones="abc", live=rows, apart=[Apart(between=("a", "b"))])


@pytest.mark.parametrize(
    "ends", [("internal", "external"), ("external", "internal"), ("internal", "internet"), ("management", "internal")]
)
def test_the_shipped_matrix_takes_no_live_route_that_would_join_internal_and_external(ends: tuple[str, str]) -> None:
    row = '\n[[live]]\nid="x"\norigin="{}"\ndestination="{}"\nclasses=["x"]\nactions=["access"]\n'
    text = (SHIPPED / "zones.toml").read_text("utf-8") + row.format(*ends)
    if "management" in ends:
        # Joined to one side only it may be; to both it would be the third zone.
        ZoneMatrix.read(text.encode())
        text += row.format("management", "external").replace('"x"\norigin', '"y"\norigin')
    with pytest.raises(PoliciesUnusable, match="joins"):
        ZoneMatrix.read(text.encode())


def test_a_relation_has_one_kind() -> None:
    matrix = ZoneMatrix(zones="abc", live=[live("a", "a")], ferry=[Ferry(origin="a", destination="b")])
    kinds = {(here, there): matrix.kind(here, there) for here in "abc" for there in "abc"}
    assert kinds.pop(("a", "a")) is Kind.LIVE
    assert kinds.pop(("a", "b")) is Kind.FERRY
    assert set(kinds.values()) == {Kind.NONE}
    with pytest.raises(PoliciesUnusable, match="no zone"):
        ZoneMatrix(zones="ab", live=[], apart=[Apart(between=("a", "moon"))])


def test_rows_ask_for_label_record_and_state_of_the_device(ask: Ask) -> None:
    row = live("a", "a", classification=1, records=("household",), device_states=("healthy",))
    matrix = ZoneMatrix(zones="a", live=[row])
    good = {"from_zone": "a", "to_zone": "a", "classification": 1, "record_class": "household", "device": "d"}
    assert matrix.passage(ask(**good, device_state="healthy")).code is None
    assert matrix.passage(ask(**good, device_state="enrolled")).code is Code.DEVICE
    assert matrix.passage(ask(**good)).code is Code.DEVICE
    assert matrix.passage(ask(**good | {"device": None}, device_state="healthy")).code is Code.DEVICE
    assert matrix.passage(ask(**good | {"classification": 2}, device_state="healthy")).code is Code.ZONE
    assert matrix.passage(ask(**good | {"record_class": ""}, device_state="healthy")).code is Code.ZONE


@pytest.mark.parametrize("wrong", [{"classification": 4}, {"classification": -1}, {"assurance": 4}])
def test_levels_that_do_not_exist_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(PoliciesUnusable):
        ZoneMatrix(zones="a", live=[live("a", "a", **wrong)])
