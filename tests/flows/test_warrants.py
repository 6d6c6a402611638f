# SPDX-License-Identifier: Apache-2.0
"""Four eyes in a running city: no name without a second officer, an erasure by two, a legal hold that refuses it."""

import json
import re
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.flows import invariants
from tests.flows.city import City, until
from tests.flows.people import accessible, as_program, heading, log_in, log_in_by_card, subject_of

Browse = Callable[..., BrowserContext]
NAME, USERNAME = "Zhang Min", "zhang.min"
NAMES = ("Chen Wei", "陈伟", "Wang Qiang", "王强", "Lin Hai", "林海", "Zhang Min", "张敏")


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


def _desk(city: City, browse: Browse, username: str) -> Page:
    page = browse(card=city.folder / "demo" / f"{username}.p12").new_page()
    page.goto(city.url("audit", "/warrants", "management"))
    log_in_by_card(page)
    assert heading(page) == "Four eyes", page.inner_text("main")
    return page


def _go(city: City, page: Page, path: str) -> str:
    page.goto(city.url("audit", path, "management"))
    return page.inner_text("main")


def _ask(city: City, page: Page, kind: str, about: str, which: str) -> str:
    """Fill in the form; the path of the request."""
    _go(city, page, f"/warrants/new?kind={kind}")
    page.select_option("#about", about)
    page.fill("#which", which)
    page.fill("#purpose", "court order 17/2026")
    page.click("main form button[type=submit]")
    assert "Asked." in page.inner_text("main")
    return page.url.partition("?")[0].rpartition("/warrants/")[2]


def _press(page: Page, words: str) -> str:
    page.get_by_role("button", name=words, exact=True).click()
    return page.inner_text("main")


def test_two_officers_open_hold_and_erase(city: City, browse: Browse) -> None:  # noqa: PLR0915 - one story
    citizen = browse().new_page()
    citizen.goto(city.url("tax", "/me"))
    log_in(citizen, USERNAME)

    asking, second, auditor = (_desk(city, browse, name) for name in ("wang.qiang", "lin.hai", "gao.yan"))
    until(lambda: "Login" in _go(city, asking, f"/search?person={USERNAME}&type=sso.login"), seconds=10, every=0.3)
    assert NAME not in asking.inner_text("main")
    asking.locator("table a[href^='/entries/']").first.click()
    entry = asking.url.rpartition("/")[2]
    shown = asking.inner_text("main")
    assert NAME not in shown
    assert re.search(r"\b[0-9A-Z]{3}-[0-9A-Z]{4}\b", shown)
    subject = str(asking.get_attribute("main a[href^='/people/']", "href")).rpartition("/")[2]
    assert subject.count("-") == 4

    # One asks; nobody approves their own request, whatever they send; another one does.
    asking.get_by_role("link", name="Ask to open this entry").click()
    accessible(asking)
    asking.fill("#purpose", "court order 17/2026")
    _press(asking, "Ask")
    accessible(asking)
    warrant = asking.url.partition("?")[0].rpartition("/")[2]
    assert asking.get_by_role("button", name="Approve").count() == 0
    asking.evaluate("form => form.action = form.action.replace('withdraw', 'approve')", asking.query_selector("form"))
    _press(asking, "Take it back")
    assert heading(asking) == "You have no access to this page"
    assert NAME not in _go(city, asking, f"/entries/{entry}")
    _go(city, second, "/warrants")
    accessible(second)
    second.locator(f"main a[href='/warrants/{warrant}']").first.click()
    accessible(second)
    assert "court order 17/2026" in second.inner_text("main")
    assert "Approved." in _press(second, "Approve")
    assert NAME in _go(city, asking, f"/entries/{entry}")
    accessible(asking)
    assert NAME not in _go(city, second, f"/entries/{entry}")
    _go(city, second, f"/warrants/{warrant}")
    _press(second, "Take it back")
    assert NAME not in _go(city, asking, f"/entries/{entry}")

    # Who decides about erasures reads nothing.
    _go(city, auditor, "/search")
    assert heading(auditor) == "You have no access to this page"

    # A legal hold refuses the erasure until two officers have released it.
    hold = _consented(city, (asking, auditor), "hold", "subject", subject)
    assert "Done" in _press(asking, "Place this hold")
    erase = _consented(city, (asking, auditor), "erase", "subject", subject)
    _press(asking, "Erase this person for good")
    assert "under legal hold" in asking.inner_text("main")
    _consented(city, (asking, auditor), "release", "hold", hold)
    assert "Done" in _press(asking, "Release this hold")

    keys = city.folder / "audit"
    _go(city, asking, f"/warrants/{erase}")
    assert "Done" in _press(asking, "Erase this person for good")
    assert "erased" in _go(city, asking, f"/entries/{entry}")
    assert "Proven" in asking.inner_text("main")
    assert "No entry matches" in _go(city, asking, f"/search?person={USERNAME}&type=sso.login")
    verified = city.verify_log()
    assert verified.returncode == 0, verified.stderr
    recorded = invariants.entries(city)
    told = [each["told"]["type"] for each in recorded if each["told"].get("subject") == subject]
    for kind in ("audit.warrant.asked", "audit.warrant.approved", "audit.person.held", "audit.person.erased"):
        assert kind in told, kind
    assert "court order" not in json.dumps(recorded)
    # Built again from the log, the index does not know the name either.
    key = city.log_key.read_text("utf-8").strip()
    city.tallygate("audit", "reindex", str(keys), "--key", key)
    assert "No entry matches" in _go(city, asking, f"/search?person={USERNAME}&type=sso.login")


