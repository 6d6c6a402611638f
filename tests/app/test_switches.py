# SPDX-License-Identifier: Apache-2.0
"""Which ways between networks an emergency switch can close: what is joined live, and what leads to open hosts."""

from pathlib import Path

import policies
from app.wiring.switches import closable, ways
from gateway import GatewaySettings
from gateway.config import Destination, EgressSettings, OpenHost
from policies.zones import Live, Zone, ZoneMatrix


def test_of_the_shipped_zones_every_way_to_an_open_host_can_be_closed() -> None:
    matrix = ZoneMatrix.read((Path(policies.__file__).parent / "shipped" / "zones.toml").read_bytes())
    found = ways(matrix, GatewaySettings().open_hosts.values())
    # No row joins these two; documents are verified and certificates renewed from there all the same.
    assert ("internal", "external") in found
    assert ("management", "external") in found
    assert ("external", "external") in found
    # Nobody comes in from the internet by a listener of its own, but a row joins it.
    assert ("internet", "external") in found
    # Nothing leads there from elsewhere.
    assert not [pair for pair in found if pair[1] == "management" and pair[0] != "management"]
    assert ("external", "internal") not in found


def test_only_whence_a_listener_of_the_host_can_be_reached() -> None:
    zones = {
        "external": Zone(says="x"),
        "branch": Zone(says="x", networks=("10.0.0.0/8",), listeners=("external",)),
        "internal": Zone(says="x"),
        "management": Zone(says="x"),
    }
    row = Live(id="a", origin="internal", destination="internal", classes=("office",), actions=("access",))
    matrix = ZoneMatrix(zones=zones, live=[row])
    one = OpenHost(role="ca", why="x", listeners=("external",), zone="management")
    assert ways(matrix, [one]) == [("branch", "management"), ("external", "management"), ("internal", "internal")]
    # One that names no zone stands in those of its listeners; what is taken back there is not closed.
    assert ("branch", "external") in ways(matrix, [OpenHost(role="ca", why="x", listeners=("external",))])
    assert ways(matrix, [OpenHost(role="sso", why="x")]) == [("internal", "internal")]


def test_what_has_a_name_can_be_closed_but_for_where_that_is_taken_back() -> None:
    egress = EgressSettings(destinations={"standards": Destination(hosts=("iso.example",))})
    found = closable(GatewaySettings(egress=egress))
    assert {"tax", "ca", "verify", "acme", "standards"} <= set(found)
    assert not {"audit", "sso", "pdp", "ca-direct", "log"} & set(found)
