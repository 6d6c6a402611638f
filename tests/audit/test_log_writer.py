# SPDX-License-Identifier: Apache-2.0
"""The log in its owner's hands: places, keys, restarts, torn tails, failing disks."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from audit import BadEvent, Erased, Event, KeyReused, LogDamaged, LogExists, LogInUse, NoSuchEntry, RecordUnavailable
from audit.blobs import Disk
from audit.events import Retention
from audit.merkle import leaf_hash, verify_consistency, verify_inclusion
from audit.seals import Partition, SealStore
from audit.verify import verify_folder
from audit.writer import Log, Place
from audit.writer.log import MOST_PENDING
from tests.fakes.log_site import LogSite, event


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    yield site
    site.close()


@pytest.fixture
def log(site: LogSite) -> Iterator[Log]:
    log = site.open()
    yield log
    log.close()


class FailingDisk(Disk):
    """Fails at the n-th sync, and at every one after it."""

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
            raise OSError(5, "the disk is gone")
        self.left -= 1


def place(found: object) -> Place:
    assert isinstance(found, Place)
    return found


def ahead_file(site: LogSite) -> Path:
    return max((site.folder / "private" / "ahead").iterdir())


def test_entry_0_says_what_the_log_is(site: LogSite) -> None:
    entry = site.reader().entry(0)
    assert entry.event.type == "log.created"
    assert entry.event.object == "city.example/log"
    assert entry.event.attributes["vkey"] == site.vkey


def test_a_log_is_created_once(site: LogSite) -> None:
    with pytest.raises(LogExists):
        site.create()


def test_a_folder_without_a_log_is_not_opened(tmp_path: Path, site: LogSite) -> None:
    with pytest.raises(LogDamaged):
        Log.open(tmp_path / "nothing", key=site.key, seals=site.seals, clock=site.clock)


def test_two_writers_cannot_own_one_folder(site: LogSite, log: Log) -> None:
    with pytest.raises(LogInUse):
        site.open()


def test_events_get_consecutive_places_and_sequence_numbers(site: LogSite, log: Log) -> None:
    found = log.append([event(), event(source="ca"), event()])
    assert [place(p).index for p in found] == [1, 2, 3]
    log.integrate()
    assert [e.sequence for e in site.reader().entries(1, 3)] == [0, 0, 1]
    assert [e.event.source for e in site.reader().entries(1, 3)] == ["sso", "ca", "sso"]


def test_a_place_names_the_leaf_that_is_stored(site: LogSite, log: Log) -> None:
    [found] = log.append([event()])
    assert log.integrate() is not None
    assert leaf_hash(site.reader().entry_bytes(1)) == place(found).leaf
    assert log.integrate() is None


def test_the_same_event_is_one_entry_in_one_batch_across_batches_and_restarts(site: LogSite) -> None:
    one = event()
    log = site.open()
    first = log.append([one, one])
    assert first[0] == first[1]
    assert log.append([one]) == first[:1]
    log.integrate()
    assert log.append([one]) == first[:1]
    log.close()
    log = site.open()
    assert log.append([one]) == first[:1]
    assert log.size == 2
    log.close()


def test_a_key_used_for_another_event_is_refused(site: LogSite, log: Log) -> None:
    one = event()
    other = replace(one, zone="internal")
    whispered = replace(one, sealed={"name": "韩梅梅"})
    found = log.append([one, other, whispered])
    assert isinstance(found[0], Place)
    assert isinstance(found[1], KeyReused)
    assert isinstance(found[2], KeyReused)
    log.integrate()
    for wrong in (other, whispered, replace(one, sealed={})):
        assert isinstance(log.append([wrong])[0], KeyReused)
    assert log.size == 2


def test_one_bad_event_does_not_harm_its_batch(log: Log) -> None:
    # What would not fit is refused by the codec; the log itself refuses it too.
    found = log.append([event(), event(sealed={"name": "x" * 60_000}), event()])
    assert [type(p) for p in found] == [Place, BadEvent, Place]
    assert log.size == 3


def test_what_was_acknowledged_is_there_after_a_restart_without_integration(site: LogSite) -> None:
    log = site.open()
    events = [event() for _ in range(300)]
    places = [place(p) for p in log.append(events)]
    log.close()
    log = site.open()
    assert log.published == 301
    for one, found in zip(events, places, strict=True):
        entry = site.reader().entry(found.index)
        assert entry.event.key == one.key
        assert site.seals.open(entry) == {"name": "李雷"}
    log.close()


def test_a_torn_tail_that_was_never_acknowledged_is_cut_off(site: LogSite) -> None:
    log = site.open()
    log.append([event()])
    log.close()
    tail = ahead_file(site)
    whole = tail.read_bytes()
    for torn in (b"TGWA", b"\x00" * 50, whole[:20], whole[:100]):
        tail.write_bytes(whole + torn)
        log = site.open()
        assert log.size == 2
        log.close()
        assert tail.read_bytes() == whole


def test_a_broken_record_before_a_good_one_stops_the_log(site: LogSite) -> None:
    log = site.open()
    log.append([event()])
    log.append([event()])
    log.close()
    tail = ahead_file(site)
    damaged = bytearray(tail.read_bytes())
    damaged[200] ^= 1
    tail.write_bytes(damaged)
    with pytest.raises(LogDamaged):
        site.open()


def test_a_gap_in_the_write_ahead_file_stops_the_log(site: LogSite) -> None:
    log = site.open()
    log.append([event()])
    first = ahead_file(site).stat().st_size
    log.append([event()])
    log.close()
    path = ahead_file(site)
    path.write_bytes(path.read_bytes()[first:])
    with pytest.raises(LogDamaged):
        site.open()


def test_a_failed_sync_ends_the_writer_and_acknowledges_nothing(site: LogSite) -> None:
    disk = FailingDisk(1000)
    log = site.open(disk)
    disk.left = 0
    with pytest.raises(OSError, match="gone"):
        log.append([event()])
    with pytest.raises(RecordUnavailable):
        log.append([event()])
    with pytest.raises(RecordUnavailable):
        log.integrate()
    log.close()


def test_a_crash_at_any_step_loses_nothing_and_signs_no_second_history(site: LogSite) -> None:
    # Recovery and two rounds of appending and publishing, cut at every sync they make.
    step = 0
    acknowledged: list[tuple[Event, Place]] = []
    roots: dict[int, bytes] = {}
    while True:
        disk = FailingDisk(step)
        finished = False
        try:
            log = site.open(disk)
        except OSError:
            step += 1
            continue
        try:
            for _ in range(2):
                batch = [event() for _ in range(20)]
                acknowledged += zip(batch, [place(p) for p in log.append(batch)], strict=True)
                log.integrate()
            finished = True
        except OSError:
            pass
        finally:
            log.close()
        report = verify_folder(site.folder, site.vkey)
        assert roots.setdefault(report.size, report.root) == report.root
        if finished:
            break
        step += 1
    assert step > 15
    reader = site.reader()
    for one, found in acknowledged:
        assert reader.entry(found.index).event.key == one.key
    sizes = sorted(roots)
    for old, new in pairwise(sizes):
        proof = reader.consistency_proof(old, new)
        verify_consistency(old=old, new=new, old_root=roots[old], new_root=roots[new], proof=proof)


def test_a_place_that_cannot_be_read_harms_nobody_else(site: LogSite) -> None:
    log = site.open()
    log.append([one := event()])
    log.integrate()
    (site.folder / "tile/entries/000.p/2").write_bytes(b"")
    found = log.append([one, event()])
    assert [type(p) for p in found] == [RecordUnavailable, Place]
    log.close()


def test_a_backlog_is_bounded_in_bytes_too(site: LogSite, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.writer.log.MOST_PENDING_BYTES", 100_000)
    big = [event(sealed={"name": "x" * 40_000}) for _ in range(4)]
    assert [type(p) for p in log.append(big)] == [Place] * 4
    assert isinstance(log.append([event()])[0], RecordUnavailable)
    log.integrate()
    assert isinstance(log.append([event()])[0], Place)


def test_integrated_write_ahead_files_go(site: LogSite, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.writer.ahead._LARGEST", 0)
    for _ in range(3):
        log.append([event()])
        log.integrate()
    assert len(list((site.folder / "private" / "ahead").iterdir())) == 1


def test_partial_tiles_go_when_the_full_one_is_there(site: LogSite, log: Log) -> None:
    log.append([event()])
    log.integrate()
    assert (site.folder / "tile/0/000.p/2").exists()
    log.append([event() for _ in range(300)])
    log.integrate()
    assert not (site.folder / "tile/0/000.p").exists()
    assert not (site.folder / "tile/entries/000.p").exists()
    # An older size is still provable, from the full tile.
    assert site.reader().root(2)
    verify_folder(site.folder, site.vkey)


@pytest.mark.parametrize("path", ["tile/0/000.p/2", "tile/entries/000.p/2", "private/committed", "checkpoint"])
def test_a_changed_file_stops_the_log_at_its_start(site: LogSite, path: str) -> None:
    log = site.open()
    log.append([event()])
    log.integrate()
    log.close()
    raw = bytearray((site.folder / path).read_bytes())
    raw[40] ^= 1
    (site.folder / path).write_bytes(raw)
    with pytest.raises(LogDamaged):
        site.open()


def test_a_rolled_back_commit_is_noticed(site: LogSite) -> None:
    committed = site.folder / "private" / "committed"
    old = committed.read_bytes()
    log = site.open()
    log.append([event()])
    log.integrate()
    committed.write_bytes(old)
    log.append([event()])
    with pytest.raises(LogDamaged):
        log.integrate()
    log.close()
    with pytest.raises(LogDamaged):
        site.open()


def test_too_long_a_backlog_is_refused(site: LogSite, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.writer.log.MOST_PENDING", 3)
    assert MOST_PENDING > 1000
    assert [type(p) for p in log.append([event() for _ in range(4)])] == [RecordUnavailable] * 4
    assert log.size == 1
    log.append([event() for _ in range(3)])
    log.integrate()
    assert isinstance(log.append([event()])[0], Place)


def test_every_proof_of_the_reader_holds(site: LogSite, log: Log) -> None:
    log.append([event() for _ in range(299)])
    checkpoint = log.integrate()
    assert checkpoint is not None
    reader = site.reader()
    for index in (0, 1, 255, 256, 299):
        leaf = leaf_hash(reader.entry_bytes(index))
        proof = reader.inclusion_proof(index, 300)
        verify_inclusion(leaf=leaf, index=index, size=300, root=checkpoint.root, proof=proof)
    for wrong in (-1, 300):
        with pytest.raises(NoSuchEntry):
            reader.entry(wrong)
        with pytest.raises(NoSuchEntry):
            reader.inclusion_proof(wrong, 300)
    with pytest.raises(NoSuchEntry):
        reader.inclusion_proof(0, 301)
    assert [e.index for e in reader.entries(250, 20)] == list(range(250, 270))
    assert reader.entries(300, 5) == []
    assert reader.note().startswith("city.example/log\n300\n")


def test_destroying_a_key_erases_a_person_and_no_proof(site: LogSite, log: Log) -> None:
    one = event(subject="anna")
    log.append([one, event(subject="bert")])
    log.integrate()
    assert site.seals.destroy("anna", site.clock.now()) == 1
    anna, bert = site.reader().entries(1, 2)
    with pytest.raises(Erased):
        site.seals.open(anna)
    assert site.seals.open(bert) == {"name": "李雷"}
    verify_folder(site.folder, site.vkey)
    # The same event again is still the same entry, and a new one has a new key.
    assert place(log.append([one])[0]).index == 1
    log.append([event(subject="anna", sealed={"name": "Anna"})])
    log.integrate()
    assert site.seals.open(site.reader().entry(3)) == {"name": "Anna"}


def test_a_destroyed_key_leaves_no_copy_in_the_database_files(site: LogSite, log: Log) -> None:
    log.append([event(subject="anna")])
    partition = Partition.at(site.clock.now(), Retention.ACCESS)
    key = site.store.current(["anna"], partition)["anna"].key
    assert key is not None

    def copies() -> list[Path]:
        return [path for path in site.seal_keys.parent.glob("seals/*") if key in path.read_bytes()]

    assert copies()
    site.seals.destroy("anna", site.clock.now())
    assert copies() == []
    assert site.seals.destroy("anna", site.clock.now()) == 0


def test_a_sealed_part_cannot_be_moved_to_another_entry(site: LogSite, log: Log) -> None:
    log.append([event(), event()])
    log.integrate()
    first, second = site.reader().entries(1, 2)
    for forged in (
        replace(first, ciphertext=second.ciphertext),
        replace(first, ciphertext="AAAA"),
        replace(first, ciphertext="!"),
        replace(first, event=replace(first.event, subject="other")),
    ):
        with pytest.raises(LogDamaged):
            site.seals.open(forged)
    assert site.seals.open(replace(first, ciphertext="")) == {}


def test_an_entrys_secret_opens_that_entry_alone_and_is_committed_to(site: LogSite, log: Log) -> None:
    log.append([event(sealed={"name": "李雷"}), event(sealed={"name": "李雷"})])
    log.integrate()
    first, second = site.reader().entries(1, 2)
    one, other = site.seals.opening(first), site.seals.opening(second)
    assert one.key_id == other.key_id
    assert one.secret != other.secret
    key = site.store.find([one.key_id])[one.key_id].key
    assert key not in {one.secret, other.secret}
    # One ciphertext that opens to two texts: the commitment in the leaf is to one secret only.
    content = bytearray(base64.b64decode(first.ciphertext))
    content[21] ^= 1
    with pytest.raises(LogDamaged, match="changed"):
        site.seals.open(replace(first, ciphertext=base64.b64encode(bytes(content)).decode()))
    site.seals.destroy(first.event.subject, site.clock.now())
    with pytest.raises(Erased):
        site.seals.opening(second)


def test_keys_are_kept_for_their_owner_only_and_clear_text_nowhere(site: LogSite, log: Log) -> None:
    log.append([event(sealed={"name": "a very particular name"})])
    log.integrate()
    assert site.seal_keys.stat().st_mode & 0o077 == 0
    assert (site.folder / "private").stat().st_mode & 0o077 == 0
    for path in site.folder.rglob("*"):
        if path.is_file():
            assert b"a very particular name" not in path.read_bytes()


def test_when_the_keys_do_not_answer_nothing_is_written_and_the_log_goes_on(site: LogSite, log: Log) -> None:
    store = SealStore.open(site.folder / "missing" / "seals.db")
    log._seals = type(site.seals)(store)
    with pytest.raises(Exception, match="database_unavailable"):
        log.append([event(subject="new")])
    log._seals = site.seals
    assert place(log.append([event(subject="new")])[0]).index == 1


def test_time_goes_into_the_cosignature_only(site: LogSite, log: Log) -> None:
    log.append([event(at=site.clock.now() - timedelta(days=1))])
    log.integrate()
    assert site.reader().checkpoint().size == 2
