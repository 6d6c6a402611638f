# SPDX-License-Identifier: Apache-2.0
"""The journeys that must work: code flow, tokens, userinfo, second portal, card, step-up."""

import jwt

from tests.sso.conftest import World


def test_a_citizen_logs_in_once_and_gets_tokens(world: World) -> None:
    browser = world.browser()
    said = browser.log_in("tax")
    assert said["state"] == "a state"
    assert said["iss"] == world.issuer
    answer = world.redeem("tax", said["code"])
    assert answer.status_code == 200, answer.text
    tokens = answer.get_json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 300
    told = world.bearer(tokens["access_token"])
    assert told.get_json()["name_zh"] == "李娜"
