# SPDX-License-Identifier: Apache-2.0
import base64
import hashlib
import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.errors import LogDamaged
from audit.models import Entry
from core.identity import HEADER
from tests.fakes.audit_console import LI, WANG, ConsoleFake

PAGES = (
    "/",
    f"/people/{LI}",
    f"/devices/{LI}",
    "/sessions/s-li",
    "/documents/documents",
    "/views/remote-access",
    "/views/internet-access",
    "/views/ways-out",
    "/crossings?zone=external&to_zone=internal",
    "/search",
    "/search.json",
    "/entries/3",
    "/entries/3/entry.json",
    "/entries/3/entry.tlog-proof",
)
OFFICERS_ONLY = (*PAGES, "/tile/entries/000.p/3", "/warrants")
PEERS_ONLY = (
    ("/api/v1/entries", "app"),
    ("/api/v1/bundles/000.p/3", "app"),
    (f"/api/v1/subjects/{LI}/entries", "sso"),
)


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    made = ConsoleFake(tmp_path)
    made.fill()
    made.grant("range:0-2", kind="export")
    return made


class TestAccess:
    def test_an_officer_gets_in(self, fake: ConsoleFake) -> None:
        for path in OFFICERS_ONLY:
            before = fake.log.size()
            assert fake.get(path).status_code == 200, path
            assert fake.log.size() == before + 1, path

    def test_nobody_else_does(self, fake: ConsoleFake) -> None:
        before = fake.log.size()
        for path in OFFICERS_ONLY:
            assert fake.public(path).status_code == 401, path
            roles = ("citizen", "civil-servant", "directory-administrator")
            assert fake.get(path, roles=roles).status_code == 403, path
            assert fake.get(path, assurance=0).status_code == 403, path
            assert fake.peer(path, caller="app").status_code == 401, path
            # A header that was made for another page does not open this one.
            assert fake.public(path, headers={HEADER: fake.header("/elsewhere")}).status_code == 401, path
        assert fake.log.size() == before

    def test_the_lowest_assurance_is_a_setting(self, tmp_path: Path) -> None:
        strict = ConsoleFake(tmp_path, assurance=3)
        assert strict.get("/", assurance=2).status_code == 403
        assert strict.get("/", assurance=3).status_code == 200

    @pytest.mark.parametrize(("path", "caller"), PEERS_ONLY)
    def test_the_sites_own_questions_are_for_named_roles(self, fake: ConsoleFake, path: str, caller: str) -> None:
        assert fake.peer(path, caller=caller).status_code == 200
        other = {"app": "sso", "sso": "app"}[caller]
        assert fake.peer(path, caller=other).status_code == 403
        assert fake.public(path).status_code == 401
        assert fake.get(path).status_code == 401

    def test_without_a_record_nothing_is_shown(self, fake: ConsoleFake) -> None:
        fake.log.down = True
        for path in OFFICERS_ONLY:
            answer = fake.get(path)
            assert answer.status_code == 503, path
            assert answer.headers["Retry-After"], path
            assert b"record_unavailable" in answer.data, path
            assert "Xiaoming" not in answer.text, path

    def test_what_officers_read_is_cached_nowhere(self, fake: ConsoleFake) -> None:
        for path in OFFICERS_ONLY:
            assert "no-store" in fake.get(path).headers["Cache-Control"], path

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
    def test_nothing_here_changes_anything(self, fake: ConsoleFake, method: str) -> None:
        for path in (*PAGES, "/checkpoint", "/tile/0/000.p/3", "/api/v1/entries"):
            assert fake.client().open(path, method=method).status_code == 405


