# SPDX-License-Identifier: Apache-2.0
"""The pages on which the authority watches itself, and the operator's check."""

import html
import re
from datetime import timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from audit.errors import RecordUnavailable
from ca import Reason
from ca.cli import group
from ca.notices import Board, Channel, NoticeState
from core.errors import TallygateError
from tests.fakes.people import CLERK, OFFICER

from .sites import Site
from .test_cli import _no_hall
from .world import ask, request_for

LATER = timedelta(minutes=10)


def _get(site: Site, path: str, *, language: str = "en") -> str:
    # The language is a part of the address that the gateway vouches for.
    address = f"{path}{'&' if '?' in path else '?'}lang={language}"
    answer = site.client().get(address, headers=site.headers("GET", address))
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


def _check(site: Site) -> tuple[int, str]:
    done = CliRunner().invoke(group(site.peer, _no_hall), ["check"], catch_exceptions=False)
    return done.exit_code, done.output


def _broken(site: Site) -> str:
    """A certificate whose row somebody changed, found by a sweep."""
    made = site.authority.issue(ask())
    site.world.clock.advance(LATER)
    site.watch.hear()
    with site.world.database.transaction() as connection:
        connection.execute(text("UPDATE certificates SET shard = 77 WHERE serial = :s"), {"s": made.serial})
    return made.serial


def test_an_operator_checks_everything(site: Site) -> None:
    site.authority.issue(ask())
    site.world.clock.advance(LATER)
    site.watch.hear()
    code, said = _check(site)
    assert (code, said) == (0, f"{site.world.rows()} checked\nnothing is wrong\n")
    serial = _broken(site)
    code, said = _check(site)
    assert code == 1
    assert re.search(rf"^places +{serial} ", said, re.MULTILINE)
    assert said.endswith(" wrong\n")


@pytest.mark.parametrize("caller", ["sso", "gateway", "signatures"])
def test_only_the_operator_has_everything_checked(site: Site, caller: str) -> None:
    for act in (lambda: site.peer(caller).check(begin=True), lambda: site.peer(caller).findings()):
        with pytest.raises(TallygateError):
            act()
    assert site.watch.checker.look().began is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_was_found_is_shown_and_leads_to_the_certificate(site: Site, language: str) -> None:
    assert ("Nothing is wrong." in _get(site, "/checks", language=language)) is (language == "en")
    serial = _broken(site)
    site.watch.sweep()
    page = _get(site, "/checks", language=language)
    assert f"/inventory/certificates/{serial}" in page
    assert ("Leads to other addresses than ours" if language == "en" else "所载地址不属于本站") in page
    assert site.world.recorder.events[-1].attributes["view"] == "checks"
    found = site.client().get("/api/v1/findings", headers=site.headers("GET", "/api/v1/findings")).get_json()
    assert {each["about"] for each in found["findings"]} == {serial}
    assert found["open"] == len(found["findings"])


def test_a_serial_that_only_the_record_knows_is_shown_without_a_page_of_its_own(site: Site) -> None:
    made = site.authority.issue(ask())
    site.world.clock.advance(LATER)
    site.watch.hear()
    with site.world.database.transaction() as connection:
        connection.execute(text("INSERT INTO check_strays VALUES (:s, 5)"), {"s": "1" + "7" * 34})
    site.watch.sweep()
    page = _get(site, "/checks")
    assert "1" + "7" * 34 in page
    assert "certificates/1777" not in page
    assert made.serial not in page


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_overview_shows_charts_and_the_same_in_tables(site: Site, language: str) -> None:
    assert "Overview" in _get(site, "/overview")
    for wish in (ask(), ask("civil-servant", subject=CLERK.subject), ask("citizen-signing")):
        last = site.authority.issue(wish)
    site.authority.revoke(last.serial, reason=Reason.KEY_COMPROMISE, actor=OFFICER.subject)
    page = _get(site, "/overview", language=language)
    assert page.count("<svg") > 8
    assert page.count('role="img"') == 4
    # Every picture has its numbers beside it, and nothing runs.
    assert page.count('<details class="numbers">') == 3
    assert "<script" not in page
    assert " style=" not in page
    reason = "The key was lost or fell into other hands" if language == "en" else "密钥遗失或落入他人之手"
    assert reason in page or language == "zh"
    today = site.world.clock.now().date().isoformat()
    row = page[page.index(f'<th scope="row">{today}') :]
    # People, devices, organisations, infrastructure; the delegates of the birth are the site's own.
    assert re.findall(r'<td class="number">([^<]+)</td>', row)[:4] == ["3", "\u2013", "\u2013", "4"]
    numbers = site.client().get("/api/v1/overview", headers=site.headers("GET", "/api/v1/overview")).get_json()
    assert numbers["valid"]["citizen"] == 1
    assert numbers["revoked"] == [{"day": today, "which": "key-compromise", "number": 1}]


def test_what_waits_for_officers_is_counted(site: Site) -> None:
    site.registration.ask(asker=CLERK.subject, offer="civil-servant", csr=request_for())
    assert re.search(r'href="/requests">1<', _get(site, "/overview"))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_single_notices_are_listed_the_newest_first_in_pages(site: Site, language: str) -> None:
    board, now = Board(site.world.database), site.world.clock.now()
    assert "<table" not in _get(site, "/overview/notices", language=language)
    serials = [site.authority.issue(ask()).serial for _ in range(17)]
    about = "https://acme.city.localhost/notices/ab"
    board.tell(serials, lambda _: list(Channel), about=about, apart_from="", site="city", at=now)
    first = board.take(at=now, limit=1)[0]
    board.end(first.id, NoticeState.FAILED, at=now, why="no-address")
    page = _get(site, "/overview/notices", language=language)
    assert page.count("<tr>") == 51
    assert about in page
    (earlier,) = re.findall(r'href="(/overview/notices\?before=[^"]+)"', page)
    rest = _get(site, html.unescape(earlier), language=language)
    assert (rest.count("<tr>"), first.serial in rest, "no-address" in page) == (2, True, False)
    failed = _get(site, "/overview/notices?state=failed", language=language)
    assert (first.serial in failed, "no-address" in failed, failed.count("<tr>")) == (True, True, 2)
    assert ("Could not be delivered" if language == "en" else "无法送达") in failed
    for wrong in ("state=lost", "before=x", "before=-1"):
        path = f"/overview/notices?{wrong}"
        assert site.client().get(path, headers=site.headers("GET", path)).status_code == 400


def test_nothing_is_shown_unrecorded(site: Site) -> None:
    site.world.recorder.down = True
    for path in ("/overview", "/overview/notices", "/checks", "/inventory", "/api/v1/overview", "/api/v1/findings"):
        answer = site.client().get(path, headers=site.headers("GET", path))
        assert answer.status_code == RecordUnavailable.kind.status, path
