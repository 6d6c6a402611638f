# SPDX-License-Identifier: Apache-2.0
"""A grant holds what was granted and what was refused; its end is the end of everything that came of it."""

from sqlalchemy import select

from sso.store.tables import GRANTS
from tests.sso.conftest import World, answered, hidden


def _agree(world: World, *withheld: str, **changes: str) -> dict[str, str]:
    browser = world.browser()
    page = browser.follow(browser.fill_in(browser.follow(browser.authorize("tax", prompt="consent", **changes))))
    form = {"interaction": hidden(page.text, "interaction"), "choice": "allow", "withhold": list(withheld)}
    return answered(browser.post("/consent", page, **form))  # type: ignore[arg-type]  # several values of one field


def test_what_the_person_keeps_to_themselves_is_not_granted_and_not_asked_again(world: World) -> None:
    said = _agree(world, "email", "openid", "roles", scope="openid profile email")
    tokens = world.redeem("tax", said["code"]).get_json()
    assert tokens["scope"] == "openid profile"
    assert "email" not in world.bearer(tokens["access_token"]).get_json()
    with world.database.reading() as connection:
        grant = connection.execute(select(GRANTS)).one()
    assert (grant.scopes, grant.refused) == ("openid profile", "email")
    # Asked for the same again, there is no question, and still no address.
    browser = world.browser()
    again = browser.fill_in(browser.follow(browser.authorize("tax", scope="openid email")))
    assert world.redeem("tax", answered(again)["code"]).get_json()["scope"] == "openid"
    # A refresh cannot widen it either.
    wider = world.token("tax", grant_type="refresh_token", refresh_token=tokens["refresh_token"], scope="openid email")
    assert wider.get_json()["error"] == "invalid_scope"


def test_a_later_no_takes_back_what_was_granted_before(world: World) -> None:
    first = world.redeem("tax", _agree(world, scope="openid profile")["code"]).get_json()
    _agree(world, "profile", scope="openid profile")
    answer = world.token("tax", grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert answer.get_json()["error"] == "invalid_grant"
