# SPDX-License-Identifier: Apache-2.0
"""Every page that a citizen, a civil servant and each officer can reach: readable, narrow enough, in their language."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.flows import invariants
from tests.flows.city import City, until
from tests.flows.knocking import hidden, post
from tests.flows.knocking import person as logged_in
from tests.flows.looking import Eyes
from tests.flows.paper import one_page, sealed
from tests.flows.people import agree, fill_in, heading, log_in_by_card
from tests.flows.words import LOCALES, Language, Words

Browse = Callable[..., BrowserContext]
CITIZENS = {"en": "peng.zihan", "zh": "wu.xiuying"}


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


@dataclass(frozen=True)
class Person:
    """Who walks, and where they begin: host, path, listener."""

    name: str
    starts: tuple[tuple[str, str, str], ...]
    card: bool = True


OFFICERS = (
    Person(
        "li.na",
        (
            ("documents", "/me", "internal"),
            ("documents", "/me", "external"),
            ("sso", "/account", ""),
            ("sso", "/account/mandates", ""),
            ("sso", "/device", ""),
            ("sign", "/my/", ""),
            ("sign", "/my/seals", ""),
            ("sign", "/my/papers", ""),
            ("sign", "/my/register", ""),
            ("sign", "/my/orders/none", ""),
        ),
    ),
    Person(
        "wang.qiang",
        (
            ("audit", "/", "management"),
            ("audit", "/search?outcome=denied", "management"),
            ("audit", "/search?type=sso.login&outcome=success", "management"),
            ("audit", "/search?person=nobody-at-all", "management"),
            ("audit", "/?span=30d", "management"),
            ("audit", "/views/remote-access", "management"),
            ("audit", "/crossings?zone=external&to_zone=external&outcome=success", "management"),
            ("audit", "/cases?entry=0", "management"),
            ("audit", "/evidence?scope=entry%3A0", "management"),
            ("audit", "/warrants/new?kind=open&scope=entry%3A0", "management"),
            ("audit", "/alerts?state=all", "management"),
            ("audit", "/people/00000000-0000-4000-8000-000000000000", "management"),
            ("audit", "/devices/nothing-at-all", "management"),
            ("audit", "/sessions/nothing-at-all", "management"),
            ("audit", "/documents/nothing-at-all", "management"),
            ("audit", "/entries/0", "management"),
            ("audit", "/entries/99999999", "management"),
            ("ca", "/", "management"),
        ),
    ),
    # Who decides with others and reads nothing.
    Person(
        "qian.jun",
        (
            ("accounts", "/admin", "management"),
            ("accounts", "/admin/clients/tax", "management"),
            ("audit", "/policies", "management"),
        ),
    ),
    Person("gao.yan", (("audit", "/", "management"), ("audit", "/search", "management"))),
    Person(
        "sun.li",
        (
            ("ca", "/", "management"),
            ("ca", "/?q=li.na", "management"),
            ("ca", "/requests", "management"),
            ("ca", "/requests/none", "management"),
            ("ca", "/incidents", "management"),
            ("ca", "/incidents/none", "management"),
            ("ca", "/?q=nobody-at-all", "management"),
            ("ca", "/overview", "management"),
            ("ca", "/inventory?state=good", "management"),
            ("ca", "/inventory?name=nobody-at-all", "management"),
            ("ca", "/inventory/holders/tax-bureau", "management"),
            ("ca", "/checks", "management"),
            ("ca", "/certificates/4711", "management"),
        ),
    ),
    Person(
        "zhao.lei",
        (
            ("directory", "/", "management"),
            ("directory", "/?q=li.na", "management"),
            ("directory", "/?q=zhao.lei", "management"),
            ("directory", "/?q=nobody-at-all", "management"),
            ("directory", "/people/nobody", "management"),
            ("directory", "/history/organisation/tax-bureau", "management"),
        ),
    ),
)


@pytest.fixture(scope="module")
def work(city: City) -> None:
    """What an officer's pages show when there is work: a case, a warrant that waits, an alert."""
    alerts = city.url("audit", "/alerts?state=all", "management")
    officer = logged_in(city, "wang.qiang", alerts)
    shown = officer.get(city.url("audit", "/cases", "management"))
    case = post(officer, shown, "/cases", title="Odd logins", text="Seen at night.", entry="0")
    noted = post(officer, case, f"{case.url}/notes".partition(f":{city.ports['management']}")[2], text="They called.")
    assert "They called." in noted.text
    shown = officer.get(city.url("audit", "/warrants/new?kind=open", "management"))
    asked = post(officer, shown, "/warrants", kind="open", about="entry", which="0", purpose="An order")
    assert "?done=asked" in asked.url, asked.text
    desk = city.url("audit", "/policies", "management")
    administrator = logged_in(city, "qian.jun", desk)
    draft = post(administrator, administrator.get(desk), "/policies/drafts", title="A remark", base="")
    post(administrator, draft, f"{urlsplit(draft.url).path}/file", name="remark.cedar", text="// A remark.")
    guesser = city.http()
    guesser.headers["Accept"] = "text/html"
    page = guesser.get(city.url("tax", "/me"))
    for number in range(7):
        page = post(guesser, page, "/login", username="zhou.haoran", password=f"guess number {number}")
    # A preview of an incident, which does nothing.
    city.tallygate(
        "ca", "--site", str(city.configuration), "incident", "renew", "--profile", "device-client",
        "--profile", "citizen", "--explain", "A key leaked.", "--explain-zh", "密钥泄露。",
    )  # fmt: skip
    # A document to sign, and one on its way to be sealed.
    brought = logged_in(city, "li.na", city.url("sign", "/my/"))
    mine = brought.get(city.url("sign", "/my/"))
    fields = hidden(mine.text, "/my/documents")
    files = {"document": ("notice.pdf", one_page("A notice that waits"), "application/pdf")}
    kept = brought.post(urljoin(mine.url, "/my/documents"), data=fields, files=files, headers={"Referer": mine.url})
    assert kept.status_code == 200, kept.text
    begun = {"kind": "official", "organisation": "document-office", "word": "江文", "title": "通知"}
    shown = brought.get(city.url("sign", "/my/papers"))
    document = urlsplit(kept.url).path.rpartition("/")[2]
    assert "/my/papers/" in post(brought, shown, "/my/papers", document=document, **begun).url
    until(lambda: 'href="/alerts/' in officer.get(alerts).text, seconds=20, every=0.5)


