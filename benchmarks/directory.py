# SPDX-License-Identifier: Apache-2.0
"""The directory at size: importing, looking up whoever logs in, finding names while typing, and what it takes.

A real slapd with the site's own configuration, filled offline to each size; the import is the operator's command with
journal, outbox and watch, into a real record of its own. `--brief` is for a look between other things. Writes
``docs/benchmarks-directory.md``.
"""

import argparse
import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from core.clock import SystemClock
from directory import slapd
from directory.service import Directory, Importing, open_writer
from tests.directory.world import World
from tests.fakes.audit_role import AuditRole

from . import directory_town as town
from .directory_asking import Ground, ask, ask_bare, keep
from .measure import Figure, Samples, sampled, together
from .processes import cost
from .report import Machine

_DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks-directory.md"
_SIZES = (10_000, 100_000, 1_000_000)
_IMPORTED, _IMPORTED_LATER = 100_000, 5_000
_SECONDS = 6.0
_CLIENTS = 4
_MOST_BYTES = 1 << 34
_SERVE = "import sys; from pathlib import Path; from app.serve import serve; serve('log', Path(sys.argv[1]))"


@dataclass(frozen=True)
class Import:
    """One file entered and recorded to the last outcome."""

    people: int
    seconds: float
    # Microseconds of processor time for one person, by process.
    spent: dict[str, float]
    # Mebibytes of the process that holds the role's relay and watch, at its end.
    role: int


@dataclass(frozen=True)
class Size:
    """What was measured with so many people in the directory."""

    people: int
    lookup: Figure
    bare: Figure
    many: Figure
    many_bare: Figure
    # 95 of a hundred questions, by what was typed, in milliseconds.
    typed: dict[str, float]
    imported: Import
    # Mebibytes: the whole resident set, of it what is not the mapped database, and the database on the disk.
    memory: tuple[int, int, int]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.directory")
    parser.add_argument("--people", type=int, nargs="+", help="sizes; 10000 100000 1000000 if none is given")
    parser.add_argument("--imports", type=int, default=_IMPORTED, help="people in the file at the smallest size")
    parser.add_argument("--brief", action="store_true", help="two sizes, a short file, a second for each figure")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where slapd keeps its files")
    parser.add_argument("--output", type=Path, default=_DOCUMENT, help="where the document goes")
    asked = parser.parse_args()
    people = sorted(asked.people or (_SIZES[:2] if asked.brief else _SIZES))
    imports, seconds = (min(asked.imports, 10_000), 2.0) if asked.brief else (asked.imports, _SECONDS)
    machine = Machine.here(asked.folder)
    sizes: list[Size] = []
    for count in people:
        sizes.append(_size(asked.folder, count, imports if not sizes else min(imports, _IMPORTED_LATER), seconds))
        # What is measured stays if a larger size fails.
        asked.output.write_text(_document(machine, sizes), "utf-8")
        print(f"{count:,} people measured, written to {asked.output}", flush=True)


def _size(where: Path, people: int, imports: int, seconds: float) -> Size:
    folder = Path(tempfile.mkdtemp(dir=where, prefix="tgb"))
    world = World(folder)
    try:
        world.settings = replace(world.settings, database_bytes=_MOST_BYTES)
        slapd.configure(world.settings, world.site)
        town.fill(world, people)
        world.start()
        try:
            return _measured(Ground(world.settings, world.site, people), world, imports, seconds)
        finally:
            world.stop()
    finally:
        shutil.rmtree(folder)


def _measured(ground: Ground, world: World, imports: int, seconds: float) -> Size:
    server = _server(world)
    lookup, bare = ask(ground, seconds, 1).figure(), ask_bare(ground, seconds, 1).figure()
    with ProcessPoolExecutor(_CLIENTS, mp_context=get_context("spawn")) as pool:
        many, many_bare = (
            together([each.result() for each in [pool.submit(act, ground, seconds, n) for n in range(_CLIENTS)]])
            for act in (ask, ask_bare)
        )
    typed = _typed(ground, seconds / 4)
    memory = (*_resident(server), _on_disk(slapd.places(world.site).data))
    imported = _imported(ground, world, imports)
    return Size(ground.people, lookup, bare, many, many_bare, typed, imported, memory)


