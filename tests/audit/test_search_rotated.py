# SPDX-License-Identifier: Apache-2.0
"""Searching over a log and its closed predecessor: hits of both are found, opened with a proof, and linked."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.checking import IndexCheck
from audit.indexer import Indexer
from audit.lineage import Past
from audit.merkle import LogKey
from audit.published import PublishedLog
from audit.reader import LogReader
from audit.rotation import Place, Rotation
from audit.search import parse
from audit.store import IndexStore
from tests.fakes.audit_console import ConsoleFake
from tests.fakes.log_site import LogSite, event

NEXT = LogKey("city.example/log-2", seed=b"\x17" * 32, mldsa_seed=b"\x18" * 32)
OLD, NEW = 4, 14
"""Places of an entry of the closed log, which has twelve, and of one of the present log."""


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[ConsoleFake]:
    """The console over a real log that was rotated."""
    (tmp_path / "site").mkdir()
    site = LogSite(tmp_path / "site").create()
    _append(site, 10)
    root = site.folder.parent
    first = LogSite.first_key()
    Rotation(
        old=Place(folder=root / "log", key=first),
        new=Place(folder=root / "log.next", key=NEXT),
        archive=root / "logs" / "log",
        seals=site.seals,
        clock=site.clock,
    ).run(None)
    site.key, site.vkey = NEXT, str(NEXT.vkey)
    _append(site, 3)
    past = Past([LogReader(root / "logs" / "log", str(first.vkey))])
    view = PublishedLog(reader=site.reader(), seals=site.seals, past=past)
    made = ConsoleFake(tmp_path)
    made.store = IndexStore.open(tmp_path / "rotated", span=8)
    made.store.prepare()
    made.indexer = Indexer(log=view, store=made.store, names=made.names)
    console = made.console
    console._log, console._index, console._indexer = view, made.store, made.indexer
    yield made
    site.close()


def _append(site: LogSite, count: int) -> None:
    log = site.open()
    log.append([event(session="s-both", object=f"portal-{number}") for number in range(count)])
    log.integrate()
    log.close()


def test_hits_of_both_logs_are_found_and_opened(fake: ConsoleFake) -> None:
    page = fake.console.search(fake.reader, parse({"session": ["s-both"]}))
    assert [hit.row.index for hit in page.hits] == [15, 14, 13, *range(10, 0, -1)]
    for place, own, origin in ((OLD, OLD, "city.example/log"), (NEW, NEW - 12, NEXT.origin)):
        opened = fake.console.open(fake.reader, place)
        assert (opened.row.index, opened.evidence.index) == (place, own)
        assert opened.evidence.checkpoint.startswith(f"{origin}\n")
        proof = fake.console.proof(fake.reader, place)
        assert f"\nindex {own}\n" in proof
        assert f"\n\n{origin}\n" in proof


def test_the_session_around_an_entry_goes_over_the_rotation(fake: ConsoleFake) -> None:
    fake.console.catch_up()
    opened = fake.console.open(fake.reader, 13)
    assert [row.index for row in opened.before] == [6, 7, 8, 9, 10]
    assert [row.index for row in opened.after] == [14, 15]


def test_links_lead_to_the_entry_and_its_page_names_the_log(fake: ConsoleFake) -> None:
    found = fake.get("/search?session=s-both").text
    assert {int(place) for place in re.findall(r'href="/entries/(\d+)"', found)} == {13, 14, 15, *range(1, 11)}
    old, new = (fake.get(f"/entries/{place}").text for place in (OLD, NEW))
    assert f"entry {OLD} of the 12 entries that the log has signed" in old
    assert f"entry {NEW - 12} of the 4 entries that the log city.example/log-2 has signed" in new
    assert f"it has the number {NEW}." in new
    assert f'href="/entries/{NEW + 1}" rel="next"' in new


def test_the_index_is_compared_with_both_logs(fake: ConsoleFake, tmp_path: Path) -> None:
    fake.console.catch_up()
    check = IndexCheck(index=fake.store, indexer=fake.indexer, log=fake.console._log, folder=tmp_path, clock=fake.clock)
    told = check.round()
    assert (told.size, told.found) == (16, 0)
    fake.indexer.mend(8, 16)
    assert fake.store.position() == 16
    assert check.round().found == 0
