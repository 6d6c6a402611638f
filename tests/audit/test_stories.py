# SPDX-License-Identifier: Apache-2.0
import re
from datetime import timedelta
from pathlib import Path

import pytest

from audit.console.stories import days
from audit.models import Outcome
from audit.search import Query
from tests.fakes.audit_console import LI, OFFICER, WANG, ConsoleFake

DOCUMENT = "ab" * 32
DEVICE = "11111111-36b5-4e36-8f64-0d6a3d5b7002"


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    made = ConsoleFake(tmp_path)
    made.fill()
    made.clock.advance(timedelta(days=3))
    made.add(type="signature.made", source="signatures", zone="", subject=LI, object=DOCUMENT,
             attributes={"certificate": "1f2e3d4c5b6b"}, sealed={"name": "Li Xiaoming"})  # fmt: skip
    made.add(type="signature.verified", source="signatures", zone="", object=DOCUMENT)
    made.add(subject=DEVICE, object="meters", attributes={"kind": "device", "to_zone": "external"})
    return made


def test_a_person_is_told_in_words_with_what_belongs_to_them(fake: ConsoleFake) -> None:
    assert "Xiaoming" not in fake.get(f"/people/{LI}").text
    fake.grant(f"subject:{LI}")
    page = fake.get(f"/people/{LI}").text
    assert fake.log.events[-1].attributes["warrants"]
    for words in (
        "Li Xiaoming",
        "was let in to tax",
        "logged in for tax",
        f"the document {DOCUMENT[:12]}… was signed",
        "before that, nothing for 3 days",
        f'href="/documents/{DOCUMENT}"',
        'href="/sessions/s-li"',
        'href="/search?object=1f2e3d4c5b6b"',
        "citizen-portal",
    ):
        assert words in page, words
    assert "Wang Fang" not in page
    # Each line leads to its entry and its proof.
    entries = re.findall(r'href="/entries/(\d+)"', page)
    assert entries
    assert all(f'href="/entries/{index}/entry.tlog-proof"' in page for index in entries)


def test_a_story_is_recorded_about_the_person_before_it_is_shown(fake: ConsoleFake) -> None:
    fake.get(f"/people/{LI}")
    recorded = fake.log.events[-1]
    assert (recorded.type, recorded.subject, recorded.actor) == ("audit.searched", LI, OFFICER)
    assert recorded.attributes["view"] == "story_person"
    fake.log.down = True
    for path in (f"/people/{LI}", f"/devices/{DEVICE}", "/sessions/s-li", f"/documents/{DOCUMENT}"):
        answer = fake.get(path)
        assert answer.status_code == 503
        assert "Xiaoming" not in answer.text
        assert "record_unavailable" in answer.text


def test_a_device_a_session_and_a_document_have_stories_too(fake: ConsoleFake) -> None:
    assert "Story of a device" in fake.get(f"/devices/{DEVICE}").text
    # The record knows better than the address what it is.
    assert "Story of a device" in fake.get(f"/people/{DEVICE}").text
    assert "Wang Fang" not in fake.get("/sessions/s-wang").text
    for person in (LI, WANG):
        fake.grant(f"subject:{person}")
    session = fake.get("/sessions/s-wang").text
    assert "Wang Fang" in session
    assert "was refused at documents" in session
    assert "It cannot be reached from this network." in session
    document = fake.get(f"/documents/{DOCUMENT}").text
    assert "Li Xiaoming" in document
    assert "was verified" in document
    assert f'href="/people/{LI}"' in document


def test_a_story_narrows_and_pages_without_gap_or_overlap(fake: ConsoleFake) -> None:
    only = fake.get(f"/people/{WANG}?outcome=denied").text
    assert "was refused at documents" in only
    assert "was suspended" not in only
    for number in range(150):
        fake.add(subject=LI, object=f"portal-{number}", session="s-new")
    seen: list[int] = []
    path = f"/people/{LI}?type=gateway.decision"
    while path:
        page = fake.get(path).text
        seen += [int(number) for number in re.findall(r'aria-label="Open entry (\d+)"', page)]
        older = re.search(r'href="([^"]+)" rel="next"', page)
        path = older.group(1).replace("&amp;", "&") if older else ""
    events = enumerate(fake.log.events)
    assert seen == [i for i, event in events if event.type == "gateway.decision" and event.subject == LI][::-1]


@pytest.mark.parametrize(
    "path", ["/people/nobody-at-all", "/sessions/none", f"/documents/{'0' * 64}", "/devices/none", "/people/a%0ab"]
)
def test_nothing_is_told_of_what_is_not_there(fake: ConsoleFake, path: str) -> None:
    answer = fake.get(path)
    assert answer.status_code in {400, 404}
    # That somebody asked is on the record all the same, unless the question was none.
    if answer.status_code == 404:
        assert fake.log.events[-1].attributes["hits"] == 0


def test_a_filter_that_does_not_belong_to_stories_is_refused(fake: ConsoleFake) -> None:
    assert fake.get(f"/people/{LI}?person=other").status_code == 400
    assert fake.get(f"/people/{LI}?session=s-wang").status_code == 400


def test_an_erased_person_keeps_the_story_without_the_name(fake: ConsoleFake) -> None:
    fake.log.erase(LI)
    page = fake.get(f"/people/{LI}").text
    assert "Xiaoming" not in page
    assert "was let in to tax" in page


def test_what_an_identifier_holds_is_no_markup(fake: ConsoleFake) -> None:
    evil = '"><script>alert(1)</script>'
    fake.add(subject=LI, object=evil, session="s-li", decision="d-%(what)s", outcome=Outcome.DENIED)
    page = fake.get(f"/people/{LI}").text
    assert "<script" not in page
    assert fake.get("/sessions/s-li").status_code == 200


def test_days_and_sessions_keep_the_order(fake: ConsoleFake) -> None:
    hits = fake.console.search(fake.reader, Query(person=LI, limit=40)).hits
    told = days(hits)
    flat = [line.hit for day in told for stretch in day.stretches for line in stretch.lines]
    assert flat == list(hits)
    assert [day.date for day in told] == sorted({hit.row.at.date() for hit in hits}, reverse=True)
