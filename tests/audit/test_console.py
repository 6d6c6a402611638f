# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.console import Console, Scopes
from audit.errors import LogDamaged, NoSuchEntry, RecordUnavailable
from audit.models import Entry, Outcome, Reader
from audit.search import NoSuchTile, Query, TileAddress, UnknownCursor
from audit.warrants import WarrantNeeded
from tests.fakes.audit_console import LI, OFFICER, WANG, ConsoleFake


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    made = ConsoleFake(tmp_path)
    made.fill()
    return made


def test_a_search_is_recorded_with_who_asked_what_and_how_much_was_shown(fake: ConsoleFake) -> None:
    page = fake.console.search(fake.reader, Query(person="王芳", outcome=Outcome.DENIED, limit=10))
    recorded = fake.log.events[-1]
    assert recorded.type == "audit.searched"
    assert (recorded.actor, recorded.subject, recorded.session) == (OFFICER, OFFICER, "s-officer")
    assert (recorded.zone, recorded.decision) == ("management", "d-officer")
    assert recorded.attributes == {
        "filter_outcome": "denied",
        "hits": 1,
        "persons": 2,
        "shown": 1,
        "newest": page.hits[0].row.index,
        "oldest": page.hits[0].row.index,
    }
    # The name is personal: it lies under the officer's key, not in the clear header.
    assert recorded.sealed == {"person": "王芳"}


def test_a_search_sees_what_was_published_a_moment_before(fake: ConsoleFake) -> None:
    index = fake.add(object="brand-new")
    assert [hit.row.index for hit in fake.console.search(fake.reader, Query(object="brand-new")).hits] == [index]


def test_a_hit_shows_the_name_and_says_when_the_person_was_erased(fake: ConsoleFake) -> None:
    fake.grant(f"subject:{LI}")
    login = Query(person=LI, type="sso.login")
    assert fake.console.search(fake.reader, login).hits[0].sealed
    fake.log.erase(LI)
    assert fake.console.search(fake.reader, login).hits[0].sealed is None


def test_pages_follow_each_other_without_gap_or_overlap(fake: ConsoleFake) -> None:
    total = fake.console.search(fake.reader, Query(type="sso.login")).total
    seen: list[int] = []
    after = None
    while True:
        page = fake.console.search(fake.reader, Query(type="sso.login", limit=3, after=after))
        seen += [hit.row.index for hit in page.hits]
        after = page.next
        if after is None:
            break
    assert len(seen) == len(set(seen)) == total
    assert seen == sorted(seen, reverse=True)


def test_a_page_that_no_search_offered_is_refused_unrecorded(fake: ConsoleFake) -> None:
    before = fake.log.size()
    with pytest.raises(UnknownCursor):
        fake.console.search(fake.reader, Query(after=10**9))
    assert fake.log.size() == before