def test_the_report_of_an_officers_evidence_is_sealed_and_verified_by_anybody(
    city: City, browse: Browse, tmp_path: Path
) -> None:
    asking, second = (_desk(city, browse, name) for name in ("wang.qiang", "lin.hai"))
    asking.goto(city.url("audit", "/cases?entry=1&entry=2", "management"))
    asking.get_by_label("Title").fill("For the court")
    _press(asking, "Open the case")
    case = asking.url.partition("?")[0].rpartition("/")[2]
    warrant = _consented(city, (asking, second), "export", "case", case)
    asking.goto(city.url("audit", f"/cases/{case}", "management"))
    asking.get_by_role("link", name="Evidence file").click()
    accessible(asking)
    asking.fill("#purpose", "court order 17/2026")
    with asking.expect_download() as waiting:
        asking.get_by_role("button", name="Make the file").click()
    waiting.value.save_as(tmp_path / "evidence.asice")
    with zipfile.ZipFile(tmp_path / "evidence.asice") as whole:
        assert json.loads(whole.read("META-INF/manifest.json"))["sealed"] is True
        report = whole.read("report.pdf")
    (tmp_path / "report.pdf").write_bytes(report)
    site = ("--site", str(city.configuration), "--json")
    said = city.tallygate("verify", str(tmp_path / "report.pdf"), *site, check=False)
    assert json.loads(said.stdout)["overall"] == "trusted", said.stdout
    answer = city.http().post(
        city.url("verify", "/api/v1/verify"), data=report, headers={"Content-Type": "application/pdf"}
    )
    assert answer.json()["overall"] == "trusted"
    words = subprocess.run(["pdftotext", "-", "-"], input=report, capture_output=True, check=True).stdout.decode()
    assert "carries the seal of an organisation" in " ".join(words.split())
    # Other flows of this city have the record's reports sealed too.
    (made,) = until(lambda: [one for one in _reports(city) if one["attributes"]["reference"] == warrant])
    assert (made["subject"], made["organisation"]) == (subject_of(city, "wang.qiang"), "data-bureau")


def _reports(city: City) -> list[dict[str, Any]]:
    """What the record tells of reports that the console had sealed."""
    told = [each["told"] for each in invariants.entries(city)]
    return [one for one in told if one["type"] == "signature.made" and one["attributes"]["caller"] == "audit"]


def test_names_that_the_roles_seal_are_opened_by_two_and_stand_nowhere_else(city: City, browse: Browse) -> None:
    """Whom something happened to, who did it, what it is called: by sign-on, authority, directory and signatures."""
    citizen = browse().new_page()
    citizen.goto(city.url("tax", "/me"))
    log_in(citizen, "chen.wei")
    asking, second = (_desk(city, browse, name) for name in ("wang.qiang", "lin.hai"))
    officer = as_program(city, asking.context)
    officers = {subject_of(city, name) for name in ("wang.qiang", "lin.hai")}
    names = set(NAMES)

    def shown(path: str) -> str:
        answer = officer.get(city.url("audit", path, "management"))
        assert answer.status_code == 200, (path, answer.text)
        return answer.text

    recorded = invariants.entries(city)
    erased = {each["told"]["subject"] for each in recorded if each["told"]["type"] == "audit.person.erased"}
    for kind in ("sso.login", "ca.certificate.issued", "directory.entry.created", "signature.made"):
        named = [place for place, each in enumerate(recorded)
                 if each["told"]["type"] == kind and each.get("unmapped", {}).get("ciphertext")]  # fmt: skip
        assert named, kind
        place = named[-1]
        until(lambda: _holds(shown(f"/search.json?type={kind}"), place), seconds=20, every=0.3)  # noqa: B023
        for path in (f"/search?type={kind}", f"/search?type={kind}&q=wang", f"/search.json?type={kind}",
                     f"/entries/{place}", f"/entries/{place}/entry.json"):  # fmt: skip
            assert not {name for name in names if name in shown(path)}, (kind, path)
        # Two officers open it, unless it is about one of them (then nobody here may) or about somebody erased.
        closed = officers | erased | {""}
        opened = [each for each in named if recorded[each]["told"].get("subject") not in closed]
        if kind == "signature.made":
            continue
        warrant = _consented(city, (asking, second), "open", "entry", str(opened[-1]))
        page = _go(city, asking, f"/entries/{opened[-1]}")
        assert "Opened to you with a second officer" in page, kind
        # A login names the application, a certificate what stands in it.
        assert ("Name of the object" in page) == (kind != "directory.entry.created"), page
        assert "when a second officer agrees" in _go(city, second, f"/entries/{opened[-1]}")
        _go(city, asking, f"/warrants/{warrant}")
        _press(asking, "Take it back")
        assert "when a second officer agrees" in _go(city, asking, f"/entries/{opened[-1]}")
    # Names are found by keyed marks: the files of the index hold none of them.
    for file in (each for each in (city.folder / "audit").rglob("*") if each.is_file() and "index" in str(each)):
        content = file.read_bytes()
        assert not {name for name in names if name.encode() in content}, file


def _holds(answer: str, place: int) -> bool:
    return any(hit["index"] == place for hit in json.loads(answer)["entries"])


def _consented(city: City, pages: tuple[Page, Page], kind: str, about: str, which: str) -> str:
    asking, deciding = pages
    warrant = _ask(city, asking, kind, about, which)
    _go(city, deciding, f"/warrants/{warrant}")
    assert "Approved." in _press(deciding, "Approve")
    _go(city, asking, f"/warrants/{warrant}")
    return warrant
