# SPDX-License-Identifier: Apache-2.0
"""The full check finds every flipped byte and names the first bad entry; offline, in a folder and over HTTP."""

import random
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit import LogDamaged
from audit.cli import audit
from audit.merkle import Checkpoint, Edge
from audit.merkle.tiles import pack, unpack
from audit.models_codec import decode_entry, encode_entry
from audit.verify import verify_folder, verify_url
from core.errors import Unavailable
from tests.fakes.log_site import LogSite, event

SIZE = 600


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LogSite, str]]:
    site = LogSite(tmp_path_factory.mktemp("whole")).create()
    log = site.open()
    log.append([event() for _ in range(99)])
    log.integrate()
    older = log.note
    log.append([event() for _ in range(SIZE - 100)])
    log.integrate()
    log.close()
    yield site, older
    site.close()


@pytest.fixture
def copy(whole: tuple[LogSite, str], tmp_path: Path) -> Path:
    """Only what the public may see."""
    folder = tmp_path / "state" / "audit" / "log"
    for path in whole[0].folder.rglob("*"):
        if path.is_file() and "private" not in path.parts:
            target = folder / path.relative_to(whole[0].folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return folder


def flip(path: Path, position: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[position] ^= 1
    path.write_bytes(raw)


def bad_entry(folder: Path, vkey: str) -> int:
    with pytest.raises(LogDamaged) as caught:
        verify_folder(folder, vkey)
    return int(caught.value.parameters["index"])


def test_a_whole_log_verifies(whole: tuple[LogSite, str], copy: Path) -> None:
    site, older = whole
    report = verify_folder(copy, site.vkey, older=older)
    assert (report.origin, report.size, report.tiles, report.bundles) == ("city.example/log", SIZE, 4, 3)
    assert report.root == site.reader().checkpoint().root


@pytest.mark.parametrize("index", [0, 1, 255, 256, 511, 512, 599])
def test_a_flipped_byte_of_an_entry_names_the_entry(whole: tuple[LogSite, str], copy: Path, index: int) -> None:
    bundle = copy / f"tile/entries/{index // 256:03}{'.p/88' if index >= 512 else ''}"
    entries = unpack(bundle.read_bytes())
    flip(bundle, len(pack(entries[: index % 256])) + 2 + 30)
    assert bad_entry(copy, whole[0].vkey) == index


@pytest.mark.parametrize("index", [0, 255, 256, 599])
def test_a_flipped_byte_of_a_leaf_hash_names_the_entry(whole: tuple[LogSite, str], copy: Path, index: int) -> None:
    flip(copy / f"tile/0/{index // 256:03}{'.p/88' if index >= 512 else ''}", index % 256 * 32 + 5)
    assert bad_entry(copy, whole[0].vkey) == index


def test_a_flipped_byte_of_an_upper_tile_names_the_first_entry_below(whole: tuple[LogSite, str], copy: Path) -> None:
    flip(copy / "tile/1/000.p/2", 40)
    assert bad_entry(copy, whole[0].vkey) == 256


def test_any_flipped_byte_anywhere_is_found(whole: tuple[LogSite, str], copy: Path) -> None:
    random_places = random.Random(2)  # noqa: S311 - chooses where to break things, not a secret
    needed = ["checkpoint", "tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"]
    needed += ["tile/entries/000", "tile/entries/001", "tile/entries/002.p/88"]
    for name in needed:
        path = copy / name
        good = path.read_bytes()
        for _ in range(4):
            # The checkpoint's second signature is not this check's: only its first lines are.
            most = min(len(good), 190) if name == "checkpoint" else len(good)
            flip(path, random_places.randrange(most))
            bad_entry(copy, whole[0].vkey)
            path.write_bytes(good)
    verify_folder(copy, whole[0].vkey)


@pytest.mark.parametrize(
    ("name", "index"),
    [("checkpoint", 0), ("tile/entries/001", 256), ("tile/0/002.p/88", 512), ("tile/1/000.p/2", 0)],
)
def test_a_missing_file_is_found(whole: tuple[LogSite, str], copy: Path, name: str, index: int) -> None:
    (copy / name).unlink()
    assert bad_entry(copy, whole[0].vkey) == index


@pytest.mark.parametrize("cut", [1, 300, 100_000])
def test_a_cut_bundle_names_the_first_entry_that_is_gone(whole: tuple[LogSite, str], copy: Path, cut: int) -> None:
    bundle = copy / "tile/entries/001"
    raw = bundle.read_bytes()
    entries = unpack(raw)
    bundle.write_bytes(raw[: max(0, len(raw) - cut)])
    kept = next(n for n in range(256) if len(pack(entries[: n + 1])) > len(raw) - cut)
    assert bad_entry(copy, whole[0].vkey) == 256 + kept


def test_a_log_that_forgot_what_it_signed_is_found(whole: tuple[LogSite, str], copy: Path) -> None:
    site, _ = whole
    fork = Checkpoint(site.key.origin, 50, Edge().extend([b"x"] * 50)[0].root()).sign(site.key, site.clock.now())
    with pytest.raises(LogDamaged) as caught:
        verify_folder(copy, site.vkey, older=fork)
    assert caught.value.parameters["index"] == 49
    longer = Checkpoint(site.key.origin, SIZE + 1, b"\x00" * 32).sign(site.key, site.clock.now())
    with pytest.raises(LogDamaged):
        verify_folder(copy, site.vkey, older=longer)
    with pytest.raises(LogDamaged):
        verify_folder(copy, site.vkey, older="not a note")


def test_a_consistent_forgery_without_the_key_is_found(whole: tuple[LogSite, str], copy: Path) -> None:
    entries = [
        entry
        for bundle in sorted(copy.glob("tile/entries/*"))
        if bundle.is_file()
        for entry in unpack(bundle.read_bytes())
    ]
    entries += unpack((copy / "tile/entries/002.p/88").read_bytes())
    entries[300] = entries[300].replace(b'"success"', b'"failure"')
    for name, content in Edge().extend(entries)[1].items():
        (copy / name).write_bytes(content)
    bad_entry(copy, whole[0].vkey)


@pytest.mark.parametrize("change", [b"{}", b'{"metadata":1}'])
def test_a_signed_log_with_an_entry_that_is_none_is_found(
    whole: tuple[LogSite, str], tmp_path: Path, change: bytes
) -> None:
    site, _ = whole
    signed(site, tmp_path, [site.reader().entry_bytes(0), change])
    assert bad_entry(tmp_path, site.vkey) == 1


def test_a_signed_log_with_a_gap_in_a_source_is_found(whole: tuple[LogSite, str], tmp_path: Path) -> None:
    site, _ = whole
    entry = decode_entry(1, site.reader().entry_bytes(1))
    skipped = encode_entry(entry.event, sequence=entry.sequence + 1, ciphertext=entry.ciphertext)
    signed(site, tmp_path, [site.reader().entry_bytes(0), skipped])
    assert bad_entry(tmp_path, site.vkey) == 1


def signed(site: LogSite, folder: Path, entries: list[bytes]) -> None:
    """What a log that holds the key but not the rules would publish."""
    edge, files = Edge().extend(entries)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "checkpoint").write_text(
        Checkpoint(site.key.origin, edge.size, edge.root()).sign(site.key, site.clock.now())
    )


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


@pytest.fixture
def url(copy: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(copy)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_log_verifies_over_http(whole: tuple[LogSite, str], copy: Path, url: str) -> None:
    assert verify_url(url + "/", whole[0].vkey).size == SIZE
    flip(copy / "tile/entries/001", 40)
    with pytest.raises(LogDamaged):
        verify_url(url, whole[0].vkey)
    # Whoever does not get the entries can still check the tree.
    assert verify_url(url, whole[0].vkey, hashes_only=True).bundles == 0


def test_a_log_that_does_not_answer_is_not_called_damaged(whole: tuple[LogSite, str]) -> None:
    with pytest.raises(Unavailable):
        verify_url("http://127.0.0.1:1", whole[0].vkey)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(audit, ["verify", *arguments])
    return result.exit_code, result.output


def test_the_command_finds_the_key_beside_the_state(whole: tuple[LogSite, str], copy: Path) -> None:
    assert run(str(copy))[0] == 2
    public = copy.parent.parent / "public"
    public.mkdir()
    (public / "log.vkey").write_text(whole[0].vkey + "\n")
    code, said = run(str(copy))
    assert code == 0
    assert "600 entries" in said


def test_the_command_names_the_bad_entry_and_exits_1(whole: tuple[LogSite, str], copy: Path, url: str) -> None:
    flip(copy / "tile/0/001", 7 * 32)
    for where in (str(copy), url):
        code, said = run(where, "--key", whole[0].vkey)
        assert code == 1
        assert "BAD: entry 263:" in said


def test_the_command_takes_an_older_checkpoint(whole: tuple[LogSite, str], copy: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text(whole[1])
    assert run(str(copy), "--key", whole[0].vkey, "--older", str(kept))[0] == 0


def test_what_cannot_be_checked_exits_2(whole: tuple[LogSite, str], copy: Path, url: str) -> None:
    assert run(url)[0] == 2
    assert run("http://127.0.0.1:1", "--key", whole[0].vkey)[0] == 2
    assert run(str(copy), "--key", "nonsense")[0] == 2