def _typed(ground: Ground, seconds: float) -> dict[str, float]:
    desk = Directory.connect(ground.settings, site=ground.site, role="directory", clock=SystemClock())
    dice = random.Random(2)  # noqa: S311 - the same questions in every run

    def somebody() -> tuple[str, str]:
        one = town.person(dice.randrange(ground.people), ground.people)
        return one.username, one.name_zh

    def begins(text: str) -> str:
        return text[: dice.randrange(1, len(text) + 1)]

    def middle(text: str) -> str:
        begin = dice.randrange(1, len(text) - 3)
        return text[begin : begin + dice.randrange(3, 6)]

    kinds: dict[str, Callable[[], object]] = {
        "beginning of a user name": lambda: desk.beginning(begins(somebody()[0]), limit=8),
        "beginning of a Chinese name": lambda: desk.beginning(begins(somebody()[1]), limit=8),
        "one Chinese character anywhere": lambda: desk.people(dice.choice(somebody()[1]), limit=8),
        "three to five letters anywhere": lambda: desk.people(middle(somebody()[0]), limit=8),
        "what nobody is called": lambda: desk.people(f"{middle(somebody()[0])}qq", limit=8),
    }
    return {name: _at(sampled(act, seconds=seconds), 0.95) for name, act in kinds.items()}


def _imported(ground: Ground, world: World, count: int) -> Import:
    rows = [f"agency,,Imported office,,,,imported-office,{_code()}"]
    for number in range(count):
        one = town.person(number, count)
        kind, office = ("civil-servant", "imported-office") if number % 10 == 0 else ("citizen", "")
        rows.append(f"{kind},new.{one.username},{one.name},{one.name_zh},{one.mail},{office},,")
    file = "\n".join(["kind,username,name,name_zh,mail,organisation,id,credit_code", *rows]).encode()
    with _recording(ground) as (log, role):
        store = ground.store()
        recorder = log.context.recorder("directory")
        writer = open_writer(ground.settings, site=ground.site, store=store, recorder=recorder, clock=SystemClock())
        pids = {"command": os.getpid(), "slapd": _server(world), "role": role, "record": _pid(log)}
        before, begun = {name: cost(pid)[0] for name, pid in pids.items()}, time.monotonic()
        course = Importing(writer, waiting=store.behind, pause=time.sleep).enter(
            io.BytesIO(file), "csv", refuse=print, tell=lambda _: None
        )
        while store.behind():
            time.sleep(0.05)
        took = time.monotonic() - begun
        spent = {name: (cost(pid)[0] - before[name]) / count * 1e6 for name, pid in pids.items()}
        # The command is no child of itself, but slapd and the others are ours.
        spent["command"] -= spent["slapd"] + spent["role"] + spent["record"]
        if course.entered != count + 1:
            raise SystemExit(f"entered {course}")
        return Import(count, took, spent, _resident(role)[0])


@contextmanager
def _recording(ground: Ground) -> Iterator[tuple[AuditRole, int]]:
    """A record with a process of its own, and the role's part of the work in another."""
    log, spawn = AuditRole("bench"), get_context("spawn")
    ended = spawn.Event()
    role = spawn.Process(target=keep, args=(ground, log.configuration, ended))
    try:
        # Its own way to start asks the console until that answers, and each refusal is told.
        log.log = subprocess.Popen([sys.executable, "-c", _SERVE, str(log.configuration)])
        while not log.context.log_socket.exists():
            time.sleep(0.05)
        role.start()
        try:
            yield log, role.pid or 0
        finally:
            ended.set()
            role.join()
    finally:
        log.remove()


def _code() -> str:
    return town.organisation("imported-office", 9_999_999, agency=True).credit_code


def _pid(log: AuditRole) -> int:
    return log.log.pid if log.log else 0


