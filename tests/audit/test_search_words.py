# SPDX-License-Identifier: Apache-2.0
"""Free text: words of the clear header and their names in two languages, and words of sealed parts by keyed marks."""

import sqlite3
from pathlib import Path

import pytest

from audit.models import Event, Outcome
from audit.models_settings import CHANGED, told
from audit.search import BadFilter, NameTokens, Phrase, Vocabulary, Words, parse, terms
from audit.search.query import MOST_PHRASES
from audit.search.terms import clear_marks
from audit.search.words import told as told_words
from audit.web import TRANSLATIONS
from core.web import chinese_words
from tests.fakes.audit_console import LI, WANG, ConsoleFake
from tests.fakes.clock import ManualClock

from .test_log_settings import NEW, OLD


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    made = ConsoleFake(tmp_path)
    made.fill()
    return made


def _found(fake: ConsoleFake, text: str, **filters: str) -> list[int]:
    query = parse({"q": [text], **{name: [value] for name, value in filters.items()}})
    return [hit.row.index for hit in fake.console.search(fake.reader, query).hits]


def _those(fake: ConsoleFake, size: int, *, of: str) -> list[int]:
    kinds = {"suspended": "ca.certificate.suspended", "login": "sso.login"}
    return [i for i in range(size) if fake.log.events[i].type == kinds[of]][::-1][:50]


class TestClearHeader:
    @pytest.mark.parametrize(
        "text",
        ["suspended", "Certificate SUSPENDED", '"certificate suspended"', "ca.certificate.suspended", "证书已冻结",
         "冻结", "certifi* suspended", "1f2e3d4c5b6a", "org-tax-bureau suspended", "people 证书",
         "suspended zone:management"],
    )  # fmt: skip
    def test_words_of_the_type_and_of_fields_find_an_entry(self, fake: ConsoleFake, text: str) -> None:
        expected = _those(fake, fake.log.size(), of="suspended")
        assert len(expected) == 1
        assert _found(fake, text) == expected

    @pytest.mark.parametrize(
        "text",
        ["settings", "took up settings", "站点设置", "设置 gateway", "gateway.routes.social", "settings tax=3>2"],
    )
    def test_settings_that_were_changed_by_hand_are_found(self, fake: ConsoleFake, text: str) -> None:
        facts = told(OLD, NEW, role="gateway")
        index = fake.add(type=CHANGED, source="audit", subject="", actor="", object="", sealed={}, attributes=facts)
        assert _found(fake, text) == [index]

    def test_every_word_must_be_there(self, fake: ConsoleFake) -> None:
        assert _found(fake, "suspended login") == []
        assert _found(fake, "suspended nowhere") == []

    def test_a_phrase_keeps_its_order(self, fake: ConsoleFake) -> None:
        assert _found(fake, '"suspended certificate"') == []

    def test_reasons_and_networks_have_words_too(self, fake: ConsoleFake) -> None:
        zone = [i for i, e in enumerate(fake.log.events) if e.attributes.get("reason") == "zone"]
        assert _found(fake, '"cannot be reached from this network"') == zone
        assert set(_found(fake, '"management network"')) >= set(_those(fake, fake.log.size(), of="suspended"))

    def test_a_field_in_the_box_is_the_filter_of_that_name(self, fake: ConsoleFake) -> None:
        assert _found(fake, "type:sso.login object:tax") == _those(fake, fake.log.size(), of="login")
        assert _found(fake, 'person:"Wang Fang" outcome:denied') == _found(fake, "", person=WANG, outcome="denied")
        assert _found(fake, "source:ca") == _those(fake, fake.log.size(), of="suspended")


class TestSealedPart:
    @pytest.mark.parametrize(
        "text", ["lost", "card reported lost", '"card reported lost"', '"REPORTED lost"', "lost 'Fang'"]
    )
    def test_words_of_free_text_find_it(self, fake: ConsoleFake, text: str) -> None:
        assert _found(fake, text) == _those(fake, fake.log.size(), of="suspended")

    def test_words_of_a_phrase_must_stand_together(self, fake: ConsoleFake) -> None:
        assert _found(fake, "card lost")
        assert _found(fake, '"card lost"') == []

    def test_addresses_paths_and_names(self, fake: ConsoleFake) -> None:
        wang = [i for i, e in enumerate(fake.log.events) if e.sealed.get("address") == "198.51.100.20"][::-1]
        assert wang
        assert _found(fake, "198.51.100.20") == wang
        assert _found(fake, "declarations year=2025") == _found(fake, "/declarations?year=2025") != []
        assert _found(fake, "王芳") == wang
        fake.add(
            type="ca.certificate.suspended", source="ca", subject=LI, object="0a",
            sealed={"reason": "身份证在地铁报失 本人到场"},
        )  # fmt: skip
        assert len(_found(fake, "报失")) == len(_found(fake, "身份证在地铁报失")) == len(_found(fake, "地铁")) == 1

    def test_the_marks_say_nothing_without_the_key(self) -> None:
        sealed = {"name": "Li Xiaoming", "reason": "card reported lost", "address": "203.0.113.7"}
        ours, theirs = Words(b"a" * 32).sealed(sealed), Words(b"b" * 32).sealed(sealed)
        assert not set(ours.split()) & set(theirs.split())
        assert all(mark.startswith("s") and len(mark) == 11 for mark in ours.split())

    def test_a_name_token_is_no_word_mark(self) -> None:
        names = NameTokens(b"k" * 32)
        assert names.token("lost").hex()[:10] not in names.words.sealed({"reason": "lost"})

    def test_nobody_asks_for_a_sealed_mark_with_words_of_their_own(self, fake: ConsoleFake) -> None:
        """Who has read marks from a stolen index learns nothing by typing them."""
        mark = fake.names.words.sealed({"reason": "lost"}).split()[0]
        assert _found(fake, "lost")
        assert _found(fake, mark) == _found(fake, f'"{mark}"') == []

    def test_what_was_forgotten_is_found_by_no_word_and_lies_in_no_file(
        self, fake: ConsoleFake, tmp_path: Path
    ) -> None:
        assert _found(fake, "lost")
        marks = fake.names.words.sealed({"reason": "card reported lost"}).split()
        assert any(mark in _kept(tmp_path) for mark in marks)
        fake.log.erase(WANG)
        fake.store.forget(WANG)
        assert _found(fake, "lost") == _found(fake, "王芳") == []
        assert not any(mark in _kept(tmp_path) for mark in marks)
        files = b"".join(path.read_bytes() for path in (tmp_path / "index").rglob("*.db*"))
        assert not any(mark[1:].encode() in files for mark in marks)
        # The entry stays, under its clear header; others keep their words.
        assert _found(fake, "suspended") == _those(fake, fake.log.size(), of="suspended")
        assert _found(fake, "declarations")


