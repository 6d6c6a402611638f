# SPDX-License-Identifier: Apache-2.0
"""The search page: narrowing by links, bars, saved searches, and the session around an entry."""

import re
import sqlite3
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from audit.search import parse
from audit.store.saved import MOST
from audit.web.narrowing import bars
from core.identity import HEADER
from tests.fakes.audit_console import LI, OFFICER, ConsoleFake


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    made = ConsoleFake(tmp_path)
    made.fill()
    return made


def _post(fake: ConsoleFake, path: str, **form: str) -> tuple[int, str]:
    client = fake.client()
    page = client.get("/search", headers={HEADER: fake.header("/search")}, environ_overrides={"REQUEST_URI": "/search"})
    [token, *_] = re.findall(r'name="csrf_token" value="([^"]+)"', page.text)
    headers = {HEADER: fake.header(path, method="POST"), "Origin": "https://audit.city.localhost"}
    answer = client.post(
        path, data={"csrf_token": token, **form}, headers=headers, environ_overrides={"REQUEST_URI": path}
    )
    return answer.status_code, answer.text


class TestNarrowing:
    def test_every_link_of_a_facet_finds_as_many_as_it_says(self, fake: ConsoleFake) -> None:
        page = fake.get("/search?object=tax").text
        part = page[page.index('class="facets"') : page.index("</details>", page.index('class="facets"'))]
        links = re.findall(r'<li><a href="([^"]+)">.*?<span class="number quiet">(\d+)</span>', part)
        assert len(links) >= 4
        for link, count in links:
            query = parse(parse_qs(urlsplit(unescape(link)).query))
            assert query.object == "tax"
            assert fake.store.count(query, frozenset()) == int(count)

    def test_a_value_that_narrows_already_is_no_link(self, fake: ConsoleFake) -> None:
        page = fake.get("/search?q=object%3Atax").text
        assert "&amp;object=" not in page

    def test_every_bar_finds_as_many_as_it_is_high(self, fake: ConsoleFake) -> None:
        query = parse({})
        survey = fake.console.search(fake.reader, query).survey
        made = bars({}, "", survey)
        assert sum(bar.count for bar in made) == survey.counted
        for bar in made:
            if bar.count:
                narrowed = parse(parse_qs(urlsplit(bar.address).query))
                assert fake.store.count(narrowed, frozenset()) == bar.count

    def test_what_cannot_be_read_is_said_with_its_name(self, fake: ConsoleFake) -> None:
        answer = fake.get("/search?q=colour%3Ared")
        assert answer.status_code == 400
        assert "colour" in answer.text


class TestSession:
    def test_an_entry_shows_its_session_around_it_and_leads_on(self, fake: ConsoleFake) -> None:
        li = [i for i, e in enumerate(fake.log.events) if e.session == "s-li"]
        middle = li.index(30) if 30 in li else 20
        fake.get("/search")
        page = fake.get(f"/entries/{li[middle]}").text
        around = page[page.index('class="session"') : page.index("</nav>", page.index('class="session"'))]
        shown = [int(number) for number in re.findall(r'<li><a href="/entries/(\d+)"', around)]
        assert shown == [*li[middle - 5 : middle], *li[middle + 1 : middle + 6]]
        assert f'href="/entries/{li[middle - 1]}" rel="prev"' in around
        assert f'href="/entries/{li[middle + 1]}" rel="next"' in around
        assert 'href="/sessions/s-li"' in around

    def test_an_entry_without_a_session_has_none(self, fake: ConsoleFake) -> None:
        assert 'class="session"' not in fake.get("/entries/0").text


