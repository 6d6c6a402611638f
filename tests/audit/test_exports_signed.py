# SPDX-License-Identifier: Apache-2.0
"""Signed exports prove themselves and their chain; nothing can be changed, left out, doubled or half written."""

import hashlib
import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from audit.exports import ExportBroken, ExportStore, SignedExports, verify_chain, verify_export
from audit.merkle import LogKey
from tests.fakes.clock import ManualClock
from tests.fakes.log_site import LogSite, event
from tests.fakes.recorder import ListRecorder

_PART = ("manifest", "checkpoint", "previous", "consistency", "edge", "entries.jsonl")


class Maker:
    """A log, and its signed exports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.site = LogSite(folder, self.clock).create()
        self.store = ExportStore.open(folder / "exports.db")
        self.recorder = ListRecorder()

    def fill(self, count: int) -> None:
        log = self.site.open()
        with closing(log):
            log.append([event(self.clock) for _ in range(count)])
            log.integrate()

    def exports(self, folder: str = "exports") -> SignedExports:
        return SignedExports(
            self.folder / folder,
            reader=self.site.reader(),
            key=self.site.key,
            store=self.store,
            recorder=self.recorder,
            clock=self.clock,
        )

    def made(self, count: int) -> Path:
        self.fill(count)
        made = self.exports().make()
        assert made is not None
        return self.folder / "exports" / made.name

    def close(self) -> None:
        self.store.close()
        self.site.close()


@pytest.fixture
def maker(tmp_path: Path) -> Iterator[Maker]:
    made = Maker(tmp_path)
    yield made
    made.close()


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """The same file with parts changed or, where ``change`` says None, left out."""
    other = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return other


def test_each_export_continues_the_one_before(maker: Maker) -> None:
    paths = [maker.made(count) for count in (1, 700, 5, 300)]
    assert [path.name for path in paths] == [
        "city.example_log-000000000000-000000000001.zip",
        "city.example_log-000000000002-000000000701.zip",
        "city.example_log-000000000702-000000000706.zip",
        "city.example_log-000000000707-000000001006.zip",
    ]
    manifests = verify_chain(list(reversed(paths)), maker.site.key.vkey)
    assert [(each.first, each.last) for each in manifests] == [(0, 1), (2, 701), (702, 706), (707, 1006)]
    # What it holds are the very bytes that were hashed.
    with zipfile.ZipFile(paths[1]) as archive:
        lines = archive.read("entries.jsonl").splitlines()
    assert lines == maker.site.reader().entries_bytes(2, 700)
    assert maker.recorder.types() == ["audit.export.signed"] * 4
    assert maker.recorder.events[1].attributes["first"] == 2
    assert maker.exports().make() is None


def test_the_same_entries_make_the_same_bytes(maker: Maker) -> None:
    path = maker.made(300)
    other = Maker.__new__(Maker)
    other.__dict__ |= maker.__dict__ | {"store": ExportStore.open(maker.folder / "other.db")}
    made = other.exports("other").make()
    assert made is not None
    assert (maker.folder / "other" / made.name).read_bytes() == path.read_bytes()
    other.store.close()


@pytest.mark.parametrize("name", _PART)
def test_a_changed_or_missing_part_is_found(maker: Maker, name: str) -> None:
    maker.made(300)
    path = maker.made(300)
    flipped = rewritten(
        path,
        lambda part, raw: bytes([*raw[:40], raw[40] ^ 1, *raw[41:]]) if part == name else raw,
    )
    for broken in (flipped, rewritten(path, lambda part, raw: None if part == name else raw)):
        with pytest.raises(ExportBroken):
            verify_export(broken, maker.site.key.vkey)
    verify_export(rewritten(path, lambda _part, raw: raw), maker.site.key.vkey)


def test_an_entry_added_removed_or_exchanged_is_found(maker: Maker) -> None:
    path = maker.made(20)

    def changed(edit: Callable[[list[bytes]], list[bytes]]) -> Path:
        def change(part: str, raw: bytes) -> bytes:
            return b"".join(edit(raw.splitlines(keepends=True))) if part == "entries.jsonl" else raw

        return rewritten(path, change)

    for edit in (
        lambda lines: [*lines, lines[-1]],
        lambda lines: lines[:-1],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [*lines[:-1], lines[-1][:-1]],
    ):
        with pytest.raises(ExportBroken):
            verify_export(changed(edit), maker.site.key.vkey)


def test_whoever_holds_another_key_can_make_nothing_that_holds(maker: Maker) -> None:
    path = maker.made(20)
    stranger = LogKey("city.example/log", seed=b"\x55" * 32)
    with pytest.raises(ExportBroken, match="manifest"):
        verify_export(path, stranger.vkey)


def test_gaps_overlaps_and_another_past_are_found(maker: Maker) -> None:
    first, second, third = (maker.made(10) for _ in range(3))
    key = maker.site.key.vkey
    with pytest.raises(ExportBroken, match="entries 11 to 20 are missing"):
        verify_chain([first, third], key)
    with pytest.raises(ExportBroken, match="twice"):
        verify_chain([first, second, second], key)
    # Another series over the same log, with other cuts.
    maker.store.close()
    maker.store = ExportStore.open(maker.folder / "again.db")
    made = maker.exports("again").make()
    assert made is not None
    whole = maker.folder / "again" / made.name
    with pytest.raises(ExportBroken, match="twice"):
        verify_chain([whole, second], key)
    after = maker.made(3)
    with pytest.raises(ExportBroken, match="continues another one"):
        verify_chain([third, after], key)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no zip at all" * 100])
def test_what_is_no_export_is_refused_in_words(maker: Maker, content: bytes) -> None:
    path = maker.folder / "x.zip"
    path.write_bytes(content)
    with pytest.raises(ExportBroken):
        verify_export(path, maker.site.key.vkey)


def test_a_bomb_is_not_unpacked(maker: Maker) -> None:
    path = maker.made(3)
    bomb = rewritten(path, lambda part, raw: b"\n" * (64 << 20) if part == "edge" else raw)
    with pytest.raises(ExportBroken, match="too long"):
        verify_export(bomb, maker.site.key.vkey)


def test_a_whole_file_of_a_process_that_died_is_taken_up(maker: Maker) -> None:
    maker.fill(5)
    maker.recorder.down = True
    with pytest.raises(Exception, match="record_unavailable"):
        maker.exports().make()
    [path] = (maker.folder / "exports").iterdir()
    digest = hashlib.sha256(path.read_bytes()).digest()
    maker.recorder.down = False
    maker.fill(5)
    made = maker.exports().make()
    assert made is not None
    assert (made.name, made.last) == (path.name, 5)
    assert hashlib.sha256(path.read_bytes()).digest() == digest
    following = maker.exports().make()
    assert following is not None
    assert (following.first, following.last) == (6, 10)


_KILLED = """
import json, sys
from pathlib import Path
from audit.exports import ExportStore, SignedExports
from tests.fakes.clock import ManualClock
from tests.fakes.log_site import LogSite
from tests.fakes.recorder import ListRecorder
folder = Path(sys.argv[1])
site = LogSite(folder, ManualClock())
made = SignedExports(folder / "exports", reader=site.reader(), key=site.key,
    store=ExportStore.open(folder / "exports.db"), recorder=ListRecorder(), clock=ManualClock())
