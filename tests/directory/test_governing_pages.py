# SPDX-License-Identifier: Apache-2.0
"""The pages about reviews, duties, proofing and what is entered one by one, as browsers behind the gateway see them."""

import hashlib
from datetime import timedelta

import pytest

from core.web.guard import mark_of
from directory.models import Person, credit_code_check
from directory.reviews import Item, Kind
from directory.service import DirectoryWriter
from tests.directory.desk import Desk, application
from tests.directory.world import World

BODY = "91999999ABCDEFGHJ"


@pytest.fixture
def boss(filled: World) -> Person:
    return filled.directory("directory").person_by_username("zhao.lei")


@pytest.fixture
def desk(filled: World, boss: Person) -> Desk:
    filled.clear()
    return Desk(filled, subject=boss.subject, roles=frozenset({"directory-administrator"}))


@pytest.fixture
def agency_desk(filled: World) -> Desk:
    subject = filled.directory("directory").person_by_username("zhou.fang").subject
    return Desk(filled, subject=subject, roles=frozenset({"agency-administrator"}))


def of(writer: DirectoryWriter, campaign: str) -> list[Item]:
    while writer.reviewing.collect():
        pass
    return list(writer.reviewing.board.all_items(campaign))


def test_a_review_is_begun_decided_and_read_on_its_pages(
    filled: World, desk: Desk, agency_desk: Desk, writer: DirectoryWriter, li_na: Person
) -> None:
    due = filled.clock.now().date() + timedelta(days=3)
    form = {
        "name": "<b>Spring</b>", "scope": "organisation", "of": "document-office", "due": due.isoformat(), "heads": "",
        "owner": li_na.username, "undecided": "escalate", "reason": "yearly",
    }  # fmt: skip
    assert desk.post("/reviews", {**form, "due": ""}).status_code == 400
    assert desk.post("/reviews", {**form, "scope": "everything"}).status_code == 400
    assert agency_desk.post("/reviews", {**form, "of": "tax-bureau"}).status_code == 404
    begun = desk.post("/reviews", form)
    assert begun.status_code == 303
    campaign = begun.headers["Location"].partition("/reviews/")[2].partition("?")[0]
    found = of(writer, campaign)
    owner = Desk(filled, subject=li_na.subject, roles=frozenset({"civil-servant"}))
    filled.clear()
    page = owner.get("/reviews/mine").text
    assert "&lt;b&gt;Spring" in page
    assert "<b>Spring" not in page
    # Who is shown is on record before.
    assert filled.recorder.types() == ["directory.people.searched"]
    first = next(each for each in found if each.owner == li_na.subject and each.kind is Kind.POST)
    assert f"/reviews/items/{first.position}/confirm" in page
    at = f"/reviews/items/{first.position}"
    # An owner sees nothing else of the desk, and nobody decides in their place.
    for elsewhere in ("/", "/reviews", f"/reviews/{campaign}", "/duties", "/proofing", "/catalogue"):
        assert owner.get(elsewhere).status_code == 403
    assert desk.post(f"{at}/confirm", {"reason": "x"}).status_code == 403
    assert desk.post(f"{at}/burn", {"reason": "x"}).status_code == 400
    headers = {**owner.headers("POST", f"{at}/confirm"), "Referer": "https://directory.test.localhost/"}
    bare = owner._client.post(
        f"{at}/confirm", base_url="https://directory.test.localhost", headers=headers, data={"reason": "x"}
    )
    # Without the form's token.
    assert bare.status_code == 403
    token = _token(owner)
    done = owner._client.post(
        f"{at}/confirm", base_url="https://directory.test.localhost", headers=headers,
        data={"reason": "needed", "csrf_token": token},
    )  # fmt: skip
    assert done.status_code == 303
    assert "needed" in desk.get(f"/reviews/{campaign}").text
    assert campaign in desk.get("/reviews").text
    assert agency_desk.get(f"/reviews/{campaign}").status_code == 200
    filled.clock.advance(timedelta(days=4))
    try:
        writer.reviewing.tend()
        sealed = writer.reviewing.campaign(campaign).seal
        report = desk.get(f"/reviews/{campaign}/report")
        assert hashlib.sha256(report.data).hexdigest() == sealed
        assert sealed in desk.get(f"/reviews/{campaign}").text
    finally:
        filled.clock.advance(timedelta(days=-4))


