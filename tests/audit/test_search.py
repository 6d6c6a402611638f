# SPDX-License-Identifier: Apache-2.0
import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import LogDamaged
from audit.models import Outcome
from audit.search import (
    BadFilter,
    BadTileAddress,
    Inclusion,
    NameTokens,
    TileAddress,
    check,
    parse,
    proof_text,
    row_of,
)
from audit.search.rows import stamp, unstamp
from audit.search.words import says, tell
from tests.fakes.audit_console import LI, event
from tests.fakes.clock import ManualClock
from tests.fakes.memory_log import MemoryLog


class TestFilters:
    def test_nothing_asked_narrows_nothing(self) -> None:
        query = parse({})
        assert (query.person, query.outcome, query.since, query.after) == ("", None, None, None)

    def test_an_empty_field_of_a_form_is_no_filter(self) -> None:
        assert parse({"person": [" "], "outcome": [""], "from": [""]}) == parse({})

    def test_every_filter_is_read(self) -> None:
        query = parse(
            {
                "person": ["李　晓明"],
                "organisation": ["org-1"],
                "object": ["tax"],
                "zone": ["internal"],
                "outcome": ["denied"],
                "type": ["gateway.decision"],
                "session": ["s"],
                "decision": ["d"],
                "from": ["2026-11-01"],
                "to": ["2026-11-20T08:30"],
                "after": ["77"],
                "limit": ["500"],
                "lang": ["zh"],
            }
        )
        assert query.person == "李 晓明"
        assert (query.zone, query.outcome, query.type) == ("internal", Outcome.DENIED, "gateway.decision")
        assert query.since == datetime(2026, 11, 1, tzinfo=UTC)
        assert query.until == datetime(2026, 11, 20, 8, 31, tzinfo=UTC)
        assert (query.after, query.limit) == (77, 500)

    @pytest.mark.parametrize(
        ("given_text", "meant"),
        [
            ("2026-11-20", datetime(2026, 11, 21, tzinfo=UTC)),
            ("2026-11-20T23:59", datetime(2026, 11, 21, tzinfo=UTC)),
            ("2026-11-20T08:00:00", datetime(2026, 11, 20, 8, 0, 1, tzinfo=UTC)),
            ("2026-11-20T16:00+08:00", datetime(2026, 11, 20, 8, 1, tzinfo=UTC)),
            ("2026-11-20T08:00:00Z", datetime(2026, 11, 20, 8, 0, 1, tzinfo=UTC)),
        ],
    )
    def test_the_end_of_a_span_counts_in_full(self, given_text: str, meant: datetime) -> None:
        assert parse({"to": [given_text]}).until == meant

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("person", ["a", "b"]),
            ("person", []),
            ("person", ["x" * 201]),
            ("person", ["a\x00b"]),
            ("object", ["a\nb"]),
            ("object", ["\u202etxet"]),
            ("organisation", ["\ud800"]),
            ("zone", ["moon"]),
            ("outcome", ["maybe"]),
            ("type", ["gateway.decisions"]),
            ("from", ["yesterday"]),
            ("from", ["2026-02-30"]),
            ("from", ["2026-11-20T25:00"]),
            ("from", ["2026-11-20T08:00+99:00"]),
            ("from", ["\uff12\uff10\uff12\uff16-11-20"]),
            ("from", ["20261120"]),
            ("to", ["9999-12-31"]),
            ("to", ["9999-12-31T23:59"]),
            ("from", ["0001-01-01T00:00+14:00"]),
            ("after", ["-1"]),
            ("after", ["1e3"]),
            ("after", ["007"]),
            ("after", ["٣"]),
            ("after", ["9" * 30]),
            ("limit", ["0"]),
            ("limit", ["501"]),
            ("offset", ["10"]),
            ("person\n", ["a"]),
        ],
    )
    def test_what_cannot_be_right_is_refused_by_name(self, name: str, values: list[str]) -> None:
        with pytest.raises(BadFilter) as refused:
            parse({name: values})
        assert refused.value.parameters["field"] in (name, "?")

    def test_a_span_that_ends_before_it_begins_is_refused(self) -> None:
        with pytest.raises(BadFilter):
            parse({"from": ["2026-11-20"], "to": ["2026-11-19"]})

    @given(
        st.dictionaries(
            st.sampled_from(["person", "from", "to", "after", "limit", "type", "zone", "outcome"]),
            st.lists(st.text(max_size=30), max_size=2),
        )
    )
    @settings(max_examples=300, deadline=None)
    def test_whatever_is_sent_is_read_or_refused(self, values: dict[str, list[str]]) -> None:
        with contextlib.suppress(BadFilter):
            assert parse(values).limit <= 500


class TestNames:
    names = NameTokens(b"k" * 32)

    def test_a_person_is_found_by_full_name_word_chinese_name_and_user_name(self) -> None:
        found = self.names.tokens({"name": "Li Xiaoming", "name_zh": "李晓明", "username": "lixm", "address": "x"})
        for typed in ("Li Xiaoming", "li  xiaoming", "XIAOMING", "李晓明", "lixm", "\uff4c\uff49\uff58\uff4d"):
            assert self.names.token(typed) in found

    def test_nothing_but_names_is_searchable(self) -> None:
        found = self.names.tokens({"name": "Li Xiaoming", "address": "203.0.113.7"})
        assert self.names.token("203.0.113.7") not in found

    def test_tokens_of_another_key_say_nothing(self) -> None:
        assert NameTokens(b"j" * 32).token("Li") != self.names.token("Li")

    def test_an_initial_is_too_short_to_search(self) -> None:
        assert len(self.names.tokens({"name": "A B"})) == 1


