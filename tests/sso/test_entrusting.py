# SPDX-License-Identifier: Apache-2.0
"""The page of mandates: whom people let act, how they find each other, and what a thief of a session gets there."""

from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from directory import Mandate
from directory.errors import NoSuchEntitlement
from tests.fakes.sso_directory import COMPANY, LI, TODAY, WANG
from tests.sso.conftest import Browser, World, hidden
from tests.sso.test_mandates import ASKED, choose

PAGE = "/account/mandates"


def test_somebody_lets_another_act_who_sees_it_at_once_and_can_decline(world: World) -> None:
    li, wang = logged_in(world, "li.na"), logged_in(world, "wang.wei")
    answer = give(li, "wang.wei", code_of(wang), reason="my tax return")
    assert (answer.status_code, answer.location) == (303, PAGE)
    (given,) = world.people.mandates
    assert (given.principal, given.holder, given.scope, given.reason) == (LI, WANG, "tax", "my tax return")
    assert "Wang Wei" in li.get(PAGE).text
    page = wang.get(PAGE)
    assert "Li Na" in page.text
    declined = wang.post(f"{PAGE}/end", page, holder=WANG, organisation="", principal=LI, service="tax")
    assert declined.status_code == 303
    assert world.people.mandates == []


def test_a_representative_gives_and_withdraws_for_the_company(world: World) -> None:
    li, wang = logged_in(world, "li.na"), logged_in(world, "wang.wei")
    assert "Who may act for Bright Ltd" in wang.get(PAGE).text
    assert "Bright Ltd" not in li.get(PAGE).text
    give(wang, "li.na", code_of(li), organisation=COMPANY)
    page = wang.get(PAGE)
    assert "Li Na" in page.text
    # It is offered at the next login.
    choice = li.follow(li.authorize(scope=ASKED))
    assert "Bright Ltd" in choice.text
    wang.post(f"{PAGE}/end", page, holder=LI, organisation=COMPANY, principal="", service="tax")
    assert choose(li, choice, f"organisation:{COMPANY}:tax").status_code == 403
    # Whoever does not represent it gets the directory's no, on the page.
    refused = give(li, "wang.wei", code_of(wang), organisation=COMPANY)
    assert (refused.status_code, "cannot give mandates for this company" in refused.text) == (403, True)


def test_nobody_is_found_without_name_and_code_together(world: World) -> None:
    li, wang = logged_in(world, "li.na"), logged_in(world, "wang.wei")
    code = code_of(wang)
    wrong = [
        give(li, "nobody.here", code),
        give(li, "wang.wei", code_of(li)),
        give(li, "*)(uid=*", code),
        give(li, "wang.wei", ""),
        give(li, "", code),
    ]
    # One answer for all, which tells nothing of who is there.
    assert {answer.status_code for answer in wrong} == {403}
    assert all("do not belong together" in answer.text for answer in wrong)
    assert world.people.mandates == []
    # After some of them nobody is looked for any more, not even with the right pair.
    give(li, "wang.wei", "AAAAA-AAAAA")
    assert give(li, "wang.wei", "AAAAA-AAAAA").status_code == 403
    assert give(li, "wang.wei", code).status_code == 429
    assert world.people.mandates == []


def test_a_code_is_of_its_owner_and_its_day(world: World) -> None:
    li, wang = logged_in(world, "li.na"), logged_in(world, "wang.wei")
    code = code_of(wang)
    world.clock.advance(timedelta(days=1))
    assert give(logged_in(world, "li.na"), "Wang.Wei", code.lower().replace("-", " ")).status_code == 303
    world.people.mandates.clear()
    world.clock.advance(timedelta(days=1))
    assert give(logged_in(world, "li.na"), "wang.wei", code).status_code == 403
    assert (code_of(logged_in(world, "wang.wei")), li.get(PAGE).status_code) != (code, 200)


def test_a_login_of_long_ago_gives_nothing_but_can_take_away(world: World) -> None:
    li, wang = logged_in(world, "li.na"), logged_in(world, "wang.wei")
    code, before = code_of(wang), li.get(PAGE)
    world.clock.advance(timedelta(minutes=10))
    answer = li.post(f"{PAGE}/give", before, **form("wang.wei", code))
    assert (answer.status_code, "log in once more" in answer.text) == (403, True)
    assert world.people.mandates == []
    world.people.mandates.append(
        Mandate(organisation="", principal=LI, holder=WANG, scope="tax", until=TODAY + timedelta(days=9))
    )
    page = li.get(PAGE)
    assert 'name="username"' not in page.text
    assert li.post(f"{PAGE}/end", page, holder=WANG, organisation="", principal=LI, service="tax").status_code == 303
    assert world.people.mandates == []
    # The way to a new login leads back here.
    login = li.follow(li.get(f"{PAGE}/again"))
    assert li.fill_in(login).location == PAGE


