# SPDX-License-Identifier: Apache-2.0
"""Searching, opening and reading over the real log on disk."""

import secrets
import shutil
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from audit.cli import audit
from audit.console import Console, Scopes
from audit.errors import LogDamaged, NoSuchEntry
from audit.merkle import LogKey
from audit.models import Event, Outcome, Reader, Receipt, Wait
from audit.published import INDEX_KEY, Reading
from audit.seals import Seals, SealStore
from audit.search import Query, TileAddress
from audit.service import LocalRecorder, create_log, local_recorder
from audit.warrants import Erasing, Scope, Warrant, Warrants, WarrantStore
from core.config import ConfigurationError
from tests.fakes.audit_console import LI, OFFICER, SECOND, WANG, event
from tests.fakes.clock import ManualClock

KEY = LogKey("city.localhost/log", seed=b"\7" * 32)
LI_NAMED = {"name": "Li Xiaoming", "name_zh": "李晓明", "username": "lixm"}


class Publishing:
    """A recorder whose entries are published when it answers."""

    def __init__(self, log: LocalRecorder) -> None:
        self._log = log

    def record(self, event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:  # noqa: ARG002 - always published
        return self._log.record(event, wait=Wait.PUBLISHED)

    def many(self, events: Iterable[Event]) -> None:
        for each in events:
            self._log.record(each)


class Site:
    """The audit role's folder with a running log."""

    def __init__(self, folder: Path, recorder: Publishing, seals: Seals, clock: ManualClock) -> None:
        self.folder = folder
        self.recorder = recorder
        self.seals = seals
        self.clock = clock
        self.reading = Reading.open(folder, log_key=str(KEY.vkey))
        self.store = WarrantStore.open(folder / "warrants.db")
        scopes = Scopes(log=self.reading.log, index=self.reading.index, names=self.reading.names)
        self.warrants = Warrants(store=self.store, recorder=recorder, clock=clock, persons=scopes.persons)
        self.console = Console(
            warrants=self.warrants,
            scopes=scopes,
            log=self.reading.log,
            index=self.reading.index,
            indexer=self.reading.indexer,
            names=self.reading.names,
            recorder=recorder,
            clock=clock,
        )
        self.reader = Reader(
            subject=OFFICER, session="s", zone="management", decision="d", roles=frozenset({"security-officer"})
        )

    def grant(self, scope: str, *, kind: str = "open") -> Warrant:
        """A second officer agrees; an audit administrator to what cannot be undone."""
        asked = self.warrants.ask(self.reader, kind, Scope.parse(scope), "for a test")
        role = "security-officer" if kind in {"open", "export"} else "audit-administrator"
        return self.warrants.approve(Reader(subject=SECOND, roles=frozenset({role})), asked.id)

    def add(self, **fields: Any) -> int:
        return self.recorder.record(event(self.clock, **fields)).index

    def add_many(self, count: int, **fields: Any) -> None:
        self.recorder.many(event(self.clock, **fields) for _ in range(count))

    def damage(self) -> None:
        for path in (self.folder / "log/tile/entries").rglob("*"):
            if path.is_file():
                path.write_bytes(path.read_bytes().replace(b"unchanged", b"unchangeD"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    clock = ManualClock()
    folder = tmp_path / "audit"
    folder.mkdir()
    (folder / INDEX_KEY).write_bytes(secrets.token_bytes(32))
    (folder / INDEX_KEY).chmod(0o600)
    with closing(SealStore.open(folder / "seals.db", upgrade=True)) as store:
        seals = Seals(store)
        create_log(folder / "log", key=KEY, seals=seals, clock=clock)
        with local_recorder(folder / "log", key=KEY, seals=seals, clock=clock) as recorder:
            yield Site(folder, Publishing(recorder), seals, clock)


def test_the_birth_of_the_log_is_the_first_hit(site: Site) -> None:
    page = site.console.search(site.reader, Query())
    assert [hit.row.type for hit in page.hits] == ["log.created"]


def test_accesses_are_found_by_name_opened_and_proven(site: Site) -> None:
    site.add_many(300, subject=LI, object="tax", sealed=LI_NAMED, policy="7")
    denied = site.add(subject=WANG, object="documents", outcome=Outcome.DENIED, sealed={"name": "Wang Fang"})
    for typed in ("Wang Fang", "wang", WANG):
        page = site.console.search(site.reader, Query(person=typed, object="documents"))
        assert [hit.row.index for hit in page.hits] == [denied]
    hidden = site.console.open(site.reader, denied)
    assert (hidden.sealed, hidden.hidden) == ({}, True)
    site.grant(f"entry:{denied}")
    opened = site.console.open(site.reader, denied)
    assert opened.sealed == {"name": "Wang Fang"}
    assert opened.evidence.size > denied
    assert opened.evidence.steps[-1].node == opened.evidence.root
    assert site.console.open(site.reader, 0).row.type == "log.created"
    assert site.console.proof(site.reader, 3).startswith("c2sp.org/tlog-proof@v1\nindex 3\n")


def test_tiles_and_bundles_are_the_stored_bytes(site: Site) -> None:
    site.add_many(260)
    site.add()
    assert site.console.tile(TileAddress(level=0, index=0)) == (site.folder / "log/tile/0/000").read_bytes()
    bundle = site.console.bundle(Reader(role="app"), TileAddress(level=0, index=0))
    assert bundle == (site.folder / "log/tile/entries/000").read_bytes()
    assert site.console.checkpoint() == (site.folder / "log/checkpoint").read_bytes()


def test_destroying_a_key_erases_names_everywhere_and_keeps_the_proof(site: Site) -> None:
    index = site.add(subject=LI, sealed=LI_NAMED)
    assert site.console.search(site.reader, Query(person="lixm")).hits
    site.seals.destroy(LI, site.clock.now())
    site.reading.index.forget(LI)
    assert not site.console.search(site.reader, Query(person="lixm")).hits
    opened = site.console.open(site.reader, index)
    assert opened.sealed is None
    assert site.reading.indexer.rebuild() > index
    assert not site.console.search(site.reader, Query(person="lixm")).hits


def test_whom_two_officers_erased_is_nowhere_and_every_proof_holds(site: Site) -> None:
    places = [site.add(subject=LI, sealed=LI_NAMED) for _ in range(3)]
    site.add(subject=WANG, sealed={"name": "Wang Fang"})
    assert site.console.search(site.reader, Query(person="lixm")).total >= 3
    keys = _keys(site.folder, LI)
    assert keys
    erasing = Erasing(
        store=site.store,
        recorder=site.recorder,
        clock=site.clock,
        destroy=site.reading.seals.destroy,
        forget=site.reading.index.forget,
        alone=site.reading.seals.lock.alone,
    )
    erasing.erase(site.reader, site.grant(f"subject:{LI}", kind="erase"))
    kept = {path: path.read_bytes() for path in site.folder.rglob("*") if path.is_file()}
    assert not [path for path, content in kept.items() for key in keys if key in content]
    assert not site.console.search(site.reader, Query(person="lixm")).hits
    # Not even with another officer's consent.
    site.grant(f"subject:{LI}")
    for place in places:
        assert site.console.open(site.reader, place).sealed is None
        assert site.console.proof(site.reader, place)
    verified = CliRunner().invoke(audit, ["verify", str(site.folder / "log"), "--key", str(KEY.vkey)])
    assert verified.exit_code == 0, verified.output
    site.reading.indexer.rebuild()
    assert not site.console.search(site.reader, Query(person="lixm")).hits
    # Others are found as before.
    assert site.console.search(site.reader, Query(person="Wang Fang")).hits


def test_nothing_is_sealed_under_a_key_while_it_is_destroyed(site: Site) -> None:
    before = site.add(subject=LI, sealed=LI_NAMED)
    places: list[int] = []
    late = threading.Thread(target=lambda: places.append(site.add(subject=LI, sealed=LI_NAMED)))
    with site.reading.seals.lock.alone():
        late.start()
        late.join(0.3)
        assert late.is_alive()
        site.reading.seals.destroy(LI, site.clock.now())
    late.join(10)
    site.grant(f"subject:{LI}")
    assert site.console.open(site.reader, before).sealed is None
    # What comes afterwards lies under a new key.
    assert site.console.open(site.reader, places[0]).sealed == LI_NAMED


def _keys(folder: Path, subject: str) -> list[bytes]:
    found: list[bytes] = []
    for path in [folder / "seals.db", *(folder / "seals").glob("*.db")]:
        with closing(sqlite3.connect(path)) as connection:
            found += [key for (key,) in connection.execute("SELECT key FROM seal_keys WHERE subject = ?", [subject])]
    return found


def test_reindexing_from_the_terminal_gives_the_same_index(site: Site) -> None:
    site.add_many(19, subject=LI, sealed=LI_NAMED)
    site.add(subject=LI, sealed=LI_NAMED, attributes={"reason": "role", "assurance": 2, "enabled": True})
    site.reading.indexer.catch_up()
    old = site.reading.index.everything()
    # Also after the file itself was thrown away.
    shutil.rmtree(site.folder / "index")
    answer = CliRunner().invoke(audit, ["reindex", str(site.folder), "--key", str(KEY.vkey)])
    assert (answer.exit_code, answer.output) == (0, "21 entries indexed\n")
    assert Reading.open(site.folder, log_key=str(KEY.vkey)).index.everything() == old


def test_an_index_without_its_key_is_not_opened(site: Site) -> None:
    (site.folder / INDEX_KEY).unlink()
    with pytest.raises(ConfigurationError):
        Reading.open(site.folder, log_key=str(KEY.vkey))


def test_a_flipped_byte_is_never_shown_and_does_not_blind_the_officer(site: Site) -> None:
    site.add(object="before")
    site.console.search(site.reader, Query())
    index = site.add(object="unchanged")
    site.damage()
    page = site.console.search(site.reader, Query(object="before"))
    assert (len(page.hits), page.lag) == (1, None)
    # The writer laid a sound copy of the newest bundle when the search was recorded.
    site.damage()
    with pytest.raises(LogDamaged):
        site.console.open(site.reader, index)
    assert site.console.search(site.reader, Query(object="unchangeD")).hits == []


def test_an_entry_beyond_the_log_is_none(site: Site) -> None:
    with pytest.raises(NoSuchEntry):
        site.console.open(site.reader, 10**15)


def test_whoever_reads_second_finds_what_the_first_one_read(site: Site) -> None:
    log = Reading.open(site.folder, log_key=str(KEY.vkey), kept=3).log
    for _ in range(5):
        site.recorder.record(event(site.clock))
    size = log.size()
    first = log.read(size - 3, 3)
    assert [entry.index for entry in first] == [size - 3, size - 2, size - 1]
    assert all(one is other for one, other in zip(log.read(size - 2, 9), first[1:], strict=True))
    # Older ones are read from the log, and take no newer one's place.
    assert [entry.index for entry in log.read(0, 2)] == [0, 1]
    assert log.read(size - 3, 1)[0] is first[0]
    site.recorder.record(event(site.clock))
    assert [entry.index for entry in log.read(size, 9)] == [size]
    # No more are kept than that, and what fell out is read again.
    again = log.read(size - 3, 1)
    assert again == first[:1]
    assert again[0] is not first[0]


def test_without_room_every_entry_is_read_from_the_log(site: Site) -> None:
    site.recorder.record(event(site.clock))
    log = site.reading.log
    assert log.read(0, 1) == log.read(0, 1)
    assert log.read(0, 1)[0] is not log.read(0, 1)[0]
