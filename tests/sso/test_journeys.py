# SPDX-License-Identifier: Apache-2.0
"""What must work: one login for many portals, tokens, refresh, cards, step-up, machines."""

from datetime import timedelta
from urllib.parse import urlsplit

import jwt
from sqlalchemy import text
from werkzeug.test import TestResponse

from audit import Outcome
from tests.fakes.sso_directory import LI, WANG
from tests.sso.conftest import World, answered, hidden, request


def test_a_citizen_logs_in_once_and_walks_through_two_portals(world: World) -> None:
    browser = world.browser()
    said = browser.log_in("tax")
    assert said["state"] == "a state"
    assert said["iss"] == world.issuer
    tokens = world.redeem("tax", said["code"]).get_json()
    assert world.bearer(tokens["access_token"]).get_json() == {
        "sub": LI,
        "name": "Li Na",
        "name_zh": "李娜",
        "preferred_username": "li.na",
    }
    second = browser.finish(browser.authorize("social"))
    other = world.redeem("social", second["code"]).get_json()
    first_id, second_id = (_claims(each["id_token"]) for each in (tokens, other))
    assert first_id["sid"] == second_id["sid"]
    assert (first_id["aud"], second_id["aud"]) == ("tax", "social")


def test_tokens_say_what_the_contract_says(world: World) -> None:
    tokens = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()
    access, header = _claims(tokens["access_token"]), jwt.get_unverified_header(tokens["access_token"])
    assert header["typ"] == "at+jwt"
    assert header["kid"] == world.keys.jwks()["keys"][0]["kid"]
    assert {**access, "sid": "", "jti": "", "grant": ""} == {
        "iss": world.issuer,
        "sub": LI,
        "aud": world.site.origin("tax"),
        "client_id": "tax",
        "sid": "",
        "scope": "openid profile",
        "acr": "1",
        "amr": ["pwd"],
        "auth_time": int(world.clock.now().timestamp()),
        "jti": "",
        "grant": "",
        "iat": int(world.clock.now().timestamp()),
        "exp": int(world.clock.now().timestamp()) + 300,
    }
    identity = _claims(tokens["id_token"])
    assert identity["nonce"] == "a nonce"
    assert identity["aud"] == "tax"
    assert identity["at_hash"]


def test_the_record_stands_before_each_answer(world: World) -> None:
    tokens = world.redeem("tax", world.browser().log_in("tax")["code"])
    assert tokens.status_code == 200
    kinds = [(event.type, event.outcome) for event in world.recorder.events]
    assert kinds == [
        ("sso.login.attempted", Outcome.INTENDED),
        ("sso.login", Outcome.SUCCESS),
        ("sso.consent.granted", Outcome.INTENDED),
        ("sso.code.intended", Outcome.INTENDED),
        ("sso.token.intended", Outcome.INTENDED),
    ]
    assert world.drain()[5:] == ["sso.consent.granted", "sso.code.issued", "sso.token.issued"]
    login = world.recorder.events[1]
    assert login.subject == LI
    assert login.sealed["name"] == "Li Na"
    # What officers read, once it is opened: the names of both ends as they were then.
    assert login.sealed["object_name"] == "Tax portal"
    assert login.sealed["name_zh"] == "李娜"
    assert "address" not in " ".join(login.attributes)


def test_a_trusted_client_needs_no_consent(world: World) -> None:
    browser = world.browser()
    answer = browser.fill_in(browser.follow(browser.authorize("gateway")))
    assert "code" in answered(answer)