print("begun", flush=True)
while True:
    made.make()
"""


@pytest.mark.parametrize("wait", [0.0, 0.02, 0.1, 0.25])
def test_killed_anywhere_there_is_no_half_file(maker: Maker, wait: float) -> None:
    maker.fill(4000)
    process: subprocess.Popen[bytes]
    with subprocess.Popen([sys.executable, "-c", _KILLED, str(maker.folder)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
    maker.fill(1)
    while maker.exports().make() is not None:
        pass
    paths = sorted((maker.folder / "exports").glob("city*.zip"))
    manifests: list[Any] = verify_chain(paths, maker.site.key.vkey)
    assert manifests[0].first == 0
    assert manifests[-1].last == 4001
    assert not list((maker.folder / "exports").glob(".new-*")) or wait == 0 or len(paths) == 1


def test_a_draft_that_is_whole_is_no_export_under_its_name(maker: Maker) -> None:
    maker.fill(10)
    made = maker.exports().make()
    assert made is not None
    # As if the process had died before it gave the file its name, and before it kept anything.
    (maker.folder / "exports" / made.name).rename(maker.folder / "exports" / f".new-{made.name}")
    maker.store = ExportStore.open(maker.folder / "nothing-kept.db")
    again = maker.exports().make()
    assert again is not None
    assert again.name == made.name
    assert [path.name for path in (maker.folder / "exports").glob("*.zip")] == [made.name]


def test_entries_with_every_kind_of_text_survive_the_way(maker: Maker) -> None:
    log = maker.site.open()
    with closing(log):
        log.append([event(maker.clock, attributes={"reason": "a\nb\u2028c\x85d\r\n王"})])
        log.integrate()
    path = maker.made(1)
    verify_export(path, maker.site.key.vkey)
    with zipfile.ZipFile(path) as archive:
        lines = archive.read("entries.jsonl").split(b"\n")
    assert json.loads(lines[1])["unmapped"]["attributes"]["reason"] == "a\nb\u2028c\x85d\r\n王"
