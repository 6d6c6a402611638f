# SPDX-License-Identifier: Apache-2.0
"""A clerk is hired, vetted, certified, moved, reviewed and let go, in English and in Chinese, by those who do it."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
import requests
from playwright.sync_api import BrowserContext, Page, expect

from core.log import logger
from directory.models import credit_code_check
from tests.flows import invariants
from tests.flows.at_work import WITHIN
from tests.flows.cards import certified
from tests.flows.city import City, until
from tests.flows.knocking import person, post
from tests.flows.people import access_token, accessible, as_program, bearer, consent_if_asked, log_in_by_card
from tests.flows.words import LOCALES, Language, Words

Browse = Callable[..., BrowserContext]
NAMES = {"en": "Joy Joiner", "zh": "Xin Ruzhi"}
CHINESE = "新入职"
BODIES = {"en": "11888888ABCDEFGHJ", "zh": "11888888ABCDEFGHK"}
CLERK, KEEPER = "Case desk", "Keeper of files"


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("language", list(LOCALES))
def test_a_clerk_is_hired_moved_reviewed_and_let_go(
    city: City, browse: Browse, tmp_path: Path, language: Language
) -> None:
    words, agency, username = Words(language), f"journey-{language}", f"joiner.{language}"
    _agency(city, agency, BODIES[language])
    context = browse(card=city.folder / "demo" / "zhao.lei.p12", locale=LOCALES[language])
    desk = context.new_page()
    desk.goto(city.url("directory", f"/organisations/{agency}/hire", "management"))
    log_in_by_card(desk, words=words)
    subject = _hired(desk, words, username, NAMES[language])
    _vetted(city, desk, words, subject)
    made = certified(city, username, tmp_path)
    serial, card = made.serial, made.p12

    clerk = browse(card=card, locale=LOCALES[language])
    page = clerk.new_page()
    page.goto(city.url("tax", "/me"))
    log_in_by_card(page, words=words)
    consent_if_asked(page, words=words)
    expect(page).to_have_url(city.url("tax", "/me"))
    program, token = as_program(city, clerk), access_token(city, clerk, "tax")["access_token"]
    assert program.get(city.url("tax", "/me")).status_code == bearer(city, token).status_code == 200

    _explained(city, desk, words, subject)
    _moved(city, desk, words, subject)
    _reviewed(city, browse, desk, words, agency=agency, subject=subject)
    desk.goto(city.url("directory", f"/history/person/{subject}", "management"))
    accessible(desk)
    for told in ("tax/returns.read", KEEPER):
        assert told in desk.inner_text("main"), told
    with desk.expect_download() as proof:
        desk.locator("a[href$='entry.tlog-proof']").first.click()
    assert Path(proof.value.path()).read_text("utf-8").startswith("c2sp.org/tlog-proof@v1\n")

    leaves = _let_go(city, desk, words, subject)
    took = _gone(city, program, token, serial, leaves)
    logger(__name__).info("leaver_out", language=language, **{what: round(each, 2) for what, each in took.items()})
    assert took["portal_session"] < WITHIN
    expect(desk.get_by_text(words("Gone. Everything ends within a second."))).to_be_visible()
    # The card opens nothing any more, and who could reach it no longer can.
    page.goto(city.url("sso", "/account"))
    log_in_by_card(page, words=words)
    assert urlpath(page) != "/account"
    desk.goto(city.url("directory", "/reach?what=case-worker", "management"))
    assert username not in desk.inner_text("main")


def _let_go(city: City, desk: Page, words: Words, subject: str) -> float:
    """When it was said."""
    desk.goto(city.url("directory", f"/people/{subject}/employment", "management"))
    form = desk.locator(f"form[action='/people/{subject}/leave']")
    form.locator("button[formaction$='/preview']").click()
    expect(desk.get_by_text(words("What would end:"))).to_be_visible()
    form.locator("[name=reason]").fill("retires")
    form.get_by_role("button", name=words("Let go")).click()
    return time.monotonic()


def _gone(city: City, program: requests.Session, token: str, serial: str, since: float) -> dict[str, float]:
    """After how long each thing that they had opened nothing any more."""
    address, shown = city.url("tax", "/me"), city.url("ca", f"/certificates/{serial}", "management")
    took: dict[str, float] = {}
    until(lambda: program.get(address, allow_redirects=False).status_code != HTTPStatus.OK, every=0.02)
    took["portal_session"] = time.monotonic() - since
    until(lambda: bearer(city, token).status_code == HTTPStatus.UNAUTHORIZED, every=0.02)
    took["token"] = time.monotonic() - since
    officer = person(city, "sun.li", shown)
    until(lambda: "/release" in officer.get(shown).text, every=0.1)
    took["certificate"] = time.monotonic() - since
    return took


def urlpath(page: Page) -> str:
    """Where somebody is."""
    return re.sub(r"^https://[^/]+|\?.*$", "", page.url)


def _agency(city: City, agency: str, body: str) -> None:
    """One of our own, with two posts, so that nobody else is reviewed."""
    at = city.url("directory", "/catalogue", "management")
    admin = person(city, "zhao.lei", at)
    known = city.url("directory", f"/organisations/{agency}", "management")
    code = f"{body}{credit_code_check(body)}"
    done = post(admin, admin.get(at), "/catalogue/organisations", kind="agency", identifier=agency,
                name="Journey office", name_zh="旅程办公室", credit_code=code, parent="")  # fmt: skip
    assert done.status_code == 200, done.text
    for name, role in ((CLERK, "case-worker"), (KEEPER, "")):
        done = post(admin, admin.get(known), f"/organisations/{agency}/posts", name=name, name_zh="", department="",
                    role=role)  # fmt: skip
        assert done.status_code == 200, done.text


def _hired(desk: Page, words: Words, username: str, name: str) -> str:
    for field, value in (("username", username), ("name", name), ("name_zh", CHINESE), ("reason", "new budget")):
        desk.locator(f"form.stack [name={field}]").fill(value)
    desk.locator("form.stack [name=post]").select_option(index=_index(desk, CLERK))
    desk.locator("button[formaction$='/hire/preview']").click()
    expect(desk.get_by_text(words("What this person would have on the first day:"))).to_be_visible()
    accessible(desk)
    desk.get_by_role("button", name=words("Hire")).click()
    expect(desk.get_by_text(words("Hired."))).to_be_visible()
    found = re.search(r"/people/([0-9a-f-]{36})/employment", desk.url)
    assert found
    return found[1]


def _index(page: Page, name: str) -> int:
    options = page.locator("form.stack [name=post] option").all_inner_texts()
    return next(number for number, text in enumerate(options) if name in text)


def _vetted(city: City, desk: Page, words: Words, subject: str) -> None:
    desk.goto(city.url("directory", f"/people/{subject}/proofing", "management"))
    desk.locator("[name=level]").select_option("3")
    desk.locator("[name=way]").select_option("in-person")
    for kind in ("identity-card", "face", "chip"):
        desk.locator(f"[name=kind][value={kind}]").check()
    desk.locator("[name=reference]").fill("file 77")
    desk.get_by_role("button", name=words("Record the vetting")).click()
    expect(desk).to_have_url(re.compile(r"done=vetted"))


def _explained(city: City, desk: Page, words: Words, subject: str) -> None:
    """Why she may, on one page; and who else may, the other way round."""
    desk.goto(city.url("directory", f"/people/{subject}/access", "management"))
    accessible(desk)
    told = desk.inner_text("main")
    assert CLERK in told
    assert "new budget" in told
    form = desk.locator(f"form[action='/people/{subject}/entitlements/grant']")
    form.locator("[name=entitlement]").fill("tax/returns.read")
    form.locator("[name=reason]").fill("one case")
    form.get_by_role("button").click()
    expect(desk).to_have_url(re.compile("done=given"))
    assert "tax/returns.read" in desk.inner_text("main")
    for what in ("case-worker", "tax/returns.read"):
        desk.goto(city.url("directory", f"/reach?what={what}", "management"))
        page = 0
        while not desk.locator(f"a[href*='{subject}']").count():
            following = desk.get_by_role("link", name=words("Next page"))
            assert following.count(), what
            assert page < 40
            following.click()
            page += 1


def _moved(city: City, desk: Page, words: Words, subject: str) -> None:
    desk.goto(city.url("directory", f"/people/{subject}/employment", "management"))
    form = desk.locator(f"form[action='/people/{subject}/move']")
    form.locator("[name=post]").select_option(label=KEEPER)
    form.locator("button[formaction$='/preview']").click()
    expect(desk.get_by_text(words("What the move would change on its first day:"))).to_be_visible()
    # The grant is asked about, and kept.
    form.locator("[name=keep]").check()
    form.locator("[name=reason]").fill("reorganised")
    accessible(desk)
    form.get_by_role("button", name=words("Move")).click()
    expect(desk.get_by_text(words("Moved. What came by the old post ends within a second."))).to_be_visible()


def _reviewed(city: City, browse: Browse, desk: Page, words: Words, *, agency: str, subject: str) -> None:
    """An owner without an administrator's role confirms one access and withdraws the other."""
    desk.goto(city.url("directory", "/reviews", "management"))
    due = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    form = {"name": f"Journey {agency}", "of": agency, "due": due, "owner": "li.na", "reason": "yearly"}
    for field, value in form.items():
        desk.locator(f"form.stack [name={field}]").fill(value)
    desk.locator("form.stack [name=scope]").select_option("organisation")
    desk.get_by_role("button", name=words("Begin the review")).click()
    expect(desk).to_have_url(re.compile("done=begun"))
    campaign = desk.url
    owner = browse(card=city.folder / "demo" / "li.na.p12", locale=LOCALES[words.language]).new_page()
    mine = city.url("directory", "/reviews/mine", "management")
    owner.goto(mine)
    log_in_by_card(owner, words=words)
    ours = owner.locator("li.card").filter(has_text=f"Journey {agency}")
    until(lambda: owner.goto(mine) and ours.count() == 2, seconds=60, every=0.5)
    accessible(owner)
    for kept in (True, False):
        one = ours.filter(has_text=KEEPER) if kept else ours.filter(has_text="tax/returns.read")
        one.locator("[name=reason]").fill("needed" if kept else "the case is over")
        one.locator("button:not([formaction])" if kept else "button[formaction]").click()
        expect(owner).to_have_url(re.compile("done=confirmed" if kept else "done=withdrawn"))
    expect(ours).to_have_count(0)
    # Nothing else of the desk is theirs.
    for path in ("/", "/reviews", f"/people/{subject}", f"/history/person/{subject}"):
        answer = owner.goto(city.url("directory", path, "management"))
        assert answer
        assert answer.status == 403, path
    desk.goto(campaign)
    assert "the case is over" in desk.inner_text("main")
