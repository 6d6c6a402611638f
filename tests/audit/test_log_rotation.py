# SPDX-License-Identifier: Apache-2.0
"""A log and its successor: the links between them, death at every step, and what followers and readers notice."""

import threading
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from audit import BadEvent, Entry, LogDamaged, NoSuchEntry, ProofRefused, RecordUnavailable
from audit.blobs import Disk, DiskBlobs
from audit.blobs.objects import ObjectBlobs
from audit.checking import FullCheck
from audit.errors import LogClosed, TooFewWitnesses
from audit.exports import PublishedSource
from audit.lineage import Past, known_logs, trust_root
from audit.merkle import LogKey, VerifierKey, verify_inclusion
from audit.merkle.hashing import leaf_hash
from audit.published import PublishedLog
from audit.reader import LogReader
from audit.rotation import Place, Rotation, demand_open
from audit.service import Witnesses
from audit.verify import verify_folder, verify_logs
from audit.witness import Policy
from audit.writer import Log
from tests.fakes.log_site import LogSite, event, wait_for
from tests.fakes.recorder import ListRecorder

NEXT = LogKey("city.example/log-2", seed=b"\x17" * 32, mldsa_seed=b"\x18" * 32)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    yield site
    site.close()


def fill(site: LogSite, size: int) -> None:
    log = site.open()
    log.append([event() for _ in range(size - log.size)])
    log.integrate()
    log.close()


def rotation(site: LogSite, disk: Disk | None = None) -> Rotation:
    root = site.folder.parent
    return Rotation(
        old=Place(folder=root / "log", key=LogSite.first_key()),
        new=Place(folder=root / "log.next", key=NEXT),
        archive=root / "logs" / "log",
        seals=site.seals,
        clock=site.clock,
        disk=disk,
    )


def succeeded(site: LogSite) -> LogSite:
    """The site with its successor as its log."""
    site.key, site.vkey = NEXT, str(NEXT.vkey)
    return site


def past(site: LogSite) -> Past:
    return Past([LogReader(site.folder.parent / "logs" / "log", str(LogSite.first_key().vkey))])


def root_of(site: LogSite) -> bytes:
    del site
    return trust_root([(LogSite.first_key(), "https://log.city.example/logs/log"), (NEXT, "https://log.city.example")])


def test_each_log_names_the_other_and_both_verify(site: LogSite) -> None:
    fill(site, 300)
    final = rotation(site).run(None)
    assert final.size == 301
    old = verify_folder(site.folder.parent / "logs" / "log", str(LogSite.first_key().vkey))
    assert (old.size, old.root) == (final.size, final.root)
    last = LogReader(site.folder.parent / "logs" / "log", str(LogSite.first_key().vkey)).entry(300).event
    assert (last.type, last.object, last.attributes["vkey"]) == ("log.closed", NEXT.origin, str(NEXT.vkey))
    assert last.attributes["mldsa44_vkey"] == str(NEXT.mldsa_vkey)
    site = succeeded(site)
    first = site.reader().entry(0).event
    assert (first.type, first.attributes["predecessor"]) == ("log.created", "city.example/log")
    assert first.attributes["predecessor_size"] == 301
    log = site.open()
    log.append([event()])
    log.integrate()
    log.close()
    # Source sequences and indices are the new log's own.
    assert site.reader().entry(1).sequence == 0
    reports = verify_logs(str(site.folder), root_of(site), site.vkey)
    assert [report.size for report in reports] == [301, 2]
    assert verify_logs(str(site.folder), root_of(site), str(LogSite.first_key().vkey)) == reports


def test_a_closed_log_takes_nothing_and_is_not_served(site: LogSite) -> None:
    final = rotation(site).run(None)
    archive = site.folder.parent / "logs" / "log"
    with pytest.raises(LogClosed):
        Log.open(archive, key=LogSite.first_key(), seals=site.seals, clock=site.clock)
    log = Log.open(archive, key=LogSite.first_key(), seals=site.seals, clock=site.clock, even_closed=True)
    assert isinstance(log.append([event()])[0], RecordUnavailable)
    assert log.size == final.size
    log.close()
    with pytest.raises(LogClosed):
        demand_open(site.folder, LogSite.first_key())
    demand_open(site.folder, NEXT)


def test_nobody_may_close_a_log_over_its_socket(site: LogSite) -> None:
    with site.served():
        for caller, kind in (("audit", "log.closed"), ("app", "log.created")):
            client = site.recorder(caller)
            with pytest.raises(BadEvent):
                client.record(event(type=kind, source="audit", subject="", sealed={}))
            client.record(event(source=caller))
            client.close()


