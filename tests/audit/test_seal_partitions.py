# SPDX-License-Identifier: Apache-2.0
"""Keys lie in partitions of class and quarter, which are dropped whole; a hold keeps the keys it lies on."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.errors import Erased, LogDamaged
from audit.events import KINDS, Retention
from audit.models import Entry
from audit.seals import Partition, Seals, SealStore
from audit.verify import verify_folder
from tests.fakes.clock import ManualClock
from tests.fakes.log_site import LogSite, event

AUTUMN = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
WINTER = datetime(2027, 1, 1, tzinfo=UTC)
_ACCESS = Partition.at(AUTUMN, Retention.ACCESS)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path, ManualClock(AUTUMN)).create()
    yield site
    site.close()


def winter(site: LogSite) -> None:
    assert isinstance(site.clock, ManualClock)
    site.clock.advance(WINTER - site.clock.now())


def taken(site: LogSite, **fields: Any) -> Entry:
    """One event in the published log."""
    log = site.open()
    try:
        log.append([event(site.clock, **fields)])
        log.integrate()
    finally:
        log.close()
    reader = site.reader()
    return reader.entry(reader.size() - 1)


@pytest.mark.parametrize("retention", list(Retention))
@pytest.mark.parametrize(
    ("at", "quarter"),
    [
        (datetime(2000, 1, 1, tzinfo=UTC), "2000Q1"),
        (datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "2026Q4"),
        (datetime(2027, 1, 1, tzinfo=UTC), "2027Q1"),
        (datetime(2199, 12, 31, tzinfo=UTC), "2199Q4"),
    ],
)
def test_a_partition_has_one_name_and_its_keys_name_it(at: datetime, quarter: str, retention: Retention) -> None:
    partition = Partition.at(at, retention)
    assert partition.name == f"{retention.value}-{quarter}"
    assert Partition.named(partition.name) == partition == Partition.of(partition.new_id())
    assert partition.begins <= at < partition.ends == partition.next.begins


@pytest.mark.parametrize(
    "name",
    [
        "",
        "access",
        "trust-2026Q5",
        "access-2026q4",
        "other-2026Q4",
        "access-02026Q4",
        "access-1999Q4",
        "trust-²026Q1",
    ],
)
def test_what_is_no_name_names_no_partition(name: str) -> None:
    assert Partition.named(name) is None


def test_one_person_has_a_key_for_each_class_and_quarter(site: LogSite) -> None:
    taken(site)
    taken(site)
    taken(site, type="directory.person.changed", source="directory")
    winter(site)
    taken(site)
    names = [partition.name for partition in site.store.partitions()]
    assert names == ["access-2026Q4", "identity-2026Q4", "access-2027Q1"]
    assert [site.store.count(partition) for partition in site.store.partitions()] == [1, 1, 1]


def test_a_partition_that_cannot_be_looked_at_is_not_taken_for_one_that_is_gone(site: LogSite, tmp_path: Path) -> None:
    taken(site)
    [path] = (tmp_path / "seals").glob("*.db")
    kept = path.rename(path.with_suffix(".away"))
    # A link to itself: the system says neither that there is a file nor that there is none.
    path.symlink_to(path.name)
    with pytest.raises(OSError, match="symbolic links"):
        site.store.current(["3b0e"], _ACCESS)
    assert path.is_symlink()
    path.unlink()
    kept.rename(path)
    assert site.store.current(["3b0e"], _ACCESS).keys() == {"3b0e"}


def test_dropping_a_partition_closes_its_parts_for_good_and_no_proof(site: LogSite, tmp_path: Path) -> None:
    login, change = taken(site), taken(site, type="directory.person.changed", source="directory")
    key = site.store.current(["3b0e"], _ACCESS)["3b0e"].key
    assert key is not None
    winter(site)
    later = taken(site)
    # Another process has it open, as the console has.
    other = SealStore.open(tmp_path / "seals.db")
    assert Seals(other).open(login) == {"name": "李雷"}
    assert site.store.drop(_ACCESS, held=lambda _subject: False, at=site.clock.now()) == 0
    for seals in (site.seals, Seals(other)):
        with pytest.raises(Erased):
            seals.open(login)
        assert seals.open(change) == seals.open(later) == {"name": "李雷"}
    other.close()
    verify_folder(site.folder, site.vkey)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and key in path.read_bytes()]
    assert [name for name, _at in site.store.dropped()] == ["access-2026Q4"]


def test_a_lost_partition_is_damage_and_not_an_erasure(site: LogSite, tmp_path: Path) -> None:
    login = taken(site)
    site.store.close()
    for path in (tmp_path / "seals").iterdir():
        path.unlink()
    with pytest.raises(LogDamaged, match="unknown"):
        site.seals.open(login)


def test_a_hold_keeps_a_persons_keys_when_their_partition_goes(site: LogSite) -> None:
    anna, bert = taken(site, subject="anna"), taken(site, subject="bert")
    assert site.store.drop(_ACCESS, held=lambda subject: subject == "anna", at=site.clock.now()) == 1
    assert site.seals.open(anna) == {"name": "李雷"}
    with pytest.raises(Erased):
        site.seals.open(bert)
    # While the hold lies on her nothing is released; when it is lifted, the key goes.
    assert site.store.release(lambda subject: subject == "anna") == 0
    assert site.seals.open(anna) == {"name": "李雷"}
    assert site.store.release(lambda _subject: False) == 1
    with pytest.raises(Erased):
        site.seals.open(anna)


def test_erasing_a_person_reaches_every_partition_and_the_kept_keys(site: LogSite, tmp_path: Path) -> None:
    first = taken(site, subject="anna")
    second = taken(site, subject="anna", type="directory.person.changed", source="directory")
    site.store.drop(_ACCESS, held=lambda _subject: True, at=site.clock.now())
    winter(site)
    third = taken(site, subject="anna")
    assert site.seals.destroy("anna", site.clock.now()) == 3
    for entry in (first, second, third):
        with pytest.raises(Erased):
            site.seals.open(entry)
    assert site.seals.destroy("anna", site.clock.now()) == 0


def test_a_clock_that_goes_back_never_seals_into_what_was_dropped(site: LogSite) -> None:
    taken(site)
    site.store.drop(_ACCESS, held=lambda _subject: False, at=site.clock.now())
    entry = taken(site)
    assert site.seals.open(entry) == {"name": "李雷"}
    assert [partition.name for partition in site.store.partitions()] == ["access-2027Q1"]


@pytest.mark.parametrize("step", range(3))
def test_a_drop_that_was_cut_off_is_finished(
    site: LogSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    held, lost = taken(site, subject="anna"), taken(site, subject="bert")
    key = site.store.current(["bert"], _ACCESS)["bert"].key
    assert key is not None
    names = ["PartitionFiles.drop", "PartitionFiles.finish", "_overwrite"]

    def killed(*_given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(f"audit.seals.files.{names[step]}", killed)
        with pytest.raises(KeyboardInterrupt):
            site.store.drop(_ACCESS, held=lambda subject: subject == "anna", at=site.clock.now())
    site.store.finish()
    assert site.seals.open(held) == {"name": "李雷"}
    with pytest.raises(Erased):
        site.seals.open(lost)
    assert not [path for path in (tmp_path / "seals").iterdir() if path.is_file() and key in path.read_bytes()]


def test_partitions_are_their_owners_only(site: LogSite, tmp_path: Path) -> None:
    taken(site)
    assert (tmp_path / "seals").stat().st_mode & 0o077 == 0
    assert (tmp_path / "seals" / "access-2026Q4.db").stat().st_mode & 0o077 == 0


def test_every_class_is_one_the_keys_know() -> None:
    for kind in KINDS.values():
        assert Partition.of(Partition.at(AUTUMN + timedelta(days=1), kind.retention).new_id()) is not None
