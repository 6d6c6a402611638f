# SPDX-License-Identifier: Apache-2.0
"""The console under four eyes: no name without a warrant that covers the entry, and every opening names it."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from audit.models import Outcome, Reader
from audit.search import Query
from audit.warrants import AboutYou, BadScope, Scope, State, Warrants
from directory.models import APART
from tests.fakes.audit_console import LI, OFFICER, SECOND, WANG, ConsoleFake

SECOND_READER = Reader(subject=SECOND, roles=frozenset({"security-officer"}))
AUDITOR = "6e7c1d7c-1e6a-4550-8c9b-523f0f8f5005"
NAMES = ("Wang Fang", "王芳", "wangfang", "198.51.100.20", "Li Xiaoming")


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    made = ConsoleFake(tmp_path)
    made.fill()
    return made


def _wangs(fake: ConsoleFake) -> int:
    return fake.console.search(fake.reader, Query(person=WANG, source="gateway")).hits[0].row.index


@pytest.mark.parametrize("language", ["en", "zh"])
def test_without_a_warrant_no_page_shows_a_name(fake: ConsoleFake, language: str) -> None:
    index = _wangs(fake)
    found = fake.get(f"/search?person=%E7%8E%8B%E8%8A%B3&lang={language}")
    entry = fake.get(f"/entries/{index}?lang={language}")
    for page in (found, entry, fake.get(f"/search.json?person={WANG}"), fake.get(f"/entries/{index}/entry.json")):
        assert page.status_code == 200
        # The officer typed one of the names into the box.
        shown = page.text.replace('value="王芳"', "").replace("%E7%8E%8B%E8%8A%B3", "")
        assert not [name for name in NAMES if name in shown], page.request.path
    pseudonym = fake.names.pseudonym(WANG)
    assert re.fullmatch(r"[0-9A-Z]{3}-[0-9A-Z]{4}", pseudonym)
    assert pseudonym in found.text
    assert pseudonym in entry.text
    assert f"/warrants/new?kind=open&amp;scope=entry:{index}" in entry.text


def test_a_pseudonym_is_stable_and_tells_nothing(fake: ConsoleFake) -> None:
    assert fake.names.pseudonym(WANG) == fake.names.pseudonym(WANG) != fake.names.pseudonym(LI)
    assert fake.names.pseudonym("") == ""
    assert not set(fake.names.pseudonym(WANG).lower()) <= set(WANG)


def test_an_erased_person_is_told_apart_from_a_hidden_one_without_a_warrant(fake: ConsoleFake) -> None:
    index = _wangs(fake)
    fake.log.erase(WANG)
    assert "The key of this part was destroyed" in fake.get(f"/entries/{index}").text
    assert "erased" in fake.get(f"/search?person={WANG}").text


@pytest.mark.parametrize(
    "scope",
    [
        "entry:{index}",
        f"subject:{WANG}",
        f"query:person={WANG}&zone=external",
        "query:outcome=denied&object=documents",
        "query:person=Wang+Fang",
    ],
)
def test_each_scope_opens_what_lies_in_it_and_nothing_else(fake: ConsoleFake, scope: str) -> None:
    index = _wangs(fake)
    kept = fake.console.scopes.nameless(Scope.parse(scope.format(index=index)))
    warrant = fake.grant(str(kept))
    opened = fake.console.open(fake.reader, index)
    assert opened.sealed
    assert opened.sealed["name"] == "Wang Fang"
    assert opened.warrant
    assert opened.warrant.id == warrant
    assert fake.log.events[-1].attributes["warrants"] == warrant
    other = fake.console.open(fake.reader, 3)
    assert (other.sealed, other.hidden) == ({}, True)
    assert "warrants" not in fake.log.events[-1].attributes
    # Another officer has asked for nothing.
    assert fake.console.open(SECOND_READER, index).hidden


def test_opening_in_a_list_is_recorded_with_the_warrant_before_it_is_shown(fake: ConsoleFake) -> None:
    warrant = fake.grant(f"subject:{LI}")
    page = fake.console.search(fake.reader, Query(person=LI, source="gateway", limit=5))
    assert all(hit.sealed for hit in page.hits)
    recorded = fake.log.events[-1]
    assert (recorded.attributes["warrants"], recorded.attributes["opened"]) == (warrant, 5)


def test_a_case_opens_the_entries_it_held_when_it_was_asked_for_and_to_the_asker_alone(fake: ConsoleFake) -> None:
    case = fake.cases.open(SECOND_READER, title="a", text="")
    fake.cases.add_entries(SECOND_READER, case, version=1, entries=[3], why="")
    page = fake.get(f"/cases/{case}").text
    assert f'href="/warrants/new?kind=open&amp;scope=case:{case}.2"' in page
    assert f'href="/evidence?scope=case:{case}.2"' in page
    # Nobody asks for what is put in later, under a version that the case has not reached.
    later = {"kind": "open", "about": "case", "which": f"{case}.999", "purpose": "all that comes"}
    assert fake.post("/warrants", later).status_code == 404
    sent = fake.post("/warrants", {"kind": "open", "about": "case", "which": case, "purpose": "a court asks"})
    asked = sent.headers["Location"].rpartition("/")[2].partition("?")[0]
    assert str(fake.warrants.find(asked).scope) == f"case:{case}.2"
    assert fake.console.open(fake.reader, 3).hidden
    fake.warrants.approve(SECOND_READER, asked)
    fake.cases.add_entries(SECOND_READER, case, version=2, entries=[5], why="")
    fake.cases.add_entries(SECOND_READER, case, version=3, entries=[3, 6], why="")
    assert fake.console.open(fake.reader, 3).sealed
    assert [index for index in (4, 5, 6) if not fake.console.open(fake.reader, index).hidden] == []
    assert fake.console.open(SECOND_READER, 3).hidden
    assert f'href="/cases/{case}"' in fake.get(f"/warrants/{asked}").text


def test_a_request_keeps_its_place_over_all_logs_and_not_its_index_in_the_last(fake: ConsoleFake) -> None:
    after = Warrants(store=fake.store_of_warrants, recorder=fake.log, clock=fake.clock, before=1_000)
    index = fake.log.size()
    asked = after.ask(fake.reader, "open", Scope.parse("entry:3"), "a court asks")
    assert asked.place == 1_000 + index


def test_nobody_decides_about_a_case_that_tells_of_them(fake: ConsoleFake) -> None:
    case = fake.cases.open(fake.reader, title="a", text="")
    told = fake.add(type="ca.certificate.suspended", source="ca", subject=WANG, actor=SECOND, object="1f2e")
    fake.cases.add_entries(fake.reader, case, version=1, entries=[3, told], why="")
    with pytest.raises(AboutYou):
        fake.grant(f"case:{case}.3")
    fake.grant(f"case:{case}.2")


def test_when_it_runs_out_or_is_taken_back_names_are_hidden_again(fake: ConsoleFake) -> None:
    warrant = fake.grant("entry:3")
    assert fake.console.open(fake.reader, 3).sealed
    fake.warrants.withdraw(SECOND_READER, warrant)
    assert fake.console.open(fake.reader, 3).hidden
    fake.grant("entry:3")
    fake.clock.advance(timedelta(hours=8))
    assert fake.console.open(fake.reader, 3).hidden


def test_a_name_in_a_search_is_kept_as_a_token_and_stops_with_the_person(fake: ConsoleFake, tmp_path: Path) -> None:
    asked = fake.warranting.ask(fake.reader, "open", "query", "person=Wang+Fang&object=documents", "court order 17")
    assert asked.scope.value.startswith("name_token=")
    assert "Wang" not in str(asked)
    assert asked.about == WANG
    intent = next(event for event in fake.log.events if event.type == "audit.warrant.asked")
    assert intent.sealed["search"] == "person=Wang+Fang&object=documents"
    assert "Wang" not in str(intent.attributes)
    fake.store_of_warrants.close()
    assert b"Wang" not in (tmp_path / "warrants.db").read_bytes()
    fake.warrants.approve(SECOND_READER, asked.id)
    assert fake.console.search(fake.reader, Query(person="wangfang", source="gateway")).hits[0].sealed
    fake.store.forget(WANG)
    assert fake.console.search(fake.reader, Query(person=WANG, source="gateway")).hits[0].hidden


@pytest.mark.parametrize(
    "value",
    ["q=something", "limit=5", "person=", "nothing=1", "zone=external&zone=internal", "a", "name_token=ff", "&"],
)
def test_a_search_that_cannot_be_judged_by_the_entry_is_not_asked_for(fake: ConsoleFake, value: str) -> None:
    answer = _ask(fake, about="query", which=value)
    assert answer.status_code == 400


def test_nobody_decides_about_a_search_for_themselves(fake: ConsoleFake) -> None:
    fake.add(type="sso.login", source="sso", subject=SECOND, sealed={"name": "Second Officer"})
    fake.indexer.catch_up()
    scope = fake.console.scopes.nameless(Scope.parse("query:person=second+officer"))
    assert fake.console.scopes.persons(scope) == {SECOND}
    asked = fake.warrants.ask(fake.reader, "open", scope, "a suspicion")
    assert not fake.warrants.decidable(SECOND_READER, asked)


def test_a_person_is_named_and_found_if_it_can_be_only_one(fake: ConsoleFake) -> None:
    asked = fake.warranting.ask(fake.reader, "open", "subject", "Wang Fang", "court order 17")
    assert asked.scope == Scope("subject", WANG)
    for who in ("nobody at all", ""):
        with pytest.raises(BadScope):
            fake.warranting.ask(fake.reader, "open", "subject", who, "court order 17")
    fake.add(type="sso.login", source="sso", subject=LI, sealed={"name": "Wang Fang"})
    fake.indexer.catch_up()
    with pytest.raises(BadScope):
        fake.warranting.ask(fake.reader, "open", "subject", "Wang Fang", "court order 17")


class TestPages:
    def test_ask_approve_and_see(self, fake: ConsoleFake) -> None:
        page = fake.get("/warrants/new?kind=open&scope=entry:3").text
        assert 'value="open" selected' in page
        assert 'value="entry" selected' in page
        assert 'name="which" value="3"' in page
        asked = _ask(fake, about="entry", which="3", purpose="court order\r\n17/2026")
        assert asked.status_code == 303
        address = asked.headers["Location"].partition("?")[0]
        shown = fake.get(address, subject=SECOND).text
        assert "court order 17/2026" in shown
        assert f"{address}/approve" in shown
        assert f"{address}/approve" not in fake.get(address).text
        assert fake.post(f"{address}/approve", {}).status_code == 403
        assert fake.post(f"{address}/approve", {}, subject=SECOND).status_code == 303
        assert "Li Xiaoming" in fake.get("/entries/3").text
        assert "Li Xiaoming" not in fake.get("/entries/3", subject=SECOND).text
        assert fake.post(f"{address}/withdraw", {}).status_code == 303
        assert "Li Xiaoming" not in fake.get("/entries/3").text

    def test_refused_is_refused(self, fake: ConsoleFake) -> None:
        address = _ask(fake, about="entry", which="3").headers["Location"].partition("?")[0]
        assert fake.post(f"{address}/refuse", {}, subject=SECOND).status_code == 303
        assert fake.post(f"{address}/approve", {}, subject=SECOND).status_code == 409
        assert "refused" in fake.get("/warrants").text

    def test_the_page_that_refuses_leads_to_the_form(self, fake: ConsoleFake) -> None:
        address = _ask(fake, kind="erase", about="subject", which=LI).headers["Location"].partition("?")[0]
        answer = fake.post(f"{address}/act", {})
        assert answer.status_code == 403
        assert f'href="/warrants/new?kind=erase&amp;scope=subject%3A{LI}"' in answer.text

    def test_an_audit_administrator_decides_and_reads_nothing(self, fake: ConsoleFake) -> None:
        auditor: dict[str, Any] = {"roles": ("audit-administrator",), "subject": AUDITOR}
        address = _ask(fake, kind="erase", about="subject", which=WANG).headers["Location"].partition("?")[0]
        assert fake.get("/", **auditor).headers["Location"] == "/warrants"
        for path in ("/search", "/search.json", "/entries/3", "/entries/3/entry.json", "/tile/entries/000.p/3"):
            assert fake.get(path, **auditor).status_code == 403
        listed = fake.get("/warrants", **auditor).text
        assert address in listed
        assert 'href="/search"' not in listed
        assert fake.post(f"{address}/approve", {}, subject=SECOND).status_code == 403
        assert fake.post(f"{address}/approve", {}, **auditor).status_code == 303
        assert fake.post(f"{address}/act", {}, **auditor).status_code == 403
        assert fake.post(f"{address}/act", {}).status_code == 303
        assert fake.log.gone == {WANG}
        assert fake.post(f"{address}/act", {}).status_code == 403
        assert "erased" in fake.get(address).text

    def test_a_hold_refuses_on_the_screen_too(self, fake: ConsoleFake) -> None:
        auditor: dict[str, Any] = {"roles": ("audit-administrator",), "subject": AUDITOR}
        erase = fake.grant(f"subject:{LI}", kind="erase")
        hold = fake.grant(f"subject:{LI}", kind="hold")
        assert fake.post(f"/warrants/{hold}/act", {}).status_code == 303
        refused = fake.post(f"/warrants/{erase}/act", {})
        assert refused.status_code == 403
        assert "under legal hold" in refused.text
        assert LI in fake.get("/warrants", **auditor).text
        assert "under legal hold" in fake.get(f"/warrants/{erase}").text
        release = _ask(fake, kind="release", about="hold", which=hold).headers["Location"].partition("?")[0]
        assert fake.post(f"{release}/approve", {}, **auditor).status_code == 303
        assert fake.post(f"{release}/act", {}).status_code == 303
        assert fake.post(f"/warrants/{erase}/act", {}).status_code == 303

    @pytest.mark.parametrize("path", ["/warrants", "/warrants/new"])
    def test_nobody_else_gets_in(self, fake: ConsoleFake, path: str) -> None:
        assert fake.public(path).status_code == 401
        for role in ("security-administrator", "directory-administrator", "ra-officer", "civil-servant"):
            assert fake.get(path, roles=(role,)).status_code == 403
        assert fake.peer(path, caller="app").status_code == 401

    @pytest.mark.parametrize("pair", sorted(tuple(sorted(pair)) for pair in APART))
    def test_whoever_holds_two_powers_can_use_neither(self, fake: ConsoleFake, pair: tuple[str, str]) -> None:
        before = fake.log.size()
        for path in ("/", "/search", "/entries/3", "/warrants", "/warrants/new"):
            assert fake.get(path, roles=pair).status_code == 403
        answer = fake.get("/warrants", roles=(*pair, "civil-servant"))
        assert answer.status_code == 403
        if {"security-officer", "audit-administrator"} & set(pair):
            assert "roles_conflict" in answer.text
        assert fake.log.size() == before

    def test_looking_is_recorded_and_needs_the_record(self, fake: ConsoleFake) -> None:
        warrant = fake.grant("entry:3")
        for path in ("/warrants", f"/warrants/{warrant}"):
            assert fake.get(path).status_code == 200
            assert fake.log.events[-1].type == "audit.warrant.read"
        fake.log.down = True
        for path in ("/warrants", f"/warrants/{warrant}"):
            assert fake.get(path).status_code == 503

    def test_a_form_without_its_token_does_nothing(self, fake: ConsoleFake) -> None:
        form = {"kind": "open", "about": "entry", "which": "3", "purpose": "court order"}
        headers = {"Tallygate-Identity": fake.header("/warrants", method="POST")}
        answer = fake.client().post("/warrants", data=form, headers=headers)
        assert answer.status_code == 403
        assert "audit.warrant.asked" not in fake.log.types()

    @pytest.mark.parametrize(
        "form",
        [
            {"kind": "nothing"},
            {"about": "planet"},
            {"which": "3'; DROP TABLE warrants"},
            {"which": "-1"},
            {"purpose": ""},
            {"purpose": "x" * 3000},
            {"purpose": "why\x00why"},
            {"which": "\ud800".encode("utf-8", "replace").decode()},
        ],
    )
    def test_bad_forms_are_refused_and_change_nothing(self, fake: ConsoleFake, form: dict[str, str]) -> None:
        assert _ask(fake, **form).status_code == 400
        assert "audit.warrant.asked" not in fake.log.types()

    def test_the_purpose_is_gone_with_the_person(self, fake: ConsoleFake) -> None:
        warrant = fake.grant(f"subject:{LI}")
        assert "for a test" in fake.get(f"/warrants/{warrant}").text
        fake.log.erase(LI)
        page = fake.get(f"/warrants/{warrant}")
        assert page.status_code == 200
        assert "for a test" not in page.text

    def test_no_warrant_of_that_name(self, fake: ConsoleFake) -> None:
        for name in ("0" * 16, "x", "new%00"):
            assert fake.get(f"/warrants/{name}").status_code in {400, 404}
            assert fake.post(f"/warrants/{name}/approve", {}).status_code in {400, 404}

    def test_markup_in_a_purpose_stays_text(self, fake: ConsoleFake) -> None:
        address = _ask(fake, about="entry", which="3", purpose="<script>alert(1)</script>").headers["Location"]
        assert "<script>alert" not in fake.get(address.partition("?")[0]).text
        hostile = fake.get('/warrants/new?kind="><b>&scope=subject:"><b>')
        assert hostile.status_code == 200
        assert '"><b>' not in hostile.text


def test_an_approval_is_recorded_about_whom_it_concerns(fake: ConsoleFake) -> None:
    fake.grant(f"subject:{LI}")
    told = [event for event in fake.log.events if event.type.startswith("audit.warrant.")]
    assert {event.subject for event in told} == {LI}
    assert {event.actor for event in told} == {OFFICER, SECOND}
    assert {event.outcome for event in told} == {Outcome.INTENDED}
    assert fake.warrants.held(fake.reader, "open")[0].state is State.GRANTED


def _ask(fake: ConsoleFake, **form: str) -> TestResponse:
    given = {"kind": "open", "about": "entry", "which": "3", "purpose": "court order 17/2026"} | form
    return fake.post("/warrants", given)