def test_more_hits_than_are_counted_are_called_more(fake: ConsoleFake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.store.questions.MOST_COUNTED", 5)
    page = fake.console.search(fake.reader, Query())
    assert (page.total, page.more) == (5, True)


def test_opening_is_recorded_about_the_person_and_proven(fake: ConsoleFake) -> None:
    warrant = fake.grant("entry:3")
    opened = fake.console.open(fake.reader, 3)
    recorded = fake.log.events[-1]
    assert (recorded.type, recorded.subject, recorded.actor) == ("audit.opened", LI, OFFICER)
    assert recorded.object == "3"
    assert recorded.attributes == {"part": "entry", "opened": 1, "warrants": warrant}
    assert opened.sealed
    assert opened.sealed["name"] == "Li Xiaoming"
    assert opened.evidence.index == 3
    assert opened.evidence.steps[-1].node == opened.evidence.root


def test_raw_bytes_and_proof_are_recorded_too(fake: ConsoleFake) -> None:
    assert fake.console.raw(fake.reader, 3) == fake.log.stored[3]
    assert fake.console.proof(fake.reader, 3).startswith("c2sp.org/tlog-proof@v1\nindex 3\n")
    assert [e.attributes["part"] for e in fake.log.events[-2:]] == ["raw", "proof"]


def test_asking_for_an_entry_that_does_not_exist_is_recorded_as_a_failure(fake: ConsoleFake) -> None:
    with pytest.raises(NoSuchEntry):
        fake.console.open(fake.reader, 10**15)
    recorded = fake.log.events[-1]
    assert (recorded.outcome, recorded.attributes["reason"]) == (Outcome.FAILURE, "no_such_entry")


def test_changed_bytes_are_not_shown(fake: ConsoleFake) -> None:
    class Changed:
        def raw(self, index: int) -> bytes:
            return fake.log.raw(index) + b" "

        def __getattr__(self, name: str) -> object:
            return getattr(fake.log, name)

    console = _over(fake, Changed())
    with pytest.raises(LogDamaged):
        console.open(fake.reader, 3)
    assert fake.log.events[-1].attributes["reason"] == "log_damaged"


def test_a_damaged_sealed_part_spoils_neither_its_page_nor_the_proof_of_others(fake: ConsoleFake) -> None:
    class Lost:
        def unseal(self, entry: Entry) -> object:
            raise LogDamaged(index=entry.index, why="key lost")

        def __getattr__(self, name: str) -> object:
            return getattr(fake.log, name)

    console = _over(fake, Lost())
    fake.grant(f"subject:{WANG}")
    fake.grant("entry:3")
    assert len(console.search(fake.reader, Query(person=WANG, source="gateway")).hits) == 1
    assert console.search(fake.reader, Query(person=WANG, source="gateway")).hits[0].sealed == {}
    with pytest.raises(LogDamaged):
        console.open(fake.reader, 3)


@pytest.mark.parametrize(
    "look",
    [
        lambda fake: fake.console.search(fake.reader, Query()),
        lambda fake: fake.console.open(fake.reader, 3),
        lambda fake: fake.console.raw(fake.reader, 3),
        lambda fake: fake.console.proof(fake.reader, 3),
        lambda fake: fake.console.history(Reader(role="sso"), LI, after=None, limit=5),
        lambda fake: fake.console.bundle(fake.reader, TileAddress(level=0, index=0, width=3)),
    ],
)
def test_what_cannot_be_recorded_is_not_shown(fake: ConsoleFake, look: Callable[[ConsoleFake], object]) -> None:
    fake.grant("range:0-9", kind="export")
    fake.log.down = True
    with pytest.raises(RecordUnavailable):
        look(fake)


def test_a_citizen_sees_their_own_record_and_that_it_was_opened(fake: ConsoleFake) -> None:
    fake.console.open(fake.reader, 3)
    rows = fake.console.history(Reader(role="sso"), LI, after=None, limit=5)
    assert rows[0].type == "audit.opened"
    assert {row.subject for row in rows} == {LI}
    recorded = fake.log.events[-1]
    assert (recorded.type, recorded.subject, recorded.attributes["reader"]) == ("audit.read", LI, "sso")


def test_a_citizen_is_told_what_happened_not_what_was_about_to(fake: ConsoleFake) -> None:
    tokens: dict[str, Any] = {"source": "sso", "subject": LI, "object": "g1", "attributes": {"client": "tax"}}
    fake.add(type="sso.token.intended", outcome=Outcome.INTENDED, **tokens)
    fake.add(type="sso.token.issued", **tokens)
    rows = fake.console.history(Reader(role="sso"), LI, after=None, limit=5)
    assert rows[0].type == "sso.token.issued"
    assert Outcome.INTENDED not in {row.outcome for row in rows}


def test_reading_a_bundle_is_recorded_as_a_range(fake: ConsoleFake) -> None:
    for _ in range(600):
        fake.add()
    address = TileAddress(level=0, index=1)
    assert fake.console.bundle(Reader(role="app"), address)
    recorded = fake.log.events[-1]
    assert (recorded.type, recorded.attributes) == ("audit.read", {"first": 256, "count": 256, "reader": "app"})
    fake.grant("range:0-300", kind="export")
    before = fake.log.size()
    with pytest.raises(WarrantNeeded):
        fake.console.bundle(fake.reader, address)
    assert fake.log.size() == before
    warrant = fake.grant("range:256-511", kind="export")
    assert fake.console.bundle(fake.reader, address)
    assert fake.log.events[-1].attributes == {"first": 256, "count": 256, "warrant": warrant}


def test_a_bundle_or_tile_that_no_checkpoint_implies_does_not_exist(fake: ConsoleFake) -> None:
    before = fake.log.size()
    for address in (TileAddress(level=0, index=9), TileAddress(level=0, index=0), TileAddress(level=3, index=0)):
        with pytest.raises(NoSuchTile):
            fake.console.tile(address)
    with pytest.raises(NoSuchTile):
        fake.console.bundle(fake.reader, TileAddress(level=0, index=0))
    assert fake.log.size() == before


def _over(fake: ConsoleFake, log: object) -> Console:
    return Console(
        warrants=fake.warrants,
        scopes=Scopes(log=fake.log, index=fake.store, names=fake.names),
        log=log,  # type: ignore[arg-type]  # forwards by __getattr__
        index=fake.store,
        indexer=fake.indexer,
        names=fake.names,
        recorder=fake.log,
        clock=fake.clock,
    )