def _token(owner: Desk) -> str:
    page = owner.get("/reviews/mine").text
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]


def test_rules_about_duties_are_entered_and_removed(desk: Desk, agency_desk: Desk, writer: DirectoryWriter) -> None:
    form = {"name": "Decide or certify", "role": ["case-worker", "ra-officer"], "reason": "audit"}
    assert agency_desk.post("/duties", form).status_code == 403
    assert desk.post("/duties", {**form, "role": "case-worker"}).status_code == 400
    assert desk.post("/duties", form).status_code == 303
    (rule,) = writer.ruling.rules()
    assert "Decide or certify" in agency_desk.get("/duties").text
    assert agency_desk.post(f"/duties/{rule.id}/remove", {"reason": "x"}).status_code == 403
    assert desk.post(f"/duties/{rule.id}/remove", {"reason": "x"}).status_code == 303
    assert writer.ruling.rules() == []


def test_a_person_is_vetted_at_the_desk(
    desk: Desk, agency_desk: Desk, writer: DirectoryWriter, boss: Person, chen_wei: Person
) -> None:
    at = f"/people/{chen_wei.subject}/proofing"
    form = {"level": "2", "way": "in-person", "kind": "passport", "reference": "A-1"}
    assert agency_desk.post(at, form).status_code == 404
    assert desk.post(at, {**form, "level": "4"}).status_code == 400
    assert desk.post(at, {**form, "kind": "rumour"}).status_code == 400
    assert desk.post(at, {**form, "kind": "declaration"}).status_code == 400
    assert desk.post(f"/people/{boss.subject}/proofing", form).status_code == 403
    assert desk.post(at, form).status_code == 303
    page = desk.get(at).text
    assert "A-1" in page
    assert writer.directory.person(chen_wei.subject).proofing.level == 2
    table = "kind,username,name,name_zh\ncitizen,page.cousin,Zhao Page,赵页\n"
    assert writer.import_csv(table.encode(), actor="").entered == 1
    cousin = writer.directory.person_by_username("page.cousin")
    assert desk.post(f"/people/{cousin.subject}/proofing", form).status_code == 303
    (held,) = writer.vetters.history(cousin.subject)
    assert desk.post(f"/proofing/{held.id}/agree", {}).status_code == 403
    assert "Zhao Page" in desk.get("/proofing?level=2").text
    assert desk.get("/proofing?level=7").status_code == 400
    assert desk.post(f"/proofing/{held.id}/refuse", {"reason": "no"}).status_code == 303
    assert desk.post(f"{at}/withdraw", {"reason": "forged"}).status_code == 303
    assert writer.directory.person(chen_wei.subject).proofing.level == 0