class TestTiles:
    @pytest.mark.parametrize(
        ("level", "rest", "address"),
        [
            ("0", "005", TileAddress(level=0, index=5)),
            ("0", "x001/000", TileAddress(level=0, index=1000)),
            ("2", "x001/x234/067.p/17", TileAddress(level=2, index=1234067, width=17)),
        ],
    )
    def test_the_one_spelling_is_read(self, level: str, rest: str, address: TileAddress) -> None:
        assert TileAddress.parse(level, rest) == address

    @pytest.mark.parametrize(
        ("level", "rest"),
        [
            ("00", "000"),
            ("64", "000"),
            ("-1", "000"),
            ("٣", "000"),
            ("0", "5"),
            ("0", "0005"),
            ("0", "x000/005"),
            ("0", "001/000"),
            ("0", "x001"),
            ("0", "000.p/0"),
            ("0", "000.p/256"),
            ("0", "000.p/01"),
            ("0", "000.p"),
            ("0", "000/"),
            ("0", "../checkpoint"),
            ("0", "x001/../000"),
            ("0", "000\n"),
            ("0", "x999/" * 6 + "999"),
        ],
    )
    def test_every_other_spelling_is_refused(self, level: str, rest: str) -> None:
        with pytest.raises(BadTileAddress):
            TileAddress.parse(level, rest)

    def test_only_tiles_that_a_size_implies_exist(self) -> None:
        # The worked example of the specification: a log of 70,000 entries.
        assert TileAddress.parse("0", "272").implied_by(70_000)
        assert TileAddress.parse("0", "273.p/112").implied_by(70_000)
        assert not TileAddress.parse("0", "273.p/113").implied_by(70_000)
        assert TileAddress.parse("1", "001.p/17").implied_by(70_000)
        assert not TileAddress.parse("1", "001.p/18").implied_by(70_000)
        assert TileAddress.parse("2", "000.p/1").implied_by(70_000)
        assert not TileAddress.parse("63", "000.p/1").implied_by(70_000)


class TestEvidence:
    @staticmethod
    def _log(count: int) -> MemoryLog:
        log, clock = MemoryLog(), ManualClock()
        for _ in range(count):
            log.record(event(clock))
        return log

    @pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
    def test_every_entry_leads_to_the_root_and_the_last_step_is_the_root(self, count: int) -> None:
        log = self._log(count)
        size, root = log.opened_checkpoint(log.checkpoint().decode())
        for index in range(count):
            evidence = check(log.raw(index), log.prove(index), size=size, root=root)
            assert (evidence.steps[-1].node if evidence.steps else evidence.leaf) == root

    def test_other_bytes_do_not(self) -> None:
        log = self._log(5)
        size, root = log.opened_checkpoint(log.checkpoint().decode())
        for raw, inclusion in (
            (log.raw(2) + b" ", log.prove(2)),
            (log.raw(2), log.prove(3)),
            (log.raw(2), Inclusion(index=2, path=log.prove(2).path[:-1], checkpoint="")),
            (log.raw(2), Inclusion(index=2, path=(*log.prove(2).path, b"x" * 32), checkpoint="")),
            (log.raw(2), Inclusion(index=7, path=log.prove(2).path, checkpoint="")),
        ):
            with pytest.raises(LogDamaged):
                check(raw, inclusion, size=size, root=root)

    def test_the_proof_file_has_the_form_of_the_specification(self) -> None:
        inclusion = Inclusion(index=9, path=(b"\0" * 32, b"\1" * 32), checkpoint="o\n1\nr\n\n— o s\n")
        assert proof_text(inclusion) == (
            "c2sp.org/tlog-proof@v1\nindex 9\n"
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
            "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"
            "\no\n1\nr\n\n— o s\n"
        )


class TestWords:
    def test_a_refusal_says_who_what_where_how_and_why(self) -> None:
        log, clock = MemoryLog(), ManualClock()
        log.record(
            event(
                clock,
                subject=LI,
                outcome=Outcome.DENIED,
                attributes={"reason": "zone", "amr": "pwd,otp", "assurance": 2, "policies": "p1 p2", "method": "GET"},
            )
        )
        told = tell(row_of(log.read(0, 1)[0]))
        assert (told.says, told.outcome, told.tone, told.zone) == (
            "Access decided",
            "Refused",
            "bad",
            "External network",
        )
        assert told.methods == ["password", "one-time code"]
        assert told.why == "It cannot be reached from this network."
        assert told.policies == ["p1", "p2"]
        assert ("assurance level", "2") in told.how

    def test_what_has_no_word_stays_a_code(self) -> None:
        log, clock = MemoryLog(), ManualClock()
        log.record(event(clock, zone="dmz", attributes={"reason": "new_reason"}))
        told = tell(row_of(log.read(0, 1)[0]))
        assert (told.zone, told.why, told.code) == ("dmz", "", "new_reason")
        assert says("future.type") == "future.type"


def test_a_time_survives_the_index_to_the_millisecond() -> None:
    at = datetime(2026, 11, 20, 8, 0, 0, 123000, tzinfo=UTC)
    assert unstamp(stamp(at)) == at
    assert unstamp(stamp(at + timedelta(microseconds=999))) == at
