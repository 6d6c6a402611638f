# SPDX-License-Identifier: Apache-2.0
"""Whoever gets to run code inside a reading process gets nothing: each layer is attacked, together and alone."""

import os
import re
import secrets
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from signatures.config import SignatureSettings
from signatures.errors import Unconfined
from signatures.models import Profile
from signatures.sandbox import ReaderPool, frames, pool, syscalls
from tests.signatures import documents
from tests.signatures.pki import NOW, City, Leaf

_CORRUPTED = "from tests.signatures import attacks; from signatures.sandbox import child; child.serve = attacks.serve; "
_OPEN = "child.confinement.confine = lambda memory: {}; "
_ONLY_CALLS = "c = child.confinement; c._forbid_files = lambda: 0; c._leave_networks = lambda: False; "
_CLOSING = "import sys; n = int(sys.argv[1]); c.close_all_but(n + 1); __import__('os').fstat(n)"
_ONLY_FILES = "c = child.confinement; c._filter_calls = lambda: None; c._limit = lambda memory: None; "
# Python has its own words for a refused limit and a refused thread.
_REFUSALS = {"refused", "refused: not allowed to raise maximum limit", "refused: can't start new thread"}

# What any program of the role's user can do, whatever the machine.
_EASY = (
    "read the key", "read the key from the root", "learn that the key exists", "list the folder", "write a file",
    "empty a file", "remove a file", "signal the parent", "connect over the network", "connect to a role",
    "connect to an abstract name", "send a datagram", "make a pair of sockets", "fork", "spawn", "start a thread",
    "run made-up code", "make a file in memory",
)  # fmt: skip


