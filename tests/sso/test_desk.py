# SPDX-License-Identifier: Apache-2.0
"""Who gets to the desk, and from where."""

import pytest

from sso.web.admin import ADMINISTRATOR, AGENCY
from tests.sso.conftest import World
from tests.sso.desk import HOST, Officer


@pytest.mark.parametrize("role", [ADMINISTRATOR, AGENCY])
def test_those_who_work_here_see_the_keys_portals_believe(world: World, role: str) -> None:
    page = Officer(world, roles=(role,)).get("/admin")
    assert page.status_code == 200
    assert world.service.jwks["keys"][0]["kid"] in page.text


@pytest.mark.parametrize(
    "roles",
    [
        (),
        ("security-officer",),
        ("directory-administrator",),
        (ADMINISTRATOR, AGENCY),
        (ADMINISTRATOR, "security-officer"),
    ],
    ids=" ".join,
)
def test_nobody_else_does_nor_whoever_holds_two_powers(world: World, roles: tuple[str, ...]) -> None:
    assert Officer(world, roles=roles).get("/admin").status_code == 403


def test_a_password_alone_is_not_sure_enough(world: World) -> None:
    assert Officer(world, assurance=1).get("/admin").status_code == 403


def test_the_desk_is_no_page_of_the_sign_on_host_and_has_none_of_its_pages(world: World) -> None:
    client = world.app.test_client()
    assert client.get("/admin", base_url=world.issuer).status_code == 401
    for path in ("/login", "/account", "/authorize", "/token", "/jwks", "/register"):
        assert client.get(path, base_url=f"https://{HOST}").status_code in (404, 405), path
    assert client.get("/", base_url=f"https://{HOST}").location == "/admin"
