# SPDX-License-Identifier: Apache-2.0
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest

from audit.charts import Traffic
from audit.console import SPANS, VIEWS
from audit.console.picture import Count, Picture, failed_login, picture
from audit.models import Outcome
from audit.stamps import Outage
from audit.web.picturing import certificates_over_time, logins_over_time
from tests.fakes.audit_console import LI, WANG, ConsoleFake

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
HOW = {"assurance": 2, "method": "GET", "credential": "session", "kind": "person", "roles": "citizen"}


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    made = ConsoleFake(tmp_path)
    made.fill()
    for _ in range(3):
        made.add(subject=WANG, object="documents", outcome=Outcome.DENIED, session="s-wang",
                 attributes=HOW | {"reason": "zone", "to_zone": "internal"}, sealed={"name": "Wang Fang"})  # fmt: skip
    made.add(type="sso.login", source="sso", zone="", outcome=Outcome.FAILURE, attributes={"reason": "wrong"})
    return made


def _count(at: datetime, **fields: object) -> Count:
    plain = {"type": "gateway.decision", "outcome": Outcome.SUCCESS, "zone": "", "to_zone": "", "reason": ""}
    return Count(at=at, times=1, **plain | fields)  # type: ignore[arg-type]  # fields by name


def _picture(*counts: Count, span: str = "24h") -> Picture:
    def counting(since: datetime, until: datetime, *, daily: bool) -> tuple[Count, ...]:
        assert until - since == 2 * SPANS[span].length
        assert daily == (span == "30d")
        return counts

    return picture(counting, SPANS[span], NOW)


def test_the_span_is_whole_steps_and_holds_the_present_one() -> None:
    assert SPANS["24h"].bounds(NOW) == (datetime(2026, 11, 19, 10, tzinfo=UTC), datetime(2026, 11, 20, 10, tzinfo=UTC))
    assert SPANS["7d"].bounds(NOW)[1] == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert SPANS["30d"].bounds(NOW) == (datetime(2026, 10, 22, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))


def test_counts_fall_into_their_step_and_into_the_span_before() -> None:
    found = _picture(_count(NOW - timedelta(hours=1)), _count(NOW - timedelta(hours=30)), _count(NOW))
    assert (found.total(), found.earlier()) == (2, 1)
    assert found.over_time()[-2:] == [1, 1]
    assert sum(found.over_time()) == 2


def test_traffic_tells_permits_and_refusals_apart_by_pair() -> None:
    refused = {"outcome": Outcome.DENIED, "zone": "external", "to_zone": "internal"}
    found = _picture(
        _count(NOW, zone="external", to_zone="external"),
        _count(NOW, **refused),
        _count(NOW, **refused),
        _count(NOW, type="sso.login", zone="external", to_zone="external"),
    )
    assert found.traffic() == {("external", "external"): Traffic(1, 0), ("external", "internal"): Traffic(0, 2)}


def test_certificates_and_failed_logins_have_pictures_of_what_became_of_them_alone() -> None:
    failed, before = {"type": "sso.login", "outcome": Outcome.FAILURE}, NOW - timedelta(hours=2)
    found = _picture(
        _count(NOW, type="ca.certificate.issued"),
        _count(before, type="ca.certificate.issued"),
        _count(NOW, type="ca.certificate.suspended"),
        _count(NOW, type="ca.certificate.revoked"),
        _count(NOW, type="ca.certificate.revoked", outcome=Outcome.FAILURE),
        _count(NOW, type="ca.certificate.intended"),
        _count(NOW, **failed),
        _count(before, **failed | {"outcome": Outcome.DENIED}),
        _count(NOW, type="sso.login"),
    )
    certificates, logins = certificates_over_time(found), logins_over_time(found)
    assert certificates.totals == [2, 1, 1]
    assert [numbers for _label, numbers in certificates.table if any(numbers)] == [[1, 0, 0], [1, 1, 1]]
    assert logins.totals == [1, 1]
    assert [numbers for _label, numbers in logins.table if any(numbers)] == [[0, 1], [1, 0]]


def test_the_counters_of_the_index_say_what_is_in_the_log(fake: ConsoleFake) -> None:
    fake.get("/")
    page = fake.get("/").text
    assert "From External network to Internal network: 0 let through, 3 refused" in page
    assert re.search(r'href="/crossings\?zone=external&amp;to_zone=internal"', page)
    assert "User name or password was wrong." in page
    for words in ("Events over time", "Crossings between networks", "Refused most", "Failed logins", "Certificates"):
        assert words in page
    assert 'class="is-denied"' in page


def test_a_span_is_chosen_and_nothing_else_is_taken(fake: ConsoleFake) -> None:
    assert "The last 30 days" in fake.get("/?span=30d").text
    assert fake.log.events[-1].attributes["span"] == "30d"
    assert fake.log.events[-1].attributes["view"] == "overview"
    for bad in (
        "/?span=1y",
        "/?span=7d&span=24h",
        "/?spam=7d",
        "/views/remote-access?span=",
        "/crossings?zone=external&zone=a",
    ):
        assert fake.get(bad).status_code in {400, 404}, bad