class Mortal(Disk):
    """Dies at the n-th sync."""

    def __init__(self, after: int) -> None:
        self.left = after

    def sync(self, descriptor: int) -> None:
        self._count()
        super().sync(descriptor)

    def sync_folder(self, folder: Path) -> None:
        self._count()
        super().sync_folder(folder)

    def _count(self) -> None:
        if self.left <= 0:
            raise KeyboardInterrupt
        self.left -= 1


def test_death_at_any_step_is_mended_by_running_it_again(tmp_path: Path) -> None:
    deaths = 0
    for step in count():
        folder = tmp_path / str(step)
        folder.mkdir()
        site = LogSite(folder).create()
        fill(site, 5)
        try:
            rotation(site, Mortal(step)).run(None)
        except KeyboardInterrupt:
            deaths += 1
            # Whatever is there, the old log cannot be gone on with once its successor may exist.
            if (folder / "log.next").exists() and (folder / "log").exists():
                with pytest.raises(LogClosed):
                    site.open()
            rotation(site).run(None)
            finished = False
        else:
            finished = True
        rotation(site).run(None)
        site = succeeded(site)
        assert [report.size for report in verify_logs(str(site.folder), root_of(site), site.vkey)] == [6, 1]
        assert not (folder / "log.next").exists()
        site.close()
        if finished:
            break
    assert deaths > 15


def test_in_object_storage_each_log_has_its_own_prefix(tmp_path: Path) -> None:
    first, second = ObjectBlobs(MemoryStore()), ObjectBlobs(MemoryStore())
    site = LogSite(tmp_path, blobs=first).create()
    fill(site, 3)
    for _ in range(2):
        Rotation(
            old=Place(folder=tmp_path / "log", key=LogSite.first_key(), blobs=first),
            new=Place(folder=tmp_path / "log.next", key=NEXT, blobs=second),
            archive=tmp_path / "logs" / "log",
            seals=site.seals,
            clock=site.clock,
        ).run(None)
    site.blobs = second
    assert succeeded(site).reader().entry(0).event.attributes["predecessor_size"] == 4
    assert LogReader(first, str(LogSite.first_key().vkey)).size() == 4
    site.close()


def test_without_the_quorum_nothing_is_closed_unless_told(site: LogSite) -> None:
    policy = Policy.parse(_policy())
    with pytest.raises(TooFewWitnesses):
        rotation(site).run(Witnesses(policy=policy))
    site.open().close()
    rotation(site).run(Witnesses(policy=policy), unwitnessed=True)
    assert succeeded(site).reader().size() == 1


def _policy() -> bytes:
    key = VerifierKey("witness.example/w", 0x04, b"\x05" * 32)
    return f"witness w {key} http://127.0.0.1:1/\nquorum w\n".encode()


class Ear:
    """A follower that keeps what it heard."""

    def __init__(self, site: LogSite, start: int) -> None:
        self.heard: list[Entry] = []
        self.beats = 0
        self._feed = site.feed()
        self._thread = threading.Thread(target=self._feed.follow, args=(start, self._hear), daemon=True)
        self._thread.start()

    def _hear(self, entries: Sequence[Entry]) -> None:
        self.heard += entries
        self.beats += not entries

    def close(self) -> None:
        self._feed.close()
        self._thread.join(timeout=5)


@pytest.mark.parametrize("start", [0, 250, 299, 301])
def test_a_follower_hears_the_closed_log_to_its_end_and_then_its_successor(site: LogSite, start: int) -> None:
    fill(site, 300)
    rotation(site).run(None)
    site = succeeded(site)
    with site.served(past=past(site)):
        ear = Ear(site, start)
        wait_for(lambda: ear.beats)
        client = site.recorder()
        receipt = client.record(one := event())
        wait_for(lambda: ear.heard and ear.heard[-1].event.key == one.key)
        client.close()
        ear.close()
    # Places go on; none is left out and none comes twice.
    places = [entry.index for entry in ear.heard]
    assert places == list(range(start, 301 + receipt.index + 1))
    assert [entry.event.type for entry in ear.heard if entry.event.type.startswith("log.")][-2:] == [
        "log.created",
        "log.started",
    ]
    kinds = {entry.index: entry.event.type for entry in ear.heard}
    assert kinds.get(300, "log.closed") == "log.closed"
    assert kinds[301] == "log.created"