def test_consent_is_asked_once_and_again_for_more(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    assert "code" in answered(browser.authorize("tax"))
    assert browser.authorize("tax", scope="openid profile email").location.startswith("/consent")
    assert browser.authorize("tax", prompt="consent").location.startswith("/consent")
    world.clock.advance(timedelta(days=366))
    again = browser.fill_in(browser.follow(browser.authorize("tax")))
    assert again.location.startswith("/consent")


def test_declining_is_told_to_the_client(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.fill_in(browser.follow(browser.authorize("tax"))))
    answer = browser.post("/consent", page, interaction=hidden(page.text, "interaction"), choice="deny")
    said = answered(answer)
    assert said["error"] == "access_denied"
    assert said["iss"] == world.issuer
    assert said["state"] == "a state"


def test_prompt_none_never_shows_a_page(world: World) -> None:
    browser = world.browser()
    assert answered(browser.authorize("tax", prompt="none"))["error"] == "login_required"
    browser.log_in("tax")
    assert "code" in answered(browser.authorize("tax", prompt="none"))
    assert answered(browser.authorize("social", prompt="none"))["error"] == "consent_required"
    assert answered(browser.authorize("tax", prompt="none", acr_values="3"))["error"] == "login_required"


def test_prompt_login_and_max_age_ask_again(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    page = browser.follow(browser.authorize("tax", prompt="login"))
    assert 'name="password"' in page.text
    assert "code" in answered(browser.fill_in(page))
    world.clock.advance(timedelta(seconds=61))
    assert browser.authorize("tax", max_age="60").location.startswith("/login")
    assert "code" in answered(browser.authorize("tax", max_age="600"))
    assert browser.authorize("tax", max_age="0").location.startswith("/login")


def test_a_card_logs_in_and_raises_assurance(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway", acr_values="3"))
    assert 'name="password"' not in page.text
    said = answered(browser.back(browser.card(page, f"card 1a2b {WANG}")))
    identity = _claims(world.redeem("gateway", said["code"]).get_json()["id_token"])
    assert (identity["acr"], identity["amr"], identity["sub"]) == ("3", ["sc"], WANG)


def test_step_up_keeps_the_session_under_a_new_cookie(world: World) -> None:
    browser = world.browser()
    first = world.redeem("gateway", browser.log_in("gateway", "wang.wei")["code"]).get_json()
    cookie = browser.cookie("__Host-sso-session")
    page = browser.follow(browser.authorize("gateway", acr_values="3"))
    said = answered(browser.back(browser.card(page, f"card 1a2b {WANG}")))
    second = _claims(world.redeem("gateway", said["code"]).get_json()["id_token"])
    assert second["acr"] == "3"
    assert second["sid"] == _claims(first["id_token"])["sid"]
    assert browser.cookie("__Host-sso-session") not in ("", cookie)
    assert "sso.session.ended" not in world.drain()


def test_assurance_is_the_lower_of_proofing_and_card(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway", acr_values="3"))
    answer = browser.back(browser.card(page, f"card 77 {LI}"))
    assert answered(answer)["error"] == "unmet_authentication_requirements"
    assert "code" in answered(browser.authorize("gateway", acr_values="2"))


def test_confidential_clients_refresh_without_rotation(world: World) -> None:
    tokens = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()
    for _ in range(2):
        fresh = world.token("tax", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        assert fresh.status_code == 200, fresh.text
        assert "refresh_token" not in fresh.get_json()
    less = world.token("tax", grant_type="refresh_token", refresh_token=tokens["refresh_token"], scope="openid")
    assert less.get_json()["scope"] == "openid"
    more = world.token("tax", grant_type="refresh_token", refresh_token=tokens["refresh_token"], scope="openid email")
    assert (more.status_code, more.get_json()["error"]) == (400, "invalid_scope")


def test_public_clients_rotate(world: World) -> None:
    tokens = world.redeem("web-app", world.browser().log_in("web-app")["code"]).get_json()
    fresh = world.token("web-app", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).get_json()
    assert fresh["refresh_token"] != tokens["refresh_token"]


def test_a_machine_gets_a_token_of_its_own(world: World) -> None:
    answer = world.token("machine", grant_type="client_credentials")
    token = answer.get_json()["access_token"]
    claims = _claims(token)
    assert (claims["sub"], claims["scope"], claims["aud"]) == ("machine", "organisation", world.site.origin("tax"))
    assert "sid" not in claims
    told = world.bearer(token)
    assert (told.status_code, told.get_json()["error"]) == (403, "insufficient_scope")


def test_introspection_tells_the_right_asker(world: World) -> None:
    tokens = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()

    def ask(client: str, token: str) -> dict[str, object]:
        answer = world.app.test_client().post(
            "/introspect", base_url=world.issuer, data={"token": token}, headers=world.basic(client)
        )
        found: dict[str, object] = answer.get_json()
        return found

    assert ask("tax", tokens["access_token"])["active"] is True
    assert ask("gateway", tokens["access_token"])["acr"] == "1"
    assert ask("tax", tokens["refresh_token"])["active"] is True
    assert ask("social", tokens["access_token"]) == {"active": False}
    assert ask("social", tokens["refresh_token"]) == {"active": False}
    assert ask("tax", "no token") == {"active": False}
    world.clock.advance(timedelta(minutes=5))
    assert ask("tax", tokens["access_token"]) == {"active": False}


def test_revocation_ends_the_family(world: World) -> None:
    tokens = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()

    def revoke(client: str) -> int:
        form = {"token": tokens["refresh_token"]}
        answer = world.app.test_client().post("/revoke", base_url=world.issuer, data=form, headers=world.basic(client))
        return answer.status_code

    assert revoke("social") == 200
    assert world.bearer(tokens["access_token"]).status_code == 200
    assert revoke("tax") == 200
    assert world.bearer(tokens["access_token"]).status_code == 401
    assert "sso.token.revoked" in world.drain()


def test_revoking_an_access_token_ends_it_alone(world: World) -> None:
    tokens = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()
    other = world.token("tax", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).get_json()

    def send(path: str, client: str, token: str) -> TestResponse:
        form = {"token": token, "token_type_hint": "refresh_token"}
        return world.app.test_client().post(path, base_url=world.issuer, data=form, headers=world.basic(client))

    # Another client's wish counts for nothing.
    assert send("/revoke", "social", tokens["access_token"]).status_code == 200
    assert world.bearer(tokens["access_token"]).status_code == 200
    for _ in range(2):
        assert send("/revoke", "tax", tokens["access_token"]).status_code == 200
    assert world.bearer(tokens["access_token"]).status_code == 401
    for asker in ("tax", "gateway"):
        assert send("/introspect", asker, tokens["access_token"]).get_json() == {"active": False}
    assert world.bearer(other["access_token"]).status_code == 200
    assert world.token("tax", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).status_code == 200
    assert world.drain().count("sso.token.ended") == 1
    ended = next(event for event in world.recorder.events if event.type == "sso.token.ended")
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert (ended.object, ended.attributes["grant"]) == (claims["jti"], claims["grant"])
    # Nobody keeps it longer than it could be shown.
    world.clock.advance(timedelta(minutes=6))
    world.service.housekeeping.batch()
    with world.database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM ended_tokens")).scalar() == 0


def test_form_post_needs_one_click_and_no_script(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    page = browser.authorize("tax", response_mode="form_post", state='"><script>')
    assert page.status_code == 200
    assert hidden(page.text, "code")
    assert "<script" not in page.text
    assert f"form-action 'self' {world.site.origin('tax')};" in page.headers["Content-Security-Policy"]


def test_discovery_names_this_issuer_whatever_the_host_header_says(world: World) -> None:
    client = world.app.test_client()
    for path in ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"):
        told = client.get(path, base_url="https://evil.example", headers={"X-Forwarded-Host": "evil.example"})
        assert told.get_json()["issuer"] == world.issuer
        assert "evil" not in told.text
    keys = client.get("/jwks", base_url=world.issuer).get_json()["keys"]
    assert [sorted(key) for key in keys] == [["alg", "crv", "kid", "kty", "use", "x", "y"]]


def test_my_account_leads_to_login_and_back(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.get("/account"))
    answer = browser.fill_in(page)
    assert (answer.status_code, answer.location) == (303, "/account")
    assert "Li Na" in browser.get("/account").text


def test_the_form_may_lead_to_the_client_it_answers(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize("tax"))
    policy = page.headers["Content-Security-Policy"]
    assert f"form-action 'self' {world.site.origin('tax')} {world.site.origin('card')};" in policy
    assert urlsplit(request(world)["redirect_uri"]).netloc in policy


def _claims(token: str) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return claims