class TestSaved:
    def test_a_search_is_kept_under_its_name_recorded_and_removed(self, fake: ConsoleFake, tmp_path: Path) -> None:
        status, _ = _post(fake, "/searches", name="Li at the tax office", query="person=Li+Xiaoming&object=tax")
        assert status == 303
        made = fake.log.events[-1]
        assert (made.type, made.subject) == ("audit.search.saved", OFFICER)
        assert made.sealed == {"title": "Li at the tax office", "words": "person=Li+Xiaoming&object=tax"}
        page = fake.get("/search").text
        assert "/search?person=Li+Xiaoming&amp;object=tax" in page
        assert "Li at the tax office" in page
        files = b"".join(path.read_bytes() for path in tmp_path.glob("saved.db*"))
        assert b"Xiaoming" not in files
        assert b"tax office" not in files
        [saved] = fake.saved.all(OFFICER)
        assert _post(fake, f"/searches/{saved.id}/remove")[0] == 303
        assert fake.saved.all(OFFICER) == []
        assert fake.log.events[-1].type == "audit.search.removed"

    def test_it_outlives_the_index(self, fake: ConsoleFake) -> None:
        fake.saved.add(OFFICER, "mine", "zone=internal", fake.clock.now())
        fake.indexer.rebuild()
        assert [saved.query for saved in fake.saved.all(OFFICER)] == ["zone=internal"]

    def test_nobody_has_anothers(self, fake: ConsoleFake, tmp_path: Path) -> None:
        theirs = fake.saved.add(LI, "theirs", "zone=internal", fake.clock.now())
        assert "theirs" not in fake.get("/search").text
        assert _post(fake, f"/searches/{theirs.id}/remove")[0] == 404
        assert len(fake.saved.all(LI)) == 1
        # Moved to another officer in the file, it opens no more.
        connection = sqlite3.connect(tmp_path / "saved.db")
        connection.execute("UPDATE saved SET officer = ?", (OFFICER,))
        connection.commit()
        connection.close()
        assert fake.saved.all(OFFICER) == []

    @pytest.mark.parametrize(
        ("name", "query"),
        [("", "zone=internal"), ("x" * 81, ""), ("a\u202eb", ""), ("fine", "zone=moon"), ("fine", "no parameters"),
         ("fine", "q=colour:red"), ("fine", "zone=internal&zone=external")],
    )  # fmt: skip
    def test_what_is_no_search_is_not_kept(self, fake: ConsoleFake, name: str, query: str) -> None:
        assert _post(fake, "/searches", name=name, query=query)[0] == 400
        assert fake.saved.all(OFFICER) == []

    def test_there_is_a_most(self, fake: ConsoleFake) -> None:
        for number in range(MOST):
            fake.saved.add(OFFICER, f"number {number}", "", fake.clock.now())
        assert _post(fake, "/searches", name="one more", query="")[0] == 429

    def test_what_cannot_be_recorded_is_not_kept(self, fake: ConsoleFake) -> None:
        page = fake.get("/search").text
        assert "csrf_token" in page
        client = fake.client()
        fake.log.down = True
        headers = {HEADER: fake.header("/searches", method="POST")}
        answer = client.post("/searches", data={"name": "a", "query": ""}, headers=headers)
        assert answer.status_code >= 400
        assert fake.saved.all(OFFICER) == []

    def test_an_erased_officer_leaves_none(self, fake: ConsoleFake) -> None:
        fake.saved.add(OFFICER, "mine", "", fake.clock.now())
        fake.saved.add(LI, "theirs", "", fake.clock.now())
        fake.saved.forget(OFFICER)
        assert (fake.saved.all(OFFICER), len(fake.saved.all(LI))) == ([], 1)


def test_a_phone_shows_hits_before_anything_that_narrows_them(fake: ConsoleFake) -> None:
    page = fake.get("/search?outcome=denied&type=gateway.decision").text
    form = page[page.index("<form") : page.index('id="hits"')]
    # Words and button stand open; whatever else narrows is folded, says how much of it is used, and still counts.
    assert form.index('name="q"') < form.index("<button>") < form.index("<details")
    assert form.index("<details") < form.index('name="outcome"')
    assert "More fields (2 in use)" in form
    assert "<details open" not in page
    assert 'value="denied" selected' in form