class TestPages:
    def test_the_officer_finds_permit_and_deny_with_everything(self, fake: ConsoleFake) -> None:
        fake.grant(f"subject:{WANG}")
        page = fake.get("/search?person=%E7%8E%8B%E8%8A%B3").text
        assert "Wang Fang" in page
        assert "Refused" in page
        assert "It cannot be reached from this network." in page
        index = re.findall(r'href="/entries/(\d+)"', page)[-1]
        entry = fake.get(f"/entries/{index}").text
        for said in (
            "Wang Fang",
            "documents",
            "External network",
            "login session",
            "office-internal-only",
            "198.51.100.20",
            "Proven: these bytes are entry",
            "d0d0d0d0",
        ):
            assert said in entry, said

    def test_pages_speak_chinese(self, fake: ConsoleFake) -> None:
        fake.grant(f"subject:{WANG}")
        page = fake.get("/search?person=wang&lang=zh").text
        assert "王芳" in page
        # Two that happened, and that a warrant was asked for and approved.
        assert "4 条记录" in page
        assert "政务外网" in page
        assert fake.get("/?lang=zh").status_code == fake.get("/entries/3?lang=zh").status_code == 200

    def test_an_older_page_is_offered_with_the_same_filters(self, fake: ConsoleFake) -> None:
        page = fake.get("/search?outcome=success").text
        older = re.search(r'href="(/search\?[^"]*after=[^"]*)"', page)
        assert older
        address = older[1].replace("&amp;", "&")
        assert "outcome=success" in address
        assert "Newest" in fake.get(address).text

    def test_an_erased_person_is_shown_as_erased_and_the_proof_holds(self, fake: ConsoleFake) -> None:
        fake.log.erase(LI)
        page = fake.get("/entries/3").text
        assert "Xiaoming" not in page
        assert "The key of this part was destroyed" in page
        assert "Proven" in page

    def test_both_ends_of_an_act_are_named_under_a_warrant_and_unreadable_once_the_person_is_erased(
        self, fake: ConsoleFake
    ) -> None:
        acted = next(index for index, event in enumerate(fake.log.events) if event.type == "ca.certificate.suspended")
        names = ("Wang Fang", "Fang of the Tax Bureau", "Zhao Min")
        before = fake.get(f"/entries/{acted}").text
        assert not [name for name in names if name in before]
        fake.grant(f"subject:{WANG}")
        opened = fake.get(f"/entries/{acted}").text
        assert [name for name in names if name in opened] == list(names)
        assert "Name of whoever acted" in opened
        assert "对象名称" in fake.get(f"/entries/{acted}?lang=zh").text
        fake.log.erase(WANG)
        erased = fake.get(f"/entries/{acted}").text
        assert "The key of this part was destroyed" in erased
        assert not [name for name in names if name in erased]

    def test_what_stands_in_an_entry_is_text_and_never_markup(self, fake: ConsoleFake) -> None:
        evil = '"><script>alert(1)</script>'
        index = fake.add(subject=LI, object=evil, zone=evil, organisation=evil,
                         attributes={"reason": evil, "policies": evil}, sealed={"name": evil})  # fmt: skip
        for path in (f"/entries/{index}", "/search", f"/search?person={evil}", "/"):
            assert "<script>alert" not in fake.get(path).text

    def test_a_form_keeps_what_was_chosen(self, fake: ConsoleFake) -> None:
        page = fake.get("/search?person=li&zone=external&from=2026-11-19&to=2026-11-20&session=s-li").text
        assert 'value="2026-11-19T00:00"' in page
        assert 'value="2026-11-20T23:59"' in page
        assert '<option value="external" selected>' in page
        assert 'name="session" value="s-li"' in page

    def test_a_lagging_index_is_admitted(self, fake: ConsoleFake) -> None:
        for _ in range(3000):
            fake.add()
        assert "newer entries are not shown yet" in fake.get("/search").text

    def test_damage_is_shouted(self, fake: ConsoleFake, monkeypatch: pytest.MonkeyPatch) -> None:
        def read(start: int, limit: int) -> list[Entry]:
            raise LogDamaged(index=start, why=f"its bundle of {limit} is cut off")

        monkeypatch.setattr(fake.log, "read", read)
        for path in ("/", "/search"):
            page = fake.get(path)
            assert page.status_code == 200
            assert "The record is damaged." in page.text

    def test_a_quiet_day_is_shown_as_such(self, tmp_path: Path) -> None:
        quiet = ConsoleFake(tmp_path)
        page = quiet.get("/").text
        assert "Nothing was refused." in page
        assert "Nothing happened." in page
        assert "No entry matches." in quiet.get("/search?object=x").text

    def test_pages_hold_no_script_and_no_inline_style(self, fake: ConsoleFake) -> None:
        for path in ("/", "/search", "/entries/3"):
            page = fake.get(path).text
            assert "<script" not in page
            assert " style=" not in page


class TestEvidence:
    def test_the_downloads_verify_without_our_software(self, fake: ConsoleFake) -> None:
        raw = fake.get("/entries/40/entry.json").data
        lines, _, checkpoint = fake.get("/entries/40/entry.tlog-proof").text.partition("\n\n")
        head, place, *path = lines.split("\n")
        assert head == "c2sp.org/tlog-proof@v1"
        assert place == "index 40"
        origin, size, root = checkpoint.split("\n")[:3]
        assert origin == fake.log.origin
        node, fn, sn = hashlib.sha256(b"\0" + raw).digest(), 40, int(size) - 1
        for line in path:
            sibling = base64.b64decode(line)
            left = fn % 2 == 1 or fn == sn
            node = hashlib.sha256(b"\1" + (sibling + node if left else node + sibling)).digest()
            while left and fn and fn % 2 == 0:
                fn, sn = fn // 2, sn // 2
            fn, sn = fn // 2, sn // 2
        assert base64.b64encode(node).decode() == root

    def test_downloads_have_a_name_and_their_kind(self, fake: ConsoleFake) -> None:
        answer = fake.get("/entries/3/entry.tlog-proof")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="entry-3.tlog-proof"'
        assert answer.content_type == "text/plain; charset=utf-8"
        assert fake.get("/entries/3/entry.json").content_type == "application/json"