def _server(world: World) -> int:
    inside = os.fsencode(world.site.state)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            # It has ended meanwhile.
            continue
        if b"slapd" in command and inside in command:
            return int(process.name)
    return 0


def _resident(process: int) -> tuple[int, int]:
    """All that is resident, and what of it is no file; in mebibytes."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text("utf-8").splitlines())
    return int(lines["VmRSS"].split()[0]) >> 10, int(lines["RssAnon"].split()[0]) >> 10


def _on_disk(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.iterdir()) >> 20


def _at(samples: Samples, part: float) -> float:
    times = sorted(samples.times)
    return 1000 * times[min(int(len(times) * part), len(times) - 1)] if times else float("nan")


def _document(machine: Machine, sizes: Sequence[Size]) -> str:
    lookups = "\n".join(
        f"| {each.people:,} | {each.lookup.p50:.2f} / {each.lookup.p99:.2f} ms | {each.lookup.rate:,.0f}/s "
        f"| {each.lookup.rate / each.bare.rate:.2f} | {each.many.p50:.2f} / {each.many.p99:.2f} ms "
        f"| {each.many.rate:,.0f}/s | {each.many.rate / each.many_bare.rate:.2f} |"
        for each in sizes
    )
    kinds = list(sizes[0].typed)
    typed = "\n".join(
        f"| {each.people:,} | " + " | ".join(f"{each.typed[kind]:.1f} ms" for kind in kinds) + " |" for each in sizes
    )
    imported = "\n".join(
        f"| {each.people:,} | {each.imported.people:,} | {each.imported.seconds:,.0f} s "
        f"| {each.imported.people / each.imported.seconds:,.0f}/s "
        f"| {', '.join(f'{name} {spent:,.0f}' for name, spent in each.imported.spent.items())} |"
        for each in sizes
    )
    memory = "\n".join(
        f"| {each.people:,} | {each.memory[2]:,} MiB | {each.memory[0]:,} MiB | {each.memory[1]:,} MiB "
        f"| {each.imported.role:,} MiB |"
        for each in sizes
    )
    return f"""# The directory at size

Measured by `python -m benchmarks.directory` at {machine.at:%Y-%m-%d %H:%M} UTC on {machine.cores} cores
({machine.model}), files on {machine.files}, load {machine.load} before and
{", ".join(f"{each:.1f}" for each in os.getloadavg())} at the end; commit {machine.commit}.

## Who logs in

Sign-on asks for one person by user name and is told who they are, the roles that follow from their posts and grants,
and for whom they act. One client, one question at a time; then {_CLIENTS} processes at once. *Beside bare* is the rate
against the same two searches by python-ldap alone, whose answers nobody reads, in the same run.

| people | p50 / p99 | one client | beside bare | {_CLIENTS} clients, p50 / p99 | {_CLIENTS} clients | beside bare |
|---:|---:|---:|---:|---:|---:|---:|
{lookups}

From {sizes[0].people:,} to {sizes[-1].people:,} people the rate of one client becomes {_ratio(sizes):.2f} times what
it was.

## Names while typing

Ninety-five of a hundred questions are answered within:

| people | {" | ".join(kinds)} |
|---:|{"---:|" * len(kinds)}
{typed}

## Importing

`tallygate directory import`, from the first line to the last outcome's receipt: looked through, compared, announced,
recorded, entered (each entry synced by slapd), seen in the server's own log, and recorded by a log with a process of
its own. Processor time is microseconds for one person.

| people there | in the file | took | rate | processor time |
|---:|---:|---:|---:|---|
{imported}

## Memory

slapd maps its database; what of it is resident is the system's page cache and goes when others need it. The role is the
process that holds writer, relay and watch, at the end of the import.

| people | database | slapd resident | of it no file | role |
|---:|---:|---:|---:|---:|
{memory}
"""


def _ratio(sizes: Sequence[Size]) -> float:
    return sizes[-1].lookup.rate / sizes[0].lookup.rate


if __name__ == "__main__":
    main()
