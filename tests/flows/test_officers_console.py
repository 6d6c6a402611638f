# SPDX-License-Identifier: Apache-2.0
"""An officer goes from the overview to a pair of networks, to the story of who was refused, and into a case."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.flows import invariants
from tests.flows.city import City, until
from tests.flows.people import accessible, heading, log_in, log_in_by_card

Browse = Callable[..., BrowserContext]


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


def _officer(city: City, browse: Browse, name: str) -> Page:
    page = browse(card=city.folder / "demo" / f"{name}.p12").new_page()
    page.goto(city.url("audit", "/", "management"))
    log_in_by_card(page)
    return page


def _reported(city: City, paper: Path) -> None:
    """The operator's command gives the same evidence, on paper too, and is recorded."""
    told = city.tallygate("compliance", "--site", str(city.configuration), "--pdf", str(paper), "--json", check=False)
    found = {(row["standard"][:2], row["clause"]): row for row in json.loads(told.stdout)}
    assert found["GB", "8.1.2.2"]["found"] == "shown"
    assert "TLSv1.3" in " ".join(found["GB", "8.1.2.2"]["evidence"])
    # The sample city's hosts take any method: that is said, and by the command's exit too.
    assert (found["GB", "8.1.3.2 e"]["found"], told.returncode) == ("not so", 1)
    text = subprocess.run(["pdftotext", "-layout", str(paper), "-"], capture_output=True, text=True, check=True).stdout
    for clause in {clause for _, clause in found}:
        assert re.search(rf"^\s*{re.escape(clause)}\b", text, re.MULTILINE), clause
    assert "Every user's acts are recorded" in text
    assert "安全审计" in text
    looked = [each["told"] for each in invariants.entries(city) if each["told"]["type"] == "audit.searched"]
    assert any(each["attributes"].get("reader") == "app" for each in looked)


def test_from_the_overview_to_a_case(city: City, browse: Browse, tmp_path: Path) -> None:
    citizen = browse().new_page()
    citizen.goto(city.url("documents", "/me", "internal"))
    log_in(citizen, "yuan.jianguo")
    assert heading(citizen) != "Log in"

    page = _officer(city, browse, "wang.qiang")
    accessible(page)
    expect(page.get_by_role("group", name=re.compile("Crossings between networks")).first).to_be_visible()

    page.goto(city.url("audit", "/compliance", "management"))
    accessible(page)
    # What was tried, read and set at this moment; and no yes where nothing of it can be read here.
    for clause, found in (
        ("8.1.2.2", "shown"),
        ("8.1.3.1 a", "shown"),
        ("8.1.3.2 a", "shown"),
        ("8.1.3.2 c", "shown"),
        ("8.1.3.5 c", "shown"),
        ("8.1.3.5 d", "shown"),
        ("8.1.4.2 g", "shown"),
        ("8.1.4.4 d", "shown"),
        ("8.1.4.7", "shown"),
        ("8.1.5.4", "shown"),
        ("8.1.3.2 e", "not so"),
        ("8.1.3.4", "no evidence here"),
    ):
        row = page.get_by_role("row").filter(has=page.get_by_role("cell", name=clause, exact=True))
        expect(row.locator("strong")).to_have_text(found)

    _reported(city, tmp_path / "compliance.pdf")

    table = page.get_by_role("table").filter(has=page.locator('a[href^="/crossings"]'))

    def crossed() -> int:
        page.goto(city.url("audit", "/?span=24h", "management"))
        return table.get_by_role("link", name=re.compile("From Internal network to Internal network: .* [1-9]")).count()

    until(crossed, seconds=15, every=0.3)
    # The map's arrows lead to the entries; the table's numbers to a page about the two networks.
    table.get_by_role("link", name=re.compile("From Internal network to Internal network")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Internal network → Internal network")
    page.get_by_role("link", name="refused", exact=True).click()
    accessible(page)
    page.locator("td a[href^='/people/']").first.click()
    accessible(page)
    expect(page.get_by_text("was refused at documents").first).to_be_visible()

    for box in page.locator("input[name=entry]").all()[:2]:
        box.check()
    page.get_by_role("button", name="Put the chosen entries into a case").click()
    expect(page.get_by_text("2 entries are chosen.", exact=False)).to_be_visible()
    accessible(page)
    page.get_by_label("Title").fill("Refused at the document office")
    page.get_by_label("Description").fill("Asked for by the data bureau.")
    page.get_by_role("button", name="Open the case").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Refused at the document office")
    page.get_by_label("Note").fill("Called the office;\nthe citizen took the wrong door.")
    page.get_by_role("button", name="Add the note").click()
    expect(page.get_by_text("the citizen took the wrong door.")).to_be_visible()
    # Whoever opened it does not close it.
    expect(page.get_by_role("button", name="Close with this finding")).to_have_count(0)
    page.get_by_role("button", name="Give to review").click()
    accessible(page)
    until(lambda: page.reload() and page.get_by_text("being published").count() == 0, seconds=10, every=0.3)
    assert page.get_by_text("as recorded").count() == 5
    case = page.url

    other = _officer(city, browse, "lin.hai")
    other.goto(case)
    other.get_by_label("Finding or reason").fill("Nothing in it.")
    other.get_by_role("button", name="Close with this finding").click()
    expect(other.get_by_role("heading", level=1)).to_contain_text("closed")
    expect(other.get_by_role("button", name="Add the note")).to_have_count(0)
    accessible(other)