@pytest.fixture
def targets(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A key, a folder, and three doors with somebody behind them."""
    key = tmp_path / "seal.pem"
    key.write_text("secret")
    (tmp_path / "spare").touch()
    abstract = f"tallygate-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        addresses: list[Any] = [("127.0.0.1", 0), str(tmp_path / "role.sock"), f"\0{abstract}"]
        doors = [
            stack.enter_context(socket.socket(family)) for family in (socket.AF_INET, socket.AF_UNIX, socket.AF_UNIX)
        ]
        for door, address in zip(doors, addresses, strict=True):
            door.bind(address)
            door.listen()
        yield {
            "key": str(key),
            "folder": str(tmp_path),
            "parent": str(os.getpid()),
            "port": str(doors[0].getsockname()[1]),
            "socket": str(tmp_path / "role.sock"),
            "abstract": abstract,
        }


def attack(targets: dict[str, str], change: str = "") -> tuple[dict[str, int], dict[str, str], bool]:
    """The layers that held, what became of each attack, and whether another program could be started."""
    line, theirs = socket.socketpair()
    with line, theirs:
        started = subprocess.Popen(
            [sys.executable, "-B", "-c", _CORRUPTED + change + pool.START, str(theirs.fileno()), str(1 << 30)],
            pass_fds=[theirs.fileno()],
            env={"PYTHONPATH": str(pool.ROOT), "TZ": "UTC"},
        )
        theirs.close()
        layers = frames.receive(line)[0]["layers"]
        frames.send(line, targets)
        outcome = frames.receive(line)[0]
        frames.send(line, {})
        try:
            replaced = frames.receive(line)[0] != {"exec": "refused"}
        except frames.LineBroken:
            replaced = True
        started.wait(10)
    return layers, outcome, replaced


def test_code_inside_a_reading_process_gets_nothing(targets: dict[str, str]) -> None:
    layers, outcome, replaced = attack(targets)
    assert layers["seccomp"] == 1
    assert {name: said for name, said in outcome.items() if said not in _REFUSALS} == {}
    assert not replaced
    assert Path(targets["key"]).read_text() == "secret"
    assert not (Path(targets["folder"]) / "left").exists()


def test_the_same_attacks_succeed_where_nothing_confines(targets: dict[str, str]) -> None:
    _, outcome, replaced = attack(targets, _OPEN)
    assert {name: outcome[name] for name in _EASY} == dict.fromkeys(_EASY, "got in")
    assert replaced


def test_without_landlock_and_namespaces_the_filter_alone_refuses_everything(targets: dict[str, str]) -> None:
    layers, outcome, replaced = attack(targets, _ONLY_CALLS)
    assert layers == {"seccomp": 1, "namespaces": 0, "landlock": 0}
    assert {name: said for name, said in outcome.items() if said not in _REFUSALS} == {}
    assert not replaced


def test_without_the_filter_landlock_and_namespaces_still_keep_the_site_away(targets: dict[str, str]) -> None:
    layers, outcome, _ = attack(targets, _ONLY_FILES)
    away = ["connect over the network", "connect to an abstract name"] if layers["namespaces"] else []
    if layers["landlock"]:
        away += ["read the key", "read the key from the root", "list the folder", "write a file", "remove a file"]
        away += ["read the parent's memory", "read the parent's environment", "trace the parent", "spawn"]
    assert {name: outcome[name] for name in away if outcome[name] == "got in"} == {}


def test_what_was_open_before_is_closed(tmp_path: Path) -> None:
    with (tmp_path / "key").open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-c",
             "from signatures.sandbox import confinement as c; " + _CLOSING, str(file.fileno())],
            pass_fds=[file.fileno()], env={"PYTHONPATH": str(pool.ROOT)}, capture_output=True, text=True,
        )  # fmt: skip
    assert "Bad file descriptor" in done.stderr


@pytest.mark.parametrize(
    "change",
    [
        "child.confinement.syscalls.numbers = lambda: None; ",
        "child.confinement._PR_SET_SECCOMP = 9999; ",
        "child.confinement._PR_SET_NO_NEW_PRIVS = 9999; ",
        "child.confinement._LANDLOCK_RESTRICT = 9999; ",
    ],
)
def test_a_process_that_cannot_be_locked_in_opens_no_document(
    change: str, sealed: bytes, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "START", "from signatures.sandbox import child; " + change + pool.START)
    readers = ReaderPool(SignatureSettings(readers=1))
    with pytest.raises(Unconfined):
        readers.check()
    with pytest.raises(Unconfined):
        readers.inspect(sealed, trust=city.trust(), lists=city.lists(), profile=Profile.STRICT, at=NOW)
    readers.close()


def test_locked_in_nothing_that_reading_needs_is_missing(
    readers: ReaderPool, city: City, leaf: Leaf, sealed: bytes
) -> None:
    with_form = documents.sealed(documents.permit(form=True), leaf)
    for document in (
        documents.permit(),
        sealed,
        with_form,
        documents.field_filled(with_form),
        documents.page_appended(sealed),
        documents.form_removed(sealed),
        documents.trailing_bytes(sealed),
        documents.signed_again(sealed, leaf),
        documents.one_byte_changed(sealed),
        documents.encrypted(documents.permit()),
    ):
        for profile in Profile:
            there = readers.inspect(document, trust=city.trust(), lists=city.lists(), profile=profile, at=NOW)
            here = documents.inspected(document, city, profile)
            assert there == here


class TestFilter:
    """The program itself, run by a small interpreter: also for the architecture this machine is not."""

    def test_only_the_named_calls_pass(self) -> None:
        for machine in ("x86_64", "aarch64"):
            known = syscalls.numbers(machine)
            assert known is not None
            steps = syscalls.program(known)
            passing = {number for number in range(600) if verdict(steps, known.architecture, number) == "allow"}
            assert passing == {*known.allowed.values(), *known.memory.values()}
            for number in known.memory.values():
                assert verdict(steps, known.architecture, number, third=7) == "refuse"
                assert verdict(steps, known.architecture, number, third=3) == "allow"

    def test_numbers_of_another_architecture_end_the_process(self) -> None:
        known, other = syscalls.numbers("x86_64"), syscalls.numbers("aarch64")
        assert known
        assert other
        assert verdict(syscalls.program(known), other.architecture, 0) == "kill"
        assert verdict(syscalls.program(other), known.architecture, 63) == "kill"
        assert verdict(syscalls.program(known), known.architecture, 0x40000000) == "kill"

    def test_the_numbers_are_the_kernels(self) -> None:
        # What every architecture without a history of its own uses, aarch64 among them.
        known = syscalls.numbers("aarch64")
        assert known
        header = Path("/usr/include/asm-generic/unistd.h").read_text("ascii")
        official = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header)}
        assert {**known.allowed, **known.memory}.items() <= official.items()

    def test_an_unknown_processor_has_none(self) -> None:
        assert syscalls.numbers("abacus") is None


def verdict(steps: bytes, architecture: int, number: int, *, third: int = 0) -> str:
    """What the kernel would answer: bpf(4) as far as the filter goes."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, 0, 0, third, 0, 0, 0)
    known = {0x7FFF0000: "allow", 0x00050001: "refuse", 0x80000000: "kill"}
    value, at, program = 0, 0, list(struct.iter_unpack("=HBBI", steps))
    while True:
        code, yes, no, k = program[at]
        at += 1
        if code == 0x06:
            return known[k]
        if code == 0x20:
            (value,) = struct.unpack_from("=I", data, k)
        else:
            at += yes if {0x15: value == k, 0x35: value >= k, 0x45: bool(value & k)}[code] else no