class TestPublicLog:
    def test_the_checkpoint_is_public_and_fresh(self, fake: ConsoleFake) -> None:
        answer = fake.public("/checkpoint")
        assert answer.data == fake.log.checkpoint()
        assert answer.content_type == "text/plain; charset=utf-8"
        assert answer.headers["Cache-Control"] == "public, max-age=1"

    def test_hash_tiles_are_public_and_never_change(self, fake: ConsoleFake) -> None:
        answer = fake.public("/tile/0/000.p/3")
        assert answer.data == fake.log.tile(0, 0, 3)
        assert answer.content_type == "application/octet-stream"
        assert "immutable" in answer.headers["Cache-Control"]

    def test_reading_public_facts_is_not_recorded(self, fake: ConsoleFake) -> None:
        before = fake.log.size()
        fake.public("/checkpoint")
        fake.public("/tile/0/000.p/3")
        assert fake.log.size() == before

    def test_public_facts_need_no_working_record(self, fake: ConsoleFake) -> None:
        fake.log.down = True
        assert fake.public("/checkpoint").status_code == 200

    @pytest.mark.parametrize(
        ("path", "status", "code"),
        [
            ("/tile/0/0", 400, "bad_tile_address"),
            ("/tile/64/000", 400, "bad_tile_address"),
            ("/tile/0/x000/000", 400, "bad_tile_address"),
            ("/tile/0/000.p/256", 400, "bad_tile_address"),
            ("/tile/0/..%2f..%2fseals.db", 400, "bad_tile_address"),
            ("/tile/0/%00", 400, "bad_tile_address"),
            ("/tile/0/%ff", 400, "bad_tile_address"),
            ("/tile/data/000", 400, "bad_tile_address"),
            ("/tile/0/000", 404, "no_such_tile"),
            ("/tile/0/999", 404, "no_such_tile"),
            ("/tile/5/000.p/1", 404, "no_such_tile"),
        ],
    )
    def test_other_spellings_and_tiles_get_a_stable_answer(
        self, fake: ConsoleFake, path: str, status: int, code: str
    ) -> None:
        answer = fake.public(path)
        assert (answer.status_code, json.loads(answer.data)["code"]) == (status, code)


class TestSitesOwnQuestions:
    def test_the_checker_pages_through_everything(self, fake: ConsoleFake) -> None:
        seen: list[int] = []
        after = ""
        size = fake.log.size()
        while True:
            found = json.loads(fake.peer(f"/api/v1/entries?limit=20{after}", caller="app").data)
            seen += [entry["index"] for entry in found["entries"]]
            if found["next"] is None:
                break
            after = f"&after={found['next']}"
        assert set(range(size)) <= set(seen)
        assert len(seen) == len(set(seen))
        assert fake.log.events[-1].attributes["reader"] == "app"

    def test_an_entry_is_told_with_its_clear_header_only(self, fake: ConsoleFake) -> None:
        found = json.loads(fake.peer(f"/api/v1/entries?person={WANG}&outcome=denied", caller="app").data)
        (entry,) = found["entries"]
        assert entry["attributes"]["policies"] == "office-internal-only"
        assert entry["outcome"] == "denied"
        assert "Wang Fang" not in json.dumps(found)

    def test_my_own_record_is_told_plainly_in_the_readers_language(self, fake: ConsoleFake) -> None:
        found = json.loads(fake.peer(f"/api/v1/subjects/{LI}/entries?limit=2&lang=zh", caller="sso").data)["entries"]
        assert [e["says"] for e in found] == ["登录", "访问裁决"]
        assert found[1]["where"] == "政务外网"
        assert found[1]["what"] == "tax"
        assert found[1]["outcome_says"] == "成功"
        older = json.loads(
            fake.peer(f"/api/v1/subjects/{LI}/entries?after={found[1]['index']}&limit=500", caller="sso").data
        )["entries"]
        assert all(e["index"] < found[1]["index"] for e in older)

    def test_my_own_entries_come_with_their_proof_and_nobody_elses_do(self, fake: ConsoleFake) -> None:
        mine = json.loads(fake.peer(f"/api/v1/subjects/{LI}/entries?limit=2&lang=en", caller="sso").data)["entries"]
        for each in mine:
            told = json.loads(fake.peer(f"/api/v1/subjects/{LI}/entries/{each['index']}", caller="sso").data)
            assert json.loads(base64.b64decode(told["entry"]))["type"] == each["type"]
            assert told["proof"].startswith(f"c2sp.org/tlog-proof@v1\nindex {each['index']}\n")
            assert fake.peer(f"/api/v1/subjects/{WANG}/entries/{each['index']}", caller="sso").status_code == 404
        for wrong in ("99999", "x", "-1"):
            assert fake.peer(f"/api/v1/subjects/{LI}/entries/{wrong}", caller="sso").status_code in (400, 404)
        assert fake.peer(f"/api/v1/subjects/{LI}/entries/{mine[0]['index']}", caller="app").status_code == 403

    def test_a_stranger_has_an_empty_record(self, fake: ConsoleFake) -> None:
        assert json.loads(fake.peer("/api/v1/subjects/nobody/entries", caller="sso").data) == {"entries": []}

    @pytest.mark.parametrize(
        ("path", "caller", "code"),
        [
            (f"/api/v1/subjects/{LI}/entries?limit=0", "sso", "bad_filter"),
            (f"/api/v1/subjects/{LI}/entries?person=x", "sso", "bad_filter"),
            (f"/api/v1/subjects/{'x' * 300}/entries", "sso", "bad_filter"),
            ("/api/v1/subjects/%00/entries", "sso", "bad_filter"),
            ("/api/v1/entries?after=x", "app", "bad_filter"),
            ("/api/v1/entries?limit=501", "app", "bad_filter"),
            ("/api/v1/entries?after=99999999", "app", "unknown_cursor"),
            ("/api/v1/bundles/000", "app", "no_such_tile"),
            ("/api/v1/bundles/0", "app", "bad_tile_address"),
        ],
    )
    def test_bad_input_gets_a_problem_document(self, fake: ConsoleFake, path: str, caller: str, code: str) -> None:
        answer = fake.peer(path, caller=caller)
        assert answer.status_code in (400, 404)
        assert answer.content_type == "application/problem+json"
        assert json.loads(answer.data)["code"] == code


