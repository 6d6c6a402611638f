# SPDX-License-Identifier: Apache-2.0
"""An officer goes from the overview to a pair of networks, to who was refused, into a case, and reports an incident."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.flows import invariants
from tests.flows.city import City, until
from tests.flows.knocking import person, post
from tests.flows.looking import Eyes
from tests.flows.people import accessible, heading, log_in, log_in_by_card
from tests.flows.words import Language

Browse = Callable[..., BrowserContext]


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


@pytest.fixture(scope="module", autouse=True)
def missed(city: City) -> str:
    """The page of an incident that was noticed three hours ago and reported to nobody; the record watches meanwhile."""
    cases = city.url("audit", "/cases", "management")
    officer = person(city, "wang.qiang", cases)
    opened = post(officer, officer.get(cases), "/cases", title="资料外泄 Files were copied", text="")
    noticed = (datetime.now(UTC) - timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M")
    form = {"class": "data", "system": "3", "loss": "4", "society": "1", "grade": "", "noticed": noticed}
    graded = post(officer, opened, f"{urlsplit(opened.url).path}/grading", **form, text="By the table")
    assert graded.status_code == HTTPStatus.OK, graded.text
    return graded.url


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
    # At the doors themselves: a certificate of nobody's, a name of nobody's, and names that directories ship with.
    stranger = found["GB", "8.1.3.1 b"]
    assert (stranger["found"], stranger["evidence"][1][-14:]) == ("shown", "401 credential")
    defaults = found["GB", "8.1.4.2 b"]
    assert defaults["found"] == "shown"
    assert len(defaults["evidence"]) == 4
    assert all(line.endswith(": 3 of 3 passwords refused") for line in defaults["evidence"])
    assert (found["GB", "8.1.4.2 d"]["found"], found["GB", "8.1.4.2 d"]["kind"]) == ("shown", "test")
    # The sample city's hosts take any method: that is said, and by the command's exit too.
    assert (found["GB", "8.1.3.2 e"]["found"], told.returncode) == ("not so", 1)
    text = subprocess.run(["pdftotext", "-layout", str(paper), "-"], capture_output=True, text=True, check=True).stdout
    for clause in {clause for _, clause in found}:
        assert re.search(rf"^\s*{re.escape(clause)}\b", text, re.MULTILINE), clause
    assert "Every user's acts are recorded" in text
    assert "安全审计" in text
    looked = [each["told"] for each in invariants.published(city) if each["told"]["type"] == "audit.searched"]
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


REPORTED = {
    "unit": "Document office, its file store",
    "impact": "文件四千份 four thousand files",
}


def _report(page: Page, kind: str, *fields: str) -> None:
    for name in fields:
        page.locator(f"#{kind}-{name}").fill(REPORTED[name])
    page.locator(f"form:has(input[value={kind}]) button").click()
    expect(page.locator(".steps-of-case .what").last).to_contain_text("wrote a report")


def _paper(page: Page, path: Path) -> str:
    """The report as it is downloaded from the page, read as a person reads it."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Report as PDF").click()
    waiting.value.save_as(path)
    text = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True).stdout
    return " ".join(text.split())


def test_a_security_incident_is_told_of_when_late_and_reported_on_paper(
    city: City, browse: Browse, missed: str, tmp_path: Path
) -> None:
    page = _officer(city, browse, "wang.qiang")
    page.goto(missed)
    expect(page.get_by_role("alert").filter(has_text="Overdue since")).to_contain_text("First report")
    # Nobody had to look for it: the record says so by itself, once, and an alert tells every officer.
    until(lambda: page.reload() and page.get_by_text("A report was not made in time").count(), seconds=90, every=0.5)
    alerts = city.url("audit", "/alerts?state=all", "management")
    until(lambda: page.goto(alerts) and page.get_by_text("A report of a security incident is overdue").count())
    languages: tuple[Language, ...] = ("en", "zh")
    for language in languages:
        eyes = Eyes("officer", language)
        page.goto(f"{missed}?lang={language}")
        eyes.look(page)
        assert not eyes.wrong, eyes.wrong
    page.goto(f"{missed}?lang=en")
    _report(page, "first", "unit", "impact")
    expect(page.locator(".notice.warn")).to_contain_text("Due by")
    expect(page.locator(".notice.warn")).to_contain_text("Follow-up report")

    early = _paper(page, tmp_path / "early.pdf")
    for words in (
        "Security incident", "安全事件", "资料外泄 Files were copied", "Data security", "数据安全",
        "particularly serious", "特别重大", "First report", "四千份 four thousand files",
        "was not made by this time", "is due by this time", "Follow-up report",
    ):  # fmt: skip
        assert words in early, (words, early)
    # The seal of the officer's own act is on it, and the site trusts it.
    said = city.tallygate(
        "verify", str(tmp_path / "early.pdf"), "--site", str(city.configuration), "--json", check=False
    )
    assert json.loads(said.stdout)["overall"] == "trusted", said.stdout
