# SPDX-License-Identifier: Apache-2.0
"""One-time codes and codes on paper: what they prove, how they are guessed, replayed and planted by a thief."""

import base64
import html
import re
import threading
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from audit import Outcome
from sso.factors import recovery, strength, totp
from sso.models import LoginDecision
from sso.store.tables import CODE_APPS, RECOVERY_CODES
from tests.fakes.sso_directory import LI, WANG
from tests.sso.conftest import Browser, World, answered, hidden

# RFC 6238 appendix B, SHA-1: the last six of eight digits.
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]
SECRET = b"12345678901234567890"


@pytest.mark.parametrize(("at", "code"), VECTORS)
def test_codes_are_those_of_the_standard(at: int, code: str) -> None:
    assert totp.matching_step(SECRET, code, at=at) == at // 30
    assert totp.matching_step(SECRET, code, at=at + 30) == at // 30
    assert totp.matching_step(SECRET, code, at=at - 30) == at // 30
    assert totp.matching_step(SECRET, code, at=at + 90) is None
    for other in (
        "",
        code[:5],
        code + "0",
        "\uff10" * 6,
        "\ud800",
        code.translate(str.maketrans("0123456789", "1234567890")),
    ):
        assert totp.matching_step(SECRET, other, at=at) is None


def test_what_an_app_is_told_leads_to_the_same_secret() -> None:
    asked = urlsplit(totp.setup_uri(SECRET, site="City of Example", name="Li Na & Co"))
    assert (asked.scheme, asked.netloc, asked.path) == ("otpauth", "totp", "/City%20of%20Example:Li%20Na%20%26%20Co")
    said = parse_qs(asked.query)["secret"][0]
    assert base64.b32decode(said) == SECRET
    assert totp.shown_secret(SECRET).replace(" ", "") == said


def test_codes_on_paper_are_read_as_people_write_them() -> None:
    (code,) = recovery.recovery_codes([bytes(range(10))])
    assert re.fullmatch(r"([0-9A-Z]{4}-){3}[0-9A-Z]{4}", code)
    plain = recovery.normalized(code)
    for written in (code.lower(), code.replace("-", " "), code.replace("0", "o").replace("1", "l")):
        assert recovery.normalized(written) == plain
    for other in ("", "123456", code[:-1], code + "0", code[:-1] + "U", code[:-1] + "é"):
        assert recovery.normalized(other) == ""


def test_a_code_makes_a_login_one_of_two_factors(world: World) -> None:
    secret = set_up(world, "wang.wei", by_card=WANG)
    said = _log_in(world, "wang.wei", code(world, secret))
    claims = world.bearer(world.redeem("gateway", said["code"]).get_json()["access_token"])
    assert claims.status_code == 200
    (session,) = world.store.sessions.of(WANG, _now(world))[:1]
    assert (session.methods, session.assurance) == (("pwd", "otp", "mfa"), 2)
    login = next(event for event in reversed(world.recorder.events) if event.type == "sso.login")
    assert login.attributes["amr"] == "pwd otp mfa"


def test_the_assurance_a_client_asks_for_is_reached_by_a_code(world: World) -> None:
    secret = set_up(world, "wang.wei", by_card=WANG)
    browser = world.browser()
    page = browser.follow(browser.authorize("gateway", acr_values="2"))
    assert "second factor" in page.text
    assert "code" in answered(browser.fill_in(page, "wang.wei", code=code(world, secret)))
    cards_only = browser.follow(browser.authorize("gateway", acr_values="3"))
    assert 'name="password"' not in cards_only.text


def test_policies_that_want_more_than_a_password_take_a_code(world: World) -> None:
    secret = set_up(world, "wang.wei", by_card=WANG)
    world.decision = LoginDecision(allowed=False, step_up=2, reasons=("surer",))
    browser = world.browser()
    answer = browser.fill_in(browser.follow(browser.authorize("gateway")), "li.na")
    assert answer.status_code == 403
    assert "second factor" in answer.text
    world.decision = replace(world.decision, allowed=True, step_up=None)
    again = browser.fill_in(answer, "wang.wei", code=code(world, secret))
    assert "code" in answered(again)


def test_once_in_force_a_code_is_asked_for_and_refused_in_the_same_words(world: World) -> None:
    secret = set_up(world, "wang.wei", by_card=WANG)
    texts = set()
    for password, given in ((None, ""), (None, "000000"), ("wrong", code(world, secret)), ("wrong", "")):
        world.clock.advance(timedelta(minutes=30))
        browser = world.browser()
        answer = browser.fill_in(browser.follow(browser.authorize("gateway")), "wang.wei", password, given)
        assert answer.status_code == 401
        texts.add(re.sub(r'(value|data-options)="[^"]*"|interaction=[^&"]*', "", answer.text))
    assert len(texts) == 1
    failed = [event for event in world.recorder.events if event.outcome is Outcome.FAILURE]
    # Whoever's password is known to somebody finds that in the own record; all others stay unnamed.
    assert [(event.subject, event.attributes["reason"]) for event in failed] == [
        (WANG, "missing"),
        (WANG, "wrong"),
        ("", "wrong"),
        ("", "wrong"),
    ]