class TestReading:
    @pytest.mark.parametrize(
        "text",
        ["colour:red", "type:nothing", "zone:moon", "type:", 'person:""', 'an "open phrase', 'a"b"c', "…", "ab*",
         "a-b*", "zone:internal zone:internal", "q:x",
         " ".join(f"word{n}" for n in range(MOST_PHRASES + 1)), "x" * 401],
    )  # fmt: skip
    def test_what_cannot_be_read_is_refused(self, text: str) -> None:
        with pytest.raises(BadFilter):
            parse({"q": [text]})

    def test_a_filter_given_in_both_places_is_given_twice(self) -> None:
        with pytest.raises(BadFilter):
            parse({"q": ["zone:internal"], "zone": ["internal"]})

    def test_what_is_understood(self) -> None:
        query = parse({"q": ['wide　space "two words" zone:internal from:2026-01-01 10:30']})
        assert query.phrases == (Phrase("wide"), Phrase("space"), Phrase("two words"), Phrase("10:30"))
        assert (query.zone, query.since is not None, query.fields()) == ("internal", True, {"zone": "internal"})

    @pytest.mark.parametrize(
        "text", ["NEAR(a b)", "a OR b", "marks:x", "^qq", "{qq}", "a\u0661", "😀x", "a'b--", "NOT", "(", "x)"]
    )
    def test_words_of_the_full_text_language_are_words(self, fake: ConsoleFake, text: str) -> None:
        try:
            query = parse({"q": [text]})
        except BadFilter:
            return
        assert fake.console.search(fake.reader, query).total == 0


def test_what_was_typed_is_recorded_under_the_officers_own_seal(fake: ConsoleFake) -> None:
    _found(fake, "Xiaoming zone:external")
    made = fake.log.events[-1]
    assert made.sealed == {"words": "Xiaoming zone:external"}
    assert "Xiaoming" not in str(made.attributes)
    assert made.attributes["filter_zone"] == "external"


def test_a_program_of_the_site_leaves_no_words_in_the_clear(fake: ConsoleFake) -> None:
    assert fake.peer("/api/v1/entries?q=Xiaoming", caller="app").status_code == 200
    assert "Xiaoming" not in str(fake.log.events[-1])


def test_the_words_of_codes_come_in_both_languages() -> None:
    vocabulary = Vocabulary(told_words(chinese_words([TRANSLATIONS])))
    assert len(vocabulary.asks(Phrase("Login"))) > 1
    assert vocabulary.asks(Phrase("登录"))
    assert vocabulary.asks(Phrase("certif", begins=True))
    assert not vocabulary.asks(Phrase("certif"))
    assert not vocabulary.asks(Phrase("…"))


def test_a_number_that_comes_once_is_a_word_and_spoils_nothing_that_is_kept() -> None:
    words, kept = Words(b"k" * 32), vars(terms)["_shared"].cache_info
    before = kept().misses
    for number in (f"{each:032x}" for each in range(20)):
        said: dict[str, str | int | bool] = {
            "reason": "allowed",
            "request": number,
            "method": "GET",
            "port": 443,
            "policies": "citizen-portal",
        }
        made = Event(
            key=number, type="gateway.decision", outcome=Outcome.SUCCESS, at=ManualClock().now(), source="gateway",
            attributes=said,
        )  # fmt: skip
        marks = words.marks(made, "allowed", {})[0].split()
        assert {word for each in said.values() if isinstance(each, str) for word in clear_marks(each)} <= {*marks}
        assert f"w{number}" in marks
    assert kept().misses == before + 1


def test_an_entry_without_anything_has_marks_of_its_kind() -> None:
    made = Event(key="0" * 32, type="log.created", outcome=Outcome.SUCCESS, at=ManualClock().now(), source="log")
    marks, sealed = Words(b"k" * 32).marks(made, "", {})
    assert (len(marks.split()), sealed) == (4, "")


def _kept(folder: Path) -> str:
    """All terms and all kept marks of the index."""
    found = []
    for path in (folder / "index").rglob("*.db"):
        connection = sqlite3.connect(path)
        connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, word, row)")
        found += [term for (term,) in connection.execute("SELECT term FROM temp.terms")]
        found += [sealed for (sealed,) in connection.execute("SELECT sealed FROM entry")]
        connection.close()
    return " ".join(found)
