# SPDX-License-Identifier: Apache-2.0
"""What a portal is told of accounts: only by whoever has the token, and nothing that it cannot keep."""

from pathlib import Path
from typing import Any

import pytest

from core.site import Ports, SiteSettings
from core.web import Guard, create
from portals.base import Accounts, accounts_service
from tests.fakes.clock import ManualClock


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("GET", "Users", {"query_string": {"filter": 'userName eq "\\q"'}}, 400),
        ("GET", "Users", {"query_string": {"filter": "userName pr"}}, 400),
        ("GET", "Users", {"query_string": {"count": "x"}}, 400),
        ("GET", "Users", {"headers": {"Authorization": "Bearer y"}}, 401),
        ("GET", "Users", {"headers": {"Authorization": "x"}}, 401),
        ("POST", "Users", {"data": b"[", "content_type": "application/json"}, 400),
        ("POST", "Users", {"data": b"{}", "content_type": "text/plain"}, 415),
        ("POST", "Users", {"json": {"userName": 7}}, 400),
        ("POST", "Users", {"json": {"userName": "\ud800"}}, 201),
        ("POST", "Groups", {"json": {"displayName": "a", "members": [1]}}, 400),
        ("PATCH", "Groups/g", {"json": {"Operations": [{"op": "add", "path": "members", "value": [1]}]}}, 400),
        ("PATCH", "Groups/g", {"json": {"Operations": [{"op": "replace", "path": "id", "value": "x"}]}}, 400),
        ("PATCH", "Users/x", {"json": {"Operations": []}}, 404),
        (
            "PUT",
            "Groups/g",
            {"json": {"displayName": "g"}, "headers": {"Authorization": "Bearer x", "If-Match": "y"}},
            412,
        ),
    ],
)
def test_what_comes_in_is_held_to_its_shape(
    method: str, path: str, sent: dict[str, Any], status: int, tmp_path: Path
) -> None:
    ports = Ports(external=1, internal=2, management=3, plain=4, ldaps=5)
    site = SiteSettings(name="t", domain="t.localhost", title="T", title_zh="T", state=tmp_path, ports=ports)
    accounts, guard = Accounts(tmp_path / "accounts.json"), Guard(clock=ManualClock())
    with accounts.changing() as held:
        held["Groups"]["g"] = {"id": "g", "displayName": "g", "meta": {"version": "1"}}
    service = accounts_service(accounts, guard, token=lambda: "x")
    client = create("p", site=site, guard=guard, session_key=b"k" * 32, blueprints=[service]).test_client()
    asked = {"headers": {"Authorization": "Bearer x"}, **sent}
    assert client.open(f"/scim/v2/{path}", method=method, base_url="https://p", **asked).status_code == status