def test_roles_services_companies_and_devices_are_entered_one_by_one(
    filled: World, desk: Desk, agency_desk: Desk, writer: DirectoryWriter, li_na: Person
) -> None:
    role = {"name": "archivist", "title": "Archivist", "title_zh": "档案员", "entitlements": "tax/archive.read"}
    assert agency_desk.post("/catalogue/roles", role).status_code == 403
    assert desk.post("/catalogue/roles", {**role, "entitlements": "nowhere/x"}).status_code == 400
    assert desk.post("/catalogue/roles", role).status_code == 303
    assert [str(each) for each in writer.standings.role("archivist").entitlements] == ["tax/archive.read"]
    offer = {"name": "archive", "title": "Archive", "title_zh": "档案", "organisation": "tax-bureau", "portal": "tax"}
    assert desk.post("/catalogue/offers", {**offer, "portal": "nowhere"}).status_code == 400
    assert desk.post("/catalogue/offers", offer).status_code == 303
    assert desk.post("/catalogue/offers", offer).status_code == 409
    firm = {
        "kind": "company", "identifier": "one-firm", "name": "One Firm", "name_zh": "一公司", "parent": "",
        "credit_code": BODY + credit_code_check(BODY),
    }  # fmt: skip
    assert desk.post("/catalogue/organisations", {**firm, "credit_code": "1" * 18}).status_code == 400
    assert agency_desk.post("/catalogue/organisations", firm).status_code == 422
    assert desk.post("/catalogue/organisations", firm).status_code == 303
    assert not writer.directory.organisation("one-firm").agency
    device = {"name": "Scanner 9", "organisation": "document-office", "owner": li_na.username}
    assert desk.post("/catalogue/devices", {**device, "owner": "nobody.here"}).status_code == 404
    assert agency_desk.post("/catalogue/devices", {**device, "organisation": "tax-bureau"}).status_code == 422
    assert agency_desk.post("/catalogue/devices", device).status_code == 303
    (made,) = writer.directory.devices("Scanner 9", limit=2).items
    assert (made.owner, made.state.value) == (li_na.subject, "enrolled")
    page = desk.get("/catalogue").text
    assert "archivist" in page
    assert "Archive" in page
    assert filled.recorder.types().count("directory.entry.created") >= 2


def test_departments_and_posts_that_nobody_uses_are_removed(
    desk: Desk, agency_desk: Desk, writer: DirectoryWriter
) -> None:
    department = writer.structure.add_department("document-office", "Cellar", actor="")
    post = writer.structure.add_post("document-office", "Keeper", department=department, actor="")
    at = "/organisations/document-office"
    assert desk.post(f"{at}/departments/remove", {"department": department}).status_code == 409
    assert desk.post("/organisations/tax-bureau/posts/remove", {"post": post}).status_code == 404
    assert agency_desk.post(f"{at}/posts/remove", {"post": post}).status_code == 303
    assert agency_desk.post(f"{at}/departments/remove", {"department": department}).status_code == 303
    assert department not in {each.id for each in writer.standings.departments("document-office")}


def test_hiring_and_leave_are_told_before(desk: Desk, writer: DirectoryWriter, li_na: Person) -> None:
    post = next(each for each in writer.standings.posts("tax-bureau") if "head-of-section" in each.roles)
    form = {"username": "told.before", "name": "Told Before", "post": post.id, "reason": "new post"}
    page = desk.post("/organisations/tax-bureau/hire/preview", form).text
    # From the page that tells it, the person can be hired.
    assert 'action="/organisations/tax-bureau/hire"' in page
    assert "documents/cases.sign" in page
    assert 'value="told.before"' in page
    assert desk.post("/organisations/document-office/hire/preview", {**form, "post": "x"}).status_code == 404
    gone = desk.post(f"/people/{li_na.subject}/preview", {"act": "away"}).text
    assert "Civil servant" in gone
    assert writer.directory.person(li_na.subject).enabled


def test_a_mandate_for_a_person_is_told_by_name(desk: Desk, writer: DirectoryWriter, chen_wei: Person) -> None:
    other = writer.directory.person_by_username("zhang.min")
    form = {"whom": f"@{other.username}", "scope": "all", "until": "2030-01-01", "reason": "illness"}
    assert desk.post(f"/people/{chen_wei.subject}/mandates", form).status_code == 303
    assert f"{other.name} · " in desk.get(f"/people/{chen_wei.subject}/access").text


def test_the_policies_let_owners_to_the_desk_and_the_desk_shows_them_their_questions_alone(filled: World) -> None:
    app = application(filled)
    marks = {rule.endpoint: mark_of(app, rule.endpoint) for rule in app.url_map.iter_rules()}
    for_everybody = {name for name, mark in marks.items() if mark and mark.kind == "person" and not mark.names}
    assert for_everybody == {"directory.mine_to_review", "directory.decide"}
    others = {mark.kind for name, mark in marks.items() if mark and name.startswith("directory.")}
    assert others == {"person"}