def test_a_code_works_once_and_no_older_one_after_it(world: World) -> None:
    secret = set_up(world, "wang.wei", by_card=WANG)
    now, before = code(world, secret), code(world, secret, steps=-1)
    _log_in(world, "wang.wei", now)
    for used in (now, before):
        browser = world.browser()
        assert browser.fill_in(browser.follow(browser.authorize("gateway")), "wang.wei", code=used).status_code == 401


def test_the_code_that_set_an_app_up_logs_nobody_in(world: World) -> None:
    secret = set_up(world, "wang.wei", by_card=WANG, advance=False)
    browser = world.browser()
    answer = browser.fill_in(browser.follow(browser.authorize("gateway")), "wang.wei", code=code(world, secret))
    assert answer.status_code == 401


def test_parallel_logins_with_one_code_open_one_session(world: World) -> None:
    secret = set_up(world, "wang.wei", by_card=WANG)
    given, answers = code(world, secret), list[int]()
    browsers = [world.browser() for _ in range(4)]
    pages = [browser.follow(browser.authorize("gateway")) for browser in browsers]

    def log_in(browser: Browser, page: TestResponse) -> None:
        answers.append(browser.fill_in(page, "wang.wei", code=given).status_code)

    threads = [threading.Thread(target=log_in, args=pair) for pair in zip(browsers, pages, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [303, 401, 401, 401]


def test_codes_are_not_guessed_from_many_networks(world: World) -> None:
    secret = set_up(world, "wang.wei", by_card=WANG)
    for number in range(30):
        browser = world.browser()
        browser.client.environ_base["REMOTE_ADDR"] = f"198.51.{number}.9"
        browser.fill_in(browser.follow(browser.authorize("gateway")), "wang.wei", code="000000")
    reasons = [event.attributes["reason"] for event in world.recorder.events if event.outcome is Outcome.FAILURE]
    assert reasons.count("wrong") == 6
    # Nobody is locked out for good, and the card opens meanwhile.
    card = world.browser()
    assert card.back(card.card(card.follow(card.authorize("gateway")), f"card 1a {WANG}")).status_code == 303
    world.clock.advance(timedelta(minutes=15))
    assert "code" in _log_in(world, "wang.wei", code(world, secret))


def test_what_a_password_alone_set_up_waits_and_its_owner_is_told_and_can_take_it_away(world: World) -> None:
    secret = set_up(world, "li.na")
    # The thief's codes prove nothing yet,
    thief = world.browser()
    thief.finish(thief.fill_in(thief.follow(thief.authorize("tax")), code=code(world, secret)))
    (session,) = world.store.sessions.of(LI, _now(world))[:1]
    assert (session.methods, session.assurance) == (("pwd", "otp"), 1)
    # nor do they keep the owner out, who is told at once
    owner = world.browser()
    owner.log_in("tax")
    assert "was set up for your account" in owner.get("/account").text
    page = owner.get("/account/factors")
    assert "If it was not you" in page.text
    # and ends it, with what was opened by it.
    assert owner.post("/account/factors/codes/remove", page).status_code == 303
    assert "Set up an app" in owner.get("/account/factors").text
    assert thief.get("/account").status_code == 303
    assert "sso.factor.removed" in world.drain()


def test_what_a_password_alone_set_up_is_in_force_after_three_days(world: World) -> None:
    secret = set_up(world, "li.na")
    world.clock.advance(timedelta(days=3))
    browser = world.browser()
    assert browser.fill_in(browser.follow(browser.authorize("gateway"))).status_code == 401
    _log_in(world, "li.na", code(world, secret))
    (session,) = world.store.sessions.of(LI, _now(world))[:1]
    assert (session.methods, session.assurance) == (("pwd", "otp", "mfa"), 2)


def test_nothing_is_changed_without_a_recent_login(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    page = browser.get("/account/factors")
    world.clock.advance(timedelta(minutes=5))
    for path in ("codes", "codes/remove", "recovery"):
        answer = browser.post(f"/account/factors/{path}", page)
        assert (answer.status_code, "login_too_old" in answer.text) == (403, True), path
    stale = browser.get("/account/factors")
    assert "Set up an app" not in stale.text
    # The way back: a login of this very moment, and the page again.
    login = browser.follow(browser.get("/account/factors/again"))
    home = browser.fill_in(login)
    assert home.location.endswith("/account/factors")
    assert "Set up an app" in browser.follow(home).text


def test_the_login_for_a_change_cannot_be_skipped(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    page = browser.follow(browser.get("/account/factors/again"))
    sealed = hidden(page.text, "interaction")
    answer = browser.get("/consent", interaction=sealed)
    assert answer.status_code == 303
    assert answer.location.startswith("/login?")


def test_a_factor_in_force_is_changed_by_two_factors_only(world: World) -> None:
    secret = set_up(world, "li.na")
    world.clock.advance(timedelta(days=3, minutes=-2))
    browser = world.browser()
    browser.log_in("tax")
    page = browser.get("/account/factors")
    assert "Remove the app" in page.text
    # The session is of the last minutes, and by password; now two factors are in force.
    world.clock.advance(timedelta(minutes=1))
    assert browser.post("/account/factors/codes/remove", page).status_code == 403
    assert "Remove the app" not in browser.get("/account/factors").text
    assert _apps(world) == 1
    again = world.browser()
    again.finish(again.fill_in(again.follow(again.authorize("tax")), code=code(world, secret)))
    assert again.post("/account/factors/codes/remove", again.get("/account/factors")).status_code == 303
    assert _apps(world) == 0


def test_without_a_session_every_page_leads_to_the_login(world: World) -> None:
    browser = world.browser()
    form = browser.follow(browser.get("/account"))
    for path in ("codes", "codes/confirm", "codes/remove", "recovery"):
        answer = browser.post(f"/account/factors/{path}", form)
        assert answer.location.startswith("/login?"), path
    assert browser.get("/account/factors").location.startswith("/login?")


def test_a_code_that_does_not_fit_is_told_and_keeps_the_key(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    page = browser.post("/account/factors/codes", browser.get("/account/factors"))
    shown = _shown(page)
    wrong = browser.post("/account/factors/codes/confirm", page, setup=hidden(page.text, "setup"), code="000000")
    assert wrong.status_code == 400
    assert "does not fit" in wrong.text
    assert _shown(wrong) == shown
    assert _apps(world) == 0


def test_a_key_is_set_up_in_its_own_session_and_in_time(world: World) -> None:
    browser, other = world.browser(), world.browser()
    browser.log_in("tax")
    other.log_in_again_or_in("tax")
    page = browser.post("/account/factors/codes", browser.get("/account/factors"))
    form = {"setup": hidden(page.text, "setup"), "code": code(world, _secret(page))}
    stolen = other.post("/account/factors/codes/confirm", other.get("/account/factors"), **form)
    assert (stolen.status_code, "setup_lost" in stolen.text) == (400, True)
    for changed in ("", "x", form["setup"][:-4] + "AAA="):
        answer = browser.post("/account/factors/codes/confirm", page, **{**form, "setup": changed})
        assert answer.status_code == 400
    assert _apps(world) == 0


def test_there_is_one_app_and_a_second_does_not_replace_it(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    first = browser.post("/account/factors/codes", browser.get("/account/factors"))
    second = browser.post("/account/factors/codes", browser.get("/account/factors"))
    assert _confirm(world, browser, first).status_code == 303
    assert _confirm(world, browser, second).status_code == 409
    assert browser.post("/account/factors/codes", browser.get("/account/factors")).status_code == 409


def test_nothing_is_set_up_unrecorded(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    page = browser.post("/account/factors/codes", browser.get("/account/factors"))
    world.recorder.down = True
    assert _confirm(world, browser, page).status_code == 503
    assert _apps(world) == 0
    world.recorder.down = False
    assert _confirm(world, browser, page).status_code == 303
    kinds = world.drain()
    assert kinds.index("sso.factor.intended") < kinds.index("sso.factor.enrolled")


def test_paper_logs_in_once_each(world: World) -> None:
    set_up(world, "wang.wei", by_card=WANG)
    card = _by_card(world, WANG)
    printed = _codes(card.post("/account/factors/recovery", card.get("/account/factors")))
    assert len(set(printed)) == 10
    assert "code" in _log_in(world, "wang.wei", printed[0].lower().replace("-", " "))
    browser = world.browser()
    assert browser.fill_in(browser.follow(browser.authorize("gateway")), "wang.wei", code=printed[0]).status_code == 401
    assert "9 codes are left" in card.get("/account/factors").text


def test_new_paper_voids_the_old(world: World) -> None:
    set_up(world, "wang.wei", by_card=WANG)
    card = _by_card(world, WANG)
    old = _codes(card.post("/account/factors/recovery", card.get("/account/factors")))
    new = _codes(card.post("/account/factors/recovery", card.get("/account/factors")))
    assert not set(old) & set(new)
    browser = world.browser()
    assert browser.fill_in(browser.follow(browser.authorize("gateway")), "wang.wei", code=old[0]).status_code == 401
    assert "code" in _log_in(world, "wang.wei", new[0])


def test_paper_is_of_one_person_and_goes_with_the_app(world: World) -> None:
    set_up(world, "wang.wei", by_card=WANG)
    set_up(world, "li.na")
    world.clock.advance(timedelta(days=3))
    card = _by_card(world, WANG)
    printed = _codes(card.post("/account/factors/recovery", card.get("/account/factors")))
    other = world.browser()
    assert other.fill_in(other.follow(other.authorize("gateway")), "li.na", code=printed[0]).status_code == 401
    assert card.post("/account/factors/codes/remove", card.get("/account/factors")).status_code == 303
    with world.database.reading() as connection:
        assert connection.execute(select(RECOVERY_CODES)).first() is None


def test_paper_stands_for_an_app_and_for_nothing_else(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    assert browser.post("/account/factors/recovery", browser.get("/account/factors")).status_code == 400


def test_neither_secret_nor_paper_is_in_the_database(world: World) -> None:
    secret = set_up(world, "wang.wei", by_card=WANG)
    card = _by_card(world, WANG)
    printed = _codes(card.post("/account/factors/recovery", card.get("/account/factors")))
    with world.database.reading() as connection:
        held = " ".join(str(row) for table in (CODE_APPS, RECOVERY_CODES) for row in connection.execute(select(table)))
    for used in (secret.hex(), base64.b32encode(secret).decode().rstrip("="), *map(recovery.normalized, printed)):
        assert used not in held


def test_removing_the_app_ends_other_sessions_it_opened_and_not_the_one_that_removes(world: World) -> None:
    secret = set_up(world, "wang.wei", by_card=WANG)
    elsewhere, card = world.browser(), _by_card(world, WANG)
    answered(elsewhere.fill_in(elsewhere.follow(elsewhere.authorize("gateway")), "wang.wei", code=code(world, secret)))
    assert card.post("/account/factors/codes/remove", card.get("/account/factors")).status_code == 303
    assert elsewhere.get("/account").status_code == 303
    assert card.get("/account").status_code == 200


@pytest.mark.parametrize(
    ("methods", "level"), [((), 1), (("pwd",), 1), (("pwd", "otp"), 1), (("pwd", "otp", "mfa"), 2), (("sc",), 3)]
)
def test_a_login_is_as_sure_as_its_methods(methods: tuple[str, ...], level: int) -> None:
    assert strength(methods) == level


def set_up(world: World, username: str, *, by_card: str = "", advance: bool = True) -> bytes:
    """Set an app up for somebody; afterwards the next code is another."""
    browser = world.browser()
    if by_card:
        browser = _by_card(world, by_card)
    else:
        browser.log_in("tax", username)
    page = browser.post("/account/factors/codes", browser.get("/account/factors"))
    assert _confirm(world, browser, page).status_code == 303
    if advance:
        world.clock.advance(timedelta(seconds=60))
    return _secret(page)


def code(world: World, secret: bytes, *, steps: int = 0) -> str:
    """What the app shows now."""
    return totp._code(secret, _now(world) // 30 + steps)


def _by_card(world: World, subject: str) -> Browser:
    browser = world.browser()
    browser.back(browser.card(browser.follow(browser.authorize("gateway")), f"card 1a2b {subject}"))
    return browser


def _confirm(world: World, browser: Browser, page: TestResponse) -> TestResponse:
    form = {"setup": hidden(page.text, "setup"), "code": code(world, _secret(page))}
    return browser.post("/account/factors/codes/confirm", page, **form)


def _log_in(world: World, username: str, given: str) -> dict[str, str]:
    browser = world.browser()
    return answered(browser.fill_in(browser.follow(browser.authorize("gateway")), username, code=given))


def _shown(page: TestResponse) -> str:
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", page.text)
    assert found, page.text
    return found[1]


def _secret(page: TestResponse) -> bytes:
    found = re.search(r'href="(otpauth:[^"]+)"', page.text)
    assert found, page.text
    return base64.b32decode(parse_qs(urlsplit(html.unescape(found[1])).query)["secret"][0])


def _codes(page: TestResponse) -> list[str]:
    assert page.status_code == 200, page.text
    return re.findall(r"<code>([0-9A-Z-]{19})</code>", page.text)


def _apps(world: World) -> int:
    with world.database.reading() as connection:
        return len(connection.execute(select(CODE_APPS)).all())


def _now(world: World) -> int:
    return int(world.clock.now().timestamp())