@pytest.fixture(params=get_args(Language))
def words(request: pytest.FixtureRequest) -> Words:
    return Words(request.param)


def _enter(page: Page, address: str, person: Person, words: Words) -> None:
    """Log in and agree on the way to an address."""
    page.goto(address)
    if words("Log in").match(heading(page)):
        if person.card:
            log_in_by_card(page, words=words)
        else:
            fill_in(page, person.name, words=words)
    page.wait_for_load_state()
    if words("Share your data?").match(heading(page)):
        agree(page, words=words)


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("person", OFFICERS, ids=lambda person: person.name)
def test_every_page_of_an_officer(city: City, browse: Browse, words: Words, person: Person) -> None:
    context = browse(card=city.folder / "demo" / f"{person.name}.p12", locale=LOCALES[words.language])
    page = context.new_page()
    starts = [city.url(label, path, listener or "external") for label, path, listener in person.starts]
    _enter(page, starts[0], person, words)
    eyes = Eyes(person.name, words.language)
    eyes.walk(context, starts)
    # The way out, and what is said at the door.
    for address in (starts[0].partition("/me")[0].rstrip("/") + "/.tallygate/logout",):
        page.goto(address)
        eyes.look(page)
    assert len(eyes.seen) > len(starts)
    assert not eyes.wrong, "\n".join(eyes.wrong)


@pytest.mark.timeout(900)
def test_every_page_of_a_citizen(city: City, browse: Browse, words: Words, tmp_path: Path) -> None:
    who = Person(CITIZENS[words.language], (), card=False)
    eyes = Eyes("citizen", words.language)
    context = browse(locale=LOCALES[words.language])
    page = context.new_page()
    # Before anybody knows who it is.
    for label, path in (("tax", "/"), ("verify", "/"), ("tax", "/nobody"), ("sso", "/nothing-here"), ("sso", "/login")):
        page.goto(city.url(label, path))
        eyes.look(page)
    page.goto(city.url("tax", "/.tallygate/callback?code=x&state=x"))
    eyes.look(page)
    for label in ("tax", "social"):
        page.goto(city.url(label, "/me"))
        if label == "tax":
            eyes.look(page)
            fill_in(page, who.name, "wrong", words=words)
            eyes.look(page)
            fill_in(page, who.name, words=words)
        eyes.look(page)
        agree(page, words=words)
        page.wait_for_url(city.url(label, "/me"))
    eyes.walk(
        context,
        [
            city.url("tax"),
            city.url("tax", "/me"),
            city.url("social", "/me"),
            city.url("sso", "/account"),
            city.url("certificates", "/my/ask"),
        ],
    )
    # What is refused, and why.
    for address in (
        city.url("documents", "/me", "internal"),
        city.url("audit", "/", "management"),
        city.url("tax", "/a%2fb"),
        city.url("tax", "/.tallygate/login?to=//evil"),
    ):
        page.goto(address)
        eyes.look(page)
    # What the verifier says of a good document, and of what is none.
    for document in (sealed(city, tmp_path), city.root):
        page.goto(city.url("verify"))
        page.locator("#document").set_input_files(str(document))
        page.locator("main form button[type=submit]:not([formaction])").click()
        page.wait_for_load_state()
        eyes.look(page)
    page.goto(city.url("tax", "/.tallygate/logout"))
    eyes.look(page)
    page.goto(city.url("sso", "/logout"))
    eyes.look(page)
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_load_state()
    eyes.look(page)
    assert not eyes.wrong, "\n".join(eyes.wrong)