def test_every_picture_has_a_name_a_description_and_its_numbers_beside_it(fake: ConsoleFake) -> None:
    page = fake.get("/").text
    pictures = re.findall(r'<svg class="plot[^>]*aria-labelledby="(\S+) (\S+)"', page)
    assert len(pictures) == 8
    for title, description in pictures:
        assert page.count(f'<title id="{title}">') == 1
        assert page.count(f'<desc id="{description}">') == 1
    assert page.count('<details class="numbers">') == 3
    assert len(re.findall(r'id="([^"]+)"', page)) == len(set(re.findall(r'id="([^"]+)"', page)))
    # The policy for content takes no style and no script inside a page.
    assert "style=" not in page
    assert "<script" not in page


def test_a_denied_pair_leads_to_its_decisions_and_people(fake: ConsoleFake) -> None:
    page = fake.get("/crossings?zone=external&to_zone=internal&outcome=denied").text
    assert "External network → Internal network" in page
    assert page.count('<td data-label="Decision"><span class="tag bad">') == 3
    assert f'href="/people/{WANG}"' in page
    assert f'href="/people/{LI}"' not in page
    recorded = fake.log.events[-1]
    assert recorded.attributes["view"] == "crossing_external_internal"
    assert recorded.attributes["filter_outcome"] == "denied"
    assert fake.get("/crossings?to_zone=internal").status_code == 404
    assert fake.get("/crossings?zone=nowhere&to_zone=internal").status_code == 400


def test_remote_and_internet_access_are_told_apart(fake: ConsoleFake) -> None:
    fake.add(zone="internet", object="tax", subject=LI, attributes=HOW | {"to_zone": "external"}, sealed={"name": "Li"})
    fake.add(zone="external", object="meters", subject="device-1",
             attributes={"kind": "device", "credential": "certificate", "to_zone": "external"})  # fmt: skip
    remote, internet = fake.get("/views/remote-access").text, fake.get("/views/internet-access").text
    assert "device-1" in remote
    assert f'href="/people/{WANG}"' in remote
    assert f'href="/people/{LI}"' not in remote
    assert f'href="/people/{LI}"' in internet
    assert "device-1" not in internet
    assert fake.get("/views/everything").status_code == 404


def test_pages_of_a_view_follow_each_other_without_gap_or_overlap(fake: ConsoleFake) -> None:
    for _ in range(130):
        fake.add(zone="internet", object="tax", subject=LI, attributes=HOW | {"to_zone": "external"})
    seen: list[str] = []
    path = "/views/internet-access?span=24h"
    while path:
        page = fake.get(path).text
        seen += re.findall(r'aria-label="Open entry (\d+)"', page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        path = older.group(1).replace("&amp;", "&") if older else ""
    shown = [int(number) for number in seen]
    assert shown == sorted(set(shown), reverse=True)
    expected = [
        index
        for index, event in enumerate(fake.log.events)
        if event.type == "gateway.decision" and event.zone in {"internet", "external"}
        and VIEWS["internet-access"].sees(fake.log_row(index))
    ]  # fmt: skip
    assert shown == expected[::-1]


def test_a_login_that_proved_nobody_counts_as_failed() -> None:
    assert failed_login(_count(NOW, type="sso.login", outcome=Outcome.FAILURE))
    assert failed_login(_count(NOW, type="sso.login", outcome=Outcome.DENIED))
    assert not failed_login(_count(NOW, type="sso.login"))


def test_the_map_leads_to_the_search_that_lists_exactly_those_entries(fake: ConsoleFake) -> None:
    page = fake.get("/").text
    [link] = {
        unescape(link)
        for link in re.findall(r'href="(/search[^"]*to_zone=[^"]*)"', page)
        if "zone=external" in link and "to_zone=internal" in link
    }
    found = fake.get(link.replace("/search", "/search.json", 1)).json
    [(allowed, refused)] = set(
        re.findall(r"From External network to Internal network: (\d+) let through, (\d+) ref", page)
    )
    assert found is not None
    assert found["total"] == int(allowed) + int(refused) > 0
    assert {(entry["zone"], entry["attributes"]["to_zone"]) for entry in found["entries"]} == {("external", "internal")}
    assert found["facets"]["to_zone"] == {"internal": found["total"]}


def test_what_led_nowhere_is_found_by_that_word(fake: ConsoleFake) -> None:
    place = fake.add(zone="internet", outcome=Outcome.DENIED, attributes={"reason": "unknown_host"})
    typed, chosen = fake.get("/search.json?q=to_zone:nowhere+zone:internet"), fake.get("/search?to_zone=nowhere")
    assert typed.json is not None
    assert [entry["index"] for entry in typed.json["entries"]] == [place]
    assert '<option value="nowhere" selected>' in chosen.text
    assert fake.get("/search?to_zone=moon").status_code == 400
    assert "进入的网络" in fake.get("/search?lang=zh").text


def test_the_overview_tells_of_stamps_and_leads_to_saved_searches(fake: ConsoleFake) -> None:
    page = fake.get("/").text
    assert 'href="/search#saved"' in page
    assert 'none yet</strong> <a href="/stamps">' in page
    fake.stamps.failed(Outage(since=fake.clock.now(), code="stamp_silent", why="", key="0" * 32))
    page = fake.get("/").text
    assert "none to be had" in page
    assert f"since {fake.clock.now():%Y-%m-%d %H:%M:%S} UTC" in page
