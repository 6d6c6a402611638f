# SPDX-License-Identifier: Apache-2.0
"""Attacks on one-time values and tokens: binding, races, replay, type confusion, malleability, withdrawn people."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import jwt
import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from audit import Event
from audit.models import Receipt, Wait
from tests.fakes.sso_directory import LI, WANG
from tests.sso.conftest import VERIFIER, Browser, World, answered, hidden


def test_a_code_works_once_and_its_replay_ends_the_family(world: World) -> None:
    code = world.browser().log_in("tax")["code"]
    tokens = world.redeem("tax", code).get_json()
    assert world.bearer(tokens["access_token"]).status_code == 200
    _refused(world.redeem("tax", code))
    assert world.bearer(tokens["access_token"]).status_code == 401
    _refused(world.token("tax", grant_type="refresh_token", refresh_token=tokens["refresh_token"]))
    assert "sso.token.revoked" in world.drain()


def test_fifty_parallel_redemptions_give_one_token(world: World) -> None:
    code = world.browser().log_in("tax")["code"]
    answers = _parallel(50, lambda: world.redeem("tax", code))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 49
    token = next(answer.get_json()["access_token"] for answer in answers if answer.status_code == 200)
    # Forty-nine others came after the first: whoever they were, the family is gone.
    assert world.bearer(token).status_code == 401
    assert world.drain().count("sso.token.issued") == 1


def test_fifty_parallel_refreshes_of_a_public_client_give_one_successor(world: World) -> None:
    tokens = world.redeem("web-app", world.browser().log_in("web-app")["code"]).get_json()
    refresh = tokens["refresh_token"]
    answers = _parallel(50, lambda: world.token("web-app", grant_type="refresh_token", refresh_token=refresh))
    # One of them exchanged it; whoever came in the same moment was told the same, and there is one that follows.
    assert {answer.status_code for answer in answers} == {200}
    (successor,) = {answer.get_json()["refresh_token"] for answer in answers}
    with world.database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM refresh_tokens")).scalar_one() == 2
    assert world.token("web-app", grant_type="refresh_token", refresh_token=successor).status_code == 200
    # Now that it went on, the first is reuse, however soon.
    _refused(world.token("web-app", grant_type="refresh_token", refresh_token=refresh))
    _refused(world.token("web-app", grant_type="refresh_token", refresh_token=successor))


def test_a_refresh_token_that_stays_is_redeemed_while_others_write(world: World) -> None:
    refresh = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()["refresh_token"]
    world.drain()
    with world.database.transaction():
        answer = world.token("tax", grant_type="refresh_token", refresh_token=refresh)
    assert answer.status_code == 200
    # Nothing changed, so nothing waits for the relay: both records stand already.
    assert world.store.outbox.head() == []
    assert world.recorder.types()[-2:] == ["sso.token.intended", "sso.token.issued"]


def test_what_ends_while_the_intent_is_being_recorded_gives_no_token(world: World) -> None:
    browser = world.browser()
    refresh = world.redeem("tax", browser.log_in("tax")["code"]).get_json()["refresh_token"]
    record = world.recorder.record

    def slow(event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
        if event.type == "sso.token.intended":
            world.hear("directory.person.disabled", subject=LI)
        return record(event, wait=wait)

    world.recorder.record = slow  # type: ignore[method-assign]  # one thing of a good default is overridden
    _refused(world.token("tax", grant_type="refresh_token", refresh_token=refresh))
    assert "sso.token.issued" not in world.recorder.types()[-2:]


def test_a_reused_refresh_token_ends_the_family(world: World) -> None:
    first = world.redeem("web-app", world.browser().log_in("web-app")["code"]).get_json()
    second = world.token("web-app", grant_type="refresh_token", refresh_token=first["refresh_token"]).get_json()
    again = world.token("web-app", grant_type="refresh_token", refresh_token=first["refresh_token"]).get_json()
    assert again["refresh_token"] == second["refresh_token"]
    world.clock.advance(timedelta(seconds=10))
    _refused(world.token("web-app", grant_type="refresh_token", refresh_token=first["refresh_token"]))
    _refused(world.token("web-app", grant_type="refresh_token", refresh_token=second["refresh_token"]))
    assert world.bearer(second["access_token"]).status_code == 401


def test_fifty_parallel_consents_give_one_code(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.fill_in(browser.follow(browser.authorize("tax"))))
    name, token = hidden(page.text, "interaction"), hidden(page.text, "csrf_token")
    cookie = "; ".join(
        f"{each}={browser.cookie(each)}" for each in ("__Host-sso", "__Host-sso-browser", "__Host-sso-session")
    )

    def agree() -> TestResponse:
        client = world.app.test_client(use_cookies=False)
        form = {"csrf_token": token, "interaction": name, "choice": "allow"}
        headers = {"Cookie": cookie, "Referer": world.issuer + "/"}
        return client.post("/consent", base_url=world.issuer, data=form, headers=headers)

    answers = _parallel(50, agree)
    assert sorted(answer.status_code for answer in answers) == [303] + [400] * 49


@pytest.mark.parametrize("thief", ["social", "web-app", "gateway"])
def test_a_code_is_bound_to_its_client(world: World, thief: str) -> None:
    code = world.browser().log_in("tax")["code"]
    _refused(
        world.token(
            thief,
            grant_type="authorization_code",
            code=code,
            redirect_uri=world.callback("tax"),
            code_verifier=VERIFIER,
        ),
        {"invalid_grant"},
    )
    assert world.redeem("tax", code).status_code == 200


@pytest.mark.parametrize("thief", ["social", "web-app"])
def test_a_refresh_token_is_bound_to_its_client(world: World, thief: str) -> None:
    tokens = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()
    _refused(world.token(thief, grant_type="refresh_token", refresh_token=tokens["refresh_token"]))
    assert world.token("tax", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": ""}, "invalid_request"),
        ({"code_verifier": "w" * 64}, "invalid_grant"),
        ({"code_verifier": "v" * 42}, "invalid_grant"),
        ({"code_verifier": "v" * 129}, "invalid_grant"),
        ({"code_verifier": "ü" * 64}, "invalid_grant"),
        ({"code_verifier": VERIFIER + " "}, "invalid_grant"),
        ({"redirect_uri": ""}, "invalid_request"),
        ({"redirect_uri": "https://tax.city.localhost:8443/callback/"}, "invalid_grant"),
        ({"redirect_uri": "https://TAX.city.localhost:8443/callback"}, "invalid_grant"),
        ({"code": ""}, "invalid_request"),
        ({"code": "x" * 43}, "invalid_grant"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"}, "unauthorized_client"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
    ],
)
def test_a_redemption_must_match_in_everything(world: World, changes: dict[str, str], error: str) -> None:
    code = world.browser().log_in("tax")["code"]
    presented = changes.get("code", code)
    answer = world.redeem("tax", presented, **{name: changes[name] for name in changes if name != "code"})
    assert (answer.status_code, answer.get_json()["error"]) == (400, error)
    assert world.redeem("tax", code).status_code == 200


def test_a_code_is_over_after_a_minute(world: World) -> None:
    code = world.browser().log_in("tax")["code"]
    world.clock.advance(timedelta(seconds=60))
    _refused(world.redeem("tax", code))


def test_every_one_time_value_is_refused_at_every_other_place(world: World) -> None:
    browser = world.browser()
    code = browser.log_in("tax")["code"]
    tokens = world.redeem("tax", browser.log_in_again("tax")["code"]).get_json()
    page = browser.follow(browser.authorize("tax", prompt="login"))
    interaction = hidden(page.text, "interaction")
    ticket = browser.post("/login/card", page, interaction=interaction).location.split("ticket=")[1].split("&")[0]
    values = {
        "code": code,
        "access": tokens["access_token"],
        "refresh": tokens["refresh_token"],
        "id": tokens["id_token"],
        "interaction": interaction,
        "ticket": ticket,
        "session": browser.cookie("__Host-sso-session"),
        "browser": browser.cookie("__Host-sso-browser"),
    }
    for kind, value in values.items():
        if kind != "code":
            _refused(world.redeem("tax", value))
        if kind != "refresh":
            _refused(world.token("tax", grant_type="refresh_token", refresh_token=value))
        if kind != "access":
            assert world.bearer(value).status_code == 401, kind
        if kind != "interaction":
            assert browser.get("/login", interaction=value).status_code == 400, kind
            assert browser.get("/consent", interaction=value).status_code == 400, kind
        assert browser.get("/login/card", handover=value).status_code == 400, kind
        if kind != "session":
            stranger = world.app.test_client()
            stranger.set_cookie("__Host-sso-session", value, domain=world.site.host("sso"), secure=True)
            answer = stranger.get("/account", base_url=world.issuer)
            assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/login"), kind


def test_a_changed_byte_makes_every_opaque_value_worthless(world: World) -> None:
    tokens = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()
    good = tokens["refresh_token"]
    for bad in _mutations(good):
        _refused(
            world.token("tax", grant_type="refresh_token", refresh_token=bad), {"invalid_grant", "invalid_request"}
        )
    assert world.token("tax", grant_type="refresh_token", refresh_token=good).status_code == 200


def test_a_changed_byte_makes_every_signed_token_worthless(world: World) -> None:
    good = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()["access_token"]
    for bad in _mutations(good):
        assert world.bearer(bad).status_code == 401, bad
    assert world.bearer(good).status_code == 200


def _person_disabled(world: World, _browser: Browser) -> None:
    world.people.disable(WANG)


def _person_disabled_by_news(world: World, _browser: Browser) -> None:
    world.hear("directory.person.disabled", subject=WANG)


def _person_gone(world: World, _browser: Browser) -> None:
    del world.people.people[WANG]


def _certificate_suspended(world: World, _browser: Browser) -> None:
    world.hear("ca.certificate.suspended", subject=WANG, object_="1a2b")


def _certificate_revoked(world: World, _browser: Browser) -> None:
    world.hear("ca.certificate.revoked", subject=WANG, object_="1a2b")


def _consent_withdrawn(world: World, browser: Browser) -> None:
    page = browser.get("/account")
    for client in ("tax", "web-app"):
        assert browser.post("/account/consents/withdraw", page, client=client).status_code == 303


def _session_ended(world: World, browser: Browser) -> None:
    assert browser.post("/account/sessions/end-all", browser.get("/account")).status_code == 303


WITHDRAWALS: list[Callable[[World, Browser], None]] = [
    _person_disabled,
    _person_disabled_by_news,
    _person_gone,
    _certificate_suspended,
    _certificate_revoked,
    _consent_withdrawn,
    _session_ended,
]


@pytest.mark.parametrize("withdraw", WITHDRAWALS)
@pytest.mark.parametrize("client", ["tax", "web-app"])
def test_whatever_was_taken_away_every_redemption_refuses(
    world: World, client: str, withdraw: Callable[[World, Browser], None]
) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize(client))
    tokens = world.redeem(
        client, browser.finish(browser.back(browser.card(page, f"card 1a2b {WANG}")))["code"]
    ).get_json()
    unused = answered(browser.authorize(client))["code"]
    withdraw(world, browser)
    _refused(world.redeem(client, unused))
    _refused(world.token(client, grant_type="refresh_token", refresh_token=tokens["refresh_token"]))
    # A person who is only disabled in the directory is refused here at once, and everywhere when the news arrives.
    assert world.bearer(tokens["access_token"]).status_code == 401
    again = browser.authorize(client)
    if again.status_code == 303 and "/callback?" in again.location:
        assert answered(again)["error"] == "access_denied"
    else:
        assert again.location.startswith(("/login", "/consent"))
    assert "error" in answered(browser.authorize(client, prompt="none"))


def test_without_a_record_nothing_is_issued(world: World) -> None:
    browser = world.browser()
    code = browser.log_in("tax")["code"]
    world.recorder.down = True
    answer = world.redeem("tax", code)
    assert (answer.status_code, answer.get_json()["error"]) == (503, "temporarily_unavailable")
    assert browser.authorize("tax").status_code == 503
    assert world.store.outbox.head() != []
    world.recorder.down = False
    tokens = world.redeem("tax", code).get_json()
    world.recorder.down = True
    assert world.bearer(tokens["access_token"]).status_code == 503
    refresh = tokens["refresh_token"]
    assert world.token("tax", grant_type="refresh_token", refresh_token=refresh).status_code == 503


@pytest.mark.parametrize("asks", ["userinfo", "introspection"])
@pytest.mark.parametrize(("seconds", "silent", "status"), [(0.2, False, 200), (1.5, False, 401), (1.5, True, 503)])
def test_what_ended_while_the_record_was_waited_for_is_told_of_as_ended(
    world: World, monkeypatch: pytest.MonkeyPatch, asks: str, seconds: float, status: int, *, silent: bool
) -> None:
    """A log that stands still holds up the answer, and must not make it an old one."""
    token = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()["access_token"]
    grant, record = jwt.decode(token, options={"verify_signature": False})["grant"], world.recorder.record

    def late(event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
        receipt = record(event, wait=wait)
        world.clock.advance(timedelta(seconds=seconds))
        world.fresh = not silent
        if not silent:
            at = int(world.clock.now().timestamp())
            world.store.grants.revoke(grant, at, lambda _grant: replace(event, key=secrets.token_hex(16)))
        return receipt

    def asked() -> int:
        if asks == "userinfo":
            return world.bearer(token).status_code
        form, headers = {"token": token}, world.basic("gateway")
        answer = world.app.test_client().post("/introspect", base_url=world.issuer, data=form, headers=headers)
        return 401 if answer.status_code == 200 and not answer.get_json()["active"] else answer.status_code

    assert asked() == 200
    monkeypatch.setattr(world.recorder, "record", late)
    assert asked() == status


def test_on_stale_news_nothing_is_issued(world: World) -> None:
    browser = world.browser()
    code = browser.log_in("tax")["code"]
    tokens = world.redeem("tax", browser.log_in_again("tax")["code"]).get_json()
    world.fresh = False
    assert world.redeem("tax", code).status_code == 503
    assert world.bearer(tokens["access_token"]).status_code == 503
    assert browser.authorize("tax").status_code == 503
    stranger = world.browser()
    assert stranger.fill_in(stranger.follow(stranger.authorize("tax"))).status_code == 503
    world.fresh = True
    assert world.redeem("tax", code).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Basic",
        "Basic !!!",
        "Basic dGF4",
        "Basic dGF4Og==",
        "Basic /////w==",
        "Bearer abc",
        "Digest username=tax",
        "Basic " + "A" * 9000,
    ],
)
def test_client_authentication_refuses_everything_odd(world: World, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    for path in ("/token", "/introspect", "/revoke"):
        answer = world.app.test_client().post(path, base_url=world.issuer, data={"token": "x"}, headers=headers)
        assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_a_client_says_who_it_is_in_one_way_only(world: World) -> None:
    client = world.app.test_client()
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    for more, headers in (
        ({"client_secret": "t" * 43, "client_id": "tax"}, {}),
        ({"client_secret": "t" * 43}, world.basic("tax")),
        ({"client_id": "social"}, world.basic("tax")),
        ({"client_id": "tax"}, {}),
        ({}, world.basic("tax", "wrong" * 9)),
        ({}, world.basic("unknown", "t" * 43)),
        ({}, world.basic("web-app", "x")),
    ):
        answer = client.post("/token", base_url=world.issuer, data={**form, **more}, headers=headers)
        assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client"), more


def test_used_secrets_are_nowhere_in_the_database(world: World) -> None:
    browser = world.browser()
    code = browser.log_in("tax")["code"]
    tokens = world.redeem("tax", code).get_json()
    world.redeem("tax", browser.log_in_again("tax")["code"])
    kept = b"".join(path.read_bytes() for path in world.site.state.glob("sso.db*"))
    for value in (
        code,
        tokens["refresh_token"],
        tokens["access_token"],
        browser.cookie("__Host-sso-session"),
        browser.cookie("__Host-sso-browser"),
        "t" * 43,
        "correct horse",
    ):
        assert value.encode() not in kept


def test_each_login_begins_a_family_of_its_own(world: World) -> None:
    browser = world.browser()
    first = world.redeem("tax", browser.log_in("tax")["code"]).get_json()
    code = answered(browser.authorize("tax"))["code"]
    second = world.redeem("tax", code).get_json()
    _refused(world.redeem("tax", code))
    assert world.bearer(second["access_token"]).status_code == 401
    assert world.bearer(first["access_token"]).status_code == 200


def test_userinfo_refuses_a_token_of_a_client_that_moved(world: World) -> None:
    token = world.redeem("tax", world.browser().log_in("tax")["code"]).get_json()["access_token"]
    client = world.store.clients.find("tax")
    assert client is not None
    world.store.clients.put(replace(client, audience="https://elsewhere.example"))
    assert world.bearer(token).status_code == 401
    assert jwt.decode(token, options={"verify_signature": False})["sub"] == LI


def _refused(answer: TestResponse, errors: frozenset[str] | set[str] = frozenset({"invalid_grant"})) -> None:
    assert answer.status_code == 400, answer.text
    assert answer.get_json()["error"] in errors


def _mutations(good: str) -> list[str]:
    changed = [good[:i] + ("A" if good[i] != "A" else "B") + good[i + 1 :] for i in range(len(good))]
    return [
        *changed,
        good[:-1],
        good[1:],
        good + "A",
        good + "=",
        good.swapcase(),
        good.upper(),
        f" {good}",
        f"{good} ",
    ]


def _parallel(count: int, act: Callable[[], TestResponse]) -> list[TestResponse]:
    answers: list[TestResponse] = []
    start = threading.Barrier(count)

    def run() -> None:
        start.wait()
        answers.append(act())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == count
    return answers


def test_tokens_do_not_repeat(world: World) -> None:
    browser = world.browser()
    codes = {browser.log_in("tax")["code"], *(answered(browser.authorize("tax"))["code"] for _ in range(5))}
    assert len(codes) == 6
    assert all(len(code) >= len(secrets.token_urlsafe(32)) for code in codes)