def test_readers_find_and_prove_entries_of_both(site: LogSite) -> None:
    fill(site, 300)
    rotation(site).run(None)
    site = succeeded(site)
    log = site.open()
    log.append([event()])
    log.integrate()
    log.close()
    view = PublishedLog(reader=site.reader(), seals=site.seals, past=past(site))
    assert view.size() == 303
    found: list[Entry] = []
    while len(found) < view.size():
        found += view.read(len(found), 128)
    assert [entry.index for entry in found] == list(range(303))
    assert [found[place].event.type for place in (0, 300, 301)] == ["log.created", "log.closed", "log.created"]
    for place, origin, own in ((7, "city.example/log", 7), (300, "city.example/log", 300), (302, NEXT.origin, 1)):
        inclusion = view.prove(place)
        assert inclusion.index == own
        assert inclusion.checkpoint.startswith(f"{origin}\n")
        size, root = view.opened_checkpoint(inclusion.checkpoint)
        leaf = leaf_hash(view.raw(place))
        verify_inclusion(leaf=leaf, index=own, size=size, root=root, proof=inclusion.path)
        # What was sealed under the old log opens still.
        assert view.unseal(found[place]) is not None
    assert view.tree_size() == 2
    assert view.tree_size("log") == 301
    assert view.checkpoint("log").startswith(b"city.example/log\n301\n")
    assert view.tile(0, 0, 256, "log") == (site.folder.parent / "logs/log/tile/0/000").read_bytes()
    assert view.bundle(1, 45, "log")
    source = PublishedSource(site.reader(), past(site))
    assert (source.size(), source.first()) == (303, 0)
    sent = [entry for start in (0, 301) for entry, _raw in source.read(start, 400)]
    assert [entry.index for entry in sent] == list(range(303))
    assert [source.address(place) for place in (300, 302)] == [("city.example/log", 300), (NEXT.origin, 1)]
    with pytest.raises(NoSuchEntry):
        view.tree_size("log-2")
    with pytest.raises(NoSuchEntry):
        view.prove(303)


def test_a_log_that_does_not_continue_the_one_before_is_found_out(site: LogSite, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = LogSite(tmp_path / "other").create()
    fill(other, 9)
    rotation(other).run(None)
    rotation(site).run(None)
    (site.folder.parent / "logs" / "log").chmod(0o755)
    (site.folder.parent / "logs" / "log").rename(tmp_path / "aside")
    (tmp_path / "other" / "logs" / "log").rename(site.folder.parent / "logs" / "log")
    with pytest.raises(LogDamaged, match="does not continue"):
        verify_logs(str(site.folder), root_of(site), str(NEXT.vkey))
    other.close()


def test_the_full_check_is_of_every_log_and_of_the_link_between_them(site: LogSite) -> None:
    fill(site, 300)
    rotation(site).run(None)
    archive, recorder = site.folder.parent / "logs" / "log", ListRecorder()
    logs = [(DiskBlobs(archive), str(LogSite.first_key().vkey)), (DiskBlobs(site.folder), str(NEXT.vkey))]
    check = FullCheck(logs, recorder=recorder, clock=site.clock)
    assert [report.size for report in check.round()] == [301, 1]
    assert recorder.events[-1].attributes == {"size": 302, "tiles": 4, "logs": 2}
    # Damage in the closed log, off every path that anybody asks for.
    damaged = archive / "tile/entries/000"
    whole = damaged.read_bytes()
    damaged.chmod(0o644)
    damaged.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    with pytest.raises(LogDamaged, match=r"city\.example/log: "):
        check.round()
    assert recorder.types()[-1] == "audit.check.failed"
    damaged.write_bytes(whole)
    check.round()
    # Each log is whole, and they do not follow each other.
    (site.folder.parent / "stranger").mkdir()
    stranger = LogSite(site.folder.parent / "stranger").create()
    with pytest.raises(LogDamaged, match="does not close the log in favour of"):
        FullCheck([logs[0], (DiskBlobs(stranger.folder), stranger.vkey)], recorder=recorder, clock=site.clock).round()
    stranger.close()


def test_a_log_closed_in_favour_of_lost_keys_is_not_closed_twice(site: LogSite) -> None:
    rotation(site).run(None)
    root = site.folder.parent
    (root / "log").rename(root / "gone")
    (root / "logs" / "log").chmod(0o755)
    (root / "logs" / "log").rename(root / "log")
    stranger = LogKey(NEXT.origin, seed=b"\x27" * 32, mldsa_seed=b"\x28" * 32)
    again = Rotation(
        old=Place(folder=root / "log", key=LogSite.first_key()),
        new=Place(folder=root / "log.next", key=stranger),
        archive=root / "logs" / "log",
        seals=site.seals,
        clock=site.clock,
    )
    with pytest.raises(LogDamaged, match="another successor"):
        again.run(None)


def test_the_trust_root_is_signed_by_every_log_and_by_nobody_else(site: LogSite) -> None:
    root = root_of(site)
    for key in (LogSite.first_key(), NEXT):
        assert [known.name for known in known_logs(root, key.vkey)] == ["city.example/log", "city.example/log-2"]
    with pytest.raises(ProofRefused):
        known_logs(root, LogKey("city.example/log", seed=b"\x01" * 32).vkey)
    with pytest.raises(ProofRefused):
        known_logs(root.replace(b"/logs/log", b"/logs/gol"), NEXT.vkey)