class TestBadInput:
    @pytest.mark.parametrize(
        "query",
        [
            "person=" + "x" * 201,
            "person=" + "%E7%8E%8B" * 5000,
            "person=a&person=b",
            "person=%00",
            "object=%0d%0aSet-Cookie:x",
            "person=%ed%a0%80%00",
            "zone=moon",
            "outcome=1",
            "type=x",
            "from=32.13.2026",
            "from=2026-11-20&to=2026-11-19",
            "from=%D9%A3",
            "after=-1",
            "after=1&after=2",
            "limit=9999",
            "sort=asc",
            "%00=x",
            "offset=10",
        ],
    )
    def test_a_filter_that_cannot_be_right_is_refused_unrecorded(self, fake: ConsoleFake, query: str) -> None:
        before = fake.log.size()
        page = fake.get(f"/search?{query}")
        assert page.status_code == 400
        assert "bad_filter" in page.text
        document = fake.get(f"/search.json?{query}")
        assert (document.status_code, json.loads(document.data)["code"]) == (400, "bad_filter")
        assert fake.log.size() == before

    @pytest.mark.parametrize(
        "text", ["' OR 1=1 --", "%", "_", "*", "\\", '"', "x' UNION SELECT token FROM name_token--"]
    )
    def test_what_means_something_to_sql_means_nothing_here(self, fake: ConsoleFake, text: str) -> None:
        found = json.loads(fake.get(f"/search.json?person={quote(text)}&object={quote(text)}").data)
        assert found["entries"] == []

    def test_a_cursor_beyond_the_log_is_unknown(self, fake: ConsoleFake) -> None:
        answer = fake.get("/search?after=123456")
        assert answer.status_code == 400
        assert "unknown_cursor" in answer.text

    @pytest.mark.parametrize("index", ["-1", "03", "x", "1e3", "%D9%A3", "9" * 40, "999999", "3.0", "%00", "%20"])
    def test_an_entry_that_is_none_is_not_found(self, fake: ConsoleFake, index: str) -> None:
        for path in (f"/entries/{index}", f"/entries/{index}/entry.json", f"/entries/{index}/entry.tlog-proof"):
            answer = fake.get(path)
            assert answer.status_code == 404
            assert "no_such_entry" in answer.text

    @pytest.mark.parametrize(
        "path", ["/entries/", "/entries/3/", "/entries/3/entry.xml", "/tile", "/tile/0", "/api/v1/"]
    )
    def test_an_address_that_is_none_is_not_found(self, fake: ConsoleFake, path: str) -> None:
        assert fake.get(path).status_code == 404

    @given(
        path=st.sampled_from(["/", "/search", "/search.json", "/entries/", "/tile/0/", "/tile/entries/"]),
        rest=st.text(alphabet=st.characters(max_codepoint=0x2FF, exclude_characters="#"), max_size=30),
    )
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_whatever_stands_in_an_address_is_answered_below_500(self, fake: ConsoleFake, path: str, rest: str) -> None:
        assert fake.get(path + quote(rest, safe="?=&/%.")).status_code < 500