def test_nobody_ends_what_is_not_theirs(world: World) -> None:
    li = logged_in(world, "li.na")
    theirs = Mandate(organisation=COMPANY, holder=WANG, scope="tax", until=TODAY + timedelta(days=9))
    world.people.mandates.append(theirs)
    page = li.get(PAGE)
    answer = li.post(f"{PAGE}/end", page, holder=WANG, organisation=COMPANY, principal="", service="tax")
    assert answer.status_code == 404
    assert world.people.mandates == [theirs]


@pytest.mark.parametrize("path", ["give", "end"])
def test_no_foreign_page_gives_or_ends(world: World, path: str) -> None:
    li = logged_in(world, "li.na")
    posted = li.client.post(f"{PAGE}/{path}", base_url=world.issuer, data=form("wang.wei", "x"))
    assert posted.status_code == 403
    assert li.get(f"{PAGE}/{path}").status_code == 405


def test_while_the_record_is_stale_nothing_is_given(world: World) -> None:
    li, wang = logged_in(world, "li.na"), logged_in(world, "wang.wei")
    code, page = code_of(wang), li.get(PAGE)
    world.fresh = False
    shown = li.post(f"{PAGE}/give", page, **form("wang.wei", code))
    answer = li.post(f"{PAGE}/give", shown, proposal=hidden(shown.text, "proposal"), choice="yes")
    assert answer.status_code == 503
    assert world.people.mandates == []


def test_what_the_directory_refuses_is_said_and_what_was_entered_stays(world: World) -> None:
    li, wang = logged_in(world, "li.na"), logged_in(world, "wang.wei")
    world.entrusting.refuses = NoSuchEntitlement(entitlement="<b>x")
    answer = give(li, "wang.wei", code_of(wang), service="<b>x")
    assert answer.status_code == 400
    assert "&lt;b&gt;x" in answer.text
    assert 'value="wang.wei"' in answer.text


def test_what_is_given_is_said_in_words_before_and_only_that_is_given(world: World) -> None:
    li, wang = logged_in(world, "li.na"), logged_in(world, "wang.wei")
    shown = propose(li, "wang.wei", code_of(wang), reason="my <b>return</b>")
    assert shown.status_code == 200
    for said in ("Wang Wei will act in your name.", "Taxes", "my &lt;b&gt;return&lt;/b&gt;"):
        assert said in shown.text, said
    assert world.people.mandates == []
    sealed = hidden(shown.text, "proposal")
    assert li.post(f"{PAGE}/give", shown, proposal=sealed, choice="no").status_code == 303
    assert world.people.mandates == []
    everything = propose(li, "wang.wei", code_of(wang), service="all")
    assert "all services of the city, also those that come later" in everything.text
    # Fields beside what was shown count for nothing, nor does what was shown to somebody else, or changed.
    assert li.post(f"{PAGE}/give", shown, proposal=sealed, choice="yes", service="all", username="x").status_code == 303
    assert [each.scope for each in world.people.mandates] == ["tax"]
    world.people.mandates.clear()
    for browser, given in ((wang, sealed), (logged_in(world, "li.na"), sealed), (li, sealed[:-9] + sealed[-8:])):
        answer = browser.post(f"{PAGE}/give", browser.get(PAGE), proposal=given, choice="yes")
        assert answer.status_code == 400
    world.clock.advance(timedelta(minutes=11))
    assert li.post(f"{PAGE}/give", shown, proposal=sealed, choice="yes").status_code == 400
    assert world.people.mandates == []


def test_a_right_pair_is_no_wrong_try_whatever_the_directory_says(world: World) -> None:
    li, wang = logged_in(world, "li.na"), logged_in(world, "wang.wei")
    code = code_of(wang)
    world.entrusting.refuses = NoSuchEntitlement(entitlement="x")
    for _ in range(8):
        assert give(li, "wang.wei", code).status_code == 400
    world.entrusting.refuses = None
    assert give(li, "wang.wei", code).status_code == 303


def logged_in(world: World, username: str) -> Browser:
    """At the page of mandates, having logged in this moment."""
    browser = world.browser()
    answer = browser.fill_in(browser.follow(browser.get(PAGE)), username)
    assert answer.status_code == 303
    return browser


def code_of(browser: Browser) -> str:
    text = browser.get(PAGE).text
    return text.rsplit("<code>", 1)[1].split("</code>", 1)[0]


def form(username: str, code: str, **changed: str) -> dict[str, str]:
    until = (TODAY + timedelta(days=30)).isoformat()
    return {"username": username, "code": code, "organisation": "", "service": "tax", "until": until, **changed}


def propose(browser: Browser, username: str, code: str, **changed: str) -> TestResponse:
    return browser.post(f"{PAGE}/give", browser.get(PAGE), **form(username, code, **changed))


def give(browser: Browser, username: str, code: str, **changed: str) -> TestResponse:
    """Enter it, and say yes to what is shown."""
    shown = propose(browser, username, code, **changed)
    if shown.status_code != 200:
        return shown
    return browser.post(f"{PAGE}/give", shown, proposal=hidden(shown.text, "proposal"), choice="yes")
