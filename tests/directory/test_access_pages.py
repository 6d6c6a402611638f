# SPDX-License-Identifier: Apache-2.0
"""The desk's pages about posts and access: why somebody may do something, who can reach it, whose business it is."""

import pytest

from directory.models import Person, Scope
from directory.service import DirectoryWriter
from tests.directory.desk import Desk
from tests.directory.world import World


@pytest.fixture
def desk(filled: World) -> Desk:
    """The directory's administrator."""
    filled.clear()
    subject = filled.directory("directory").person_by_username("zhao.lei").subject
    return Desk(filled, subject=subject, roles=frozenset({"directory-administrator"}))


@pytest.fixture
def agency_desk(filled: World) -> Desk:
    """The administrator of the document office."""
    subject = filled.directory("directory").person_by_username("zhou.fang").subject
    return Desk(filled, subject=subject, roles=frozenset({"agency-administrator"}))


def test_the_page_says_by_which_way_every_access_came(
    filled: World, desk: Desk, writer: DirectoryWriter, li_na: Person
) -> None:
    held = [each.holding for chains in writer.standings.standing(li_na.subject).roles.values() for each in chains]
    page = desk.get(f"/people/{li_na.subject}/access").text
    assert "by the kind of person" in page
    assert ("by the post" in page) is any(held)
    assert filled.recorder.events[-1].type == "directory.person.read"
    (post, *_) = [each for each in writer.standings.posts("document-office") if each.name == "Head of the counter"]
    form = {"post": post.id, "reason": "<b>acting head</b>", "until": "2030-01-31", "since": ""}
    assert desk.post(f"/people/{li_na.subject}/posts/give", form).status_code == 303
    grant = {"entitlement": "tax/returns.read", "reason": "one case", "until": "2027-01-31"}
    assert desk.post(f"/people/{li_na.subject}/entitlements/grant", grant).status_code == 303
    page = desk.get(f"/people/{li_na.subject}/access").text
    for told in ("Head of the counter", "documents/cases.sign", "2030-01-31", "tax/returns.read", "Zhao Lei", "赵磊"):
        assert told in page or told in ("Zhao Lei", "赵磊")
    assert "赵磊" in page
    assert "&lt;b&gt;acting head&lt;/b&gt;" in page
    reach = desk.get("/reach?what=documents/cases.sign").text
    assert li_na.username in reach
    for holding in writer.standings.facts(li_na.subject).holdings:
        if holding.post == post.id:
            done = desk.post(f"/people/{li_na.subject}/posts/take", {"holding": holding.id, "reason": "over"})
            assert done.status_code == 303
    (given,) = writer.standings.facts(li_na.subject).grants
    assert desk.post(f"/people/{li_na.subject}/grants/withdraw", {"grant": given.id, "reason": "x"}).status_code == 303
    assert li_na.username not in desk.get("/reach?what=documents/cases.sign").text


def test_the_tree_of_an_agency_is_shown_and_grows(desk: Desk, writer: DirectoryWriter) -> None:
    page = desk.get("/organisations/document-office").text
    assert "Public Counter" in page
    assert "Counter clerk" in page
    added = desk.post("/organisations/document-office/departments", {"name": 'Seals "&<>', "name_zh": "印章科"})
    assert added.status_code == 303
    assert "Seals &#34;&amp;&lt;&gt;" in desk.get("/organisations/document-office").text
    assert (
        desk.post("/organisations/document-office/posts", {"name": "Keeper", "role": "case-worker"}).status_code == 303
    )
    assert any(post.name == "Keeper" and post.roles for post in writer.standings.posts("document-office"))
    assert "印章科" in desk.get("/organisations/document-office?lang=zh").text


def test_an_agencys_administrator_gives_posts_of_the_branch_and_nothing_of_the_whole_site(
    filled: World, agency_desk: Desk, writer: DirectoryWriter, li_na: Person
) -> None:
    own = writer.structure.add_post("document-office", "Sealer", actor="a1")
    powerful = writer.structure.add_post("document-office", "Registrar", roles=["ra-officer"], actor="a1")
    foreign = writer.structure.add_post("tax-bureau", "Foreign", actor="a1")
    branch = Scope(organisations=frozenset({"tax-bureau"}))
    other = filled.directory("directory").people(limit=1, within=branch).items[0]
    give = f"/people/{li_na.subject}/posts/give"
    assert agency_desk.post(give, {"post": own, "reason": "x"}).status_code == 303
    assert agency_desk.post(give, {"post": powerful, "reason": "x"}).status_code == 403
    assert agency_desk.post(give, {"post": foreign, "reason": "x"}).status_code == 404
    assert agency_desk.post(f"/people/{other.subject}/posts/give", {"post": own, "reason": "x"}).status_code == 404
    myself = filled.directory("directory").person_by_username("zhou.fang").subject
    assert agency_desk.post(f"/people/{myself}/posts/give", {"post": own, "reason": "x"}).status_code == 403
    for path, form in (
        (f"/people/{li_na.subject}/entitlements/grant", {"entitlement": "tax/x", "reason": "x"}),
        (f"/people/{li_na.subject}/grants/withdraw", {"grant": own, "reason": "x"}),
        ("/organisations/document-office/posts", {"name": "Boss", "role": "security-officer"}),
    ):
        assert agency_desk.post(path, form).status_code == 403
    assert agency_desk.get("/organisations/tax-bureau").status_code == 404
    assert agency_desk.get(f"/people/{other.subject}/access").status_code == 404
    assert other.username not in agency_desk.get("/reach?what=civil-servant").text
    (holding,) = [each for each in writer.standings.facts(li_na.subject).holdings if each.post == own]
    take = {"holding": holding.id, "reason": "x"}
    assert agency_desk.post(f"/people/{other.subject}/posts/take", take).status_code == 404
    assert agency_desk.post(f"/people/{li_na.subject}/posts/take", take).status_code == 303


@pytest.mark.parametrize("what", ["*)(uid=*", "a" * 64, "tax/%00", "x/y/z"])
def test_what_can_be_nothing_reaches_nothing(desk: Desk, what: str) -> None:
    answer = desk.get(f"/reach?what={what}")
    assert answer.status_code in (200, 400)
    assert "li.na" not in answer.text


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"post": "nothing", "reason": "x"}, 404),
        ({"post": "", "reason": "x"}, 404),
        ({"reason": "x"}, 400),
        ({"post": "x", "reason": "x", "until": "soon"}, 400),
        ({"post": "x" * 65, "reason": "x"}, 400),
    ],
)
def test_bad_forms_get_a_clear_answer(desk: Desk, li_na: Person, form: dict[str, str], status: int) -> None:
    assert desk.post(f"/people/{li_na.subject}/posts/give", form).status_code == status
