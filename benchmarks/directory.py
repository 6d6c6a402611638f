# SPDX-License-Identifier: Apache-2.0
"""The directory at size: importing, looking up whoever logs in, offering names while typing; and slapd's memory.

A real slapd with the site's own configuration, its files on the disk that ``--folder`` names. Everything is entered by
the one writer, with journal, outbox and record; the record is kept in memory, so that the directory is measured and not
the log. Writes ``docs/benchmarks-directory.md``.
"""

import argparse
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from directory import slapd
from directory.imports import Batch
from directory.models import Organisation, Person, PersonKind, credit_code_check
from directory.service import DirectoryWriter
from directory.service.entering import new_id
from tests.directory.world import World

from .report import Machine

_DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks-directory.md"
_BATCH = 2_500
_AGENCY = "bench-office"
_FAMILIES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏"
_LATIN = ("zhao", "qian", "sun", "li", "zhou", "wu", "zheng", "wang", "feng", "chen", "chu", "wei", "jiang", "shen")
_SEED = 8
_MOST_BYTES = 1 << 34


@dataclass(frozen=True)
class Size:
    """What was measured with so many people in the directory."""

    people: int
    imported_per_second: float
    lookups: list[float]
    offers: list[float]
    # Resident bytes of slapd.
    memory: int


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.directory")
    parser.add_argument("--people", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="sizes, rising")
    parser.add_argument("--questions", type=int, default=2_000, help="of each kind at each size")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where slapd keeps its files")
    parser.add_argument("--output", type=Path, default=_DOCUMENT, help="where the document goes")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=asked.folder, prefix="tgb"))
    machine = Machine.here(folder)
    try:
        sizes = list(_sizes(folder, sorted(asked.people), asked.questions))
    finally:
        shutil.rmtree(folder)
    asked.output.write_text(_document(machine, sizes), "utf-8")
    print(f"written to {asked.output}")


def _sizes(folder: Path, people: Sequence[int], questions: int) -> Iterator[Size]:
    world = World(folder)
    world.settings = replace(world.settings, database_bytes=_MOST_BYTES)
    slapd.places(world.site).in_force.unlink()
    slapd.configure(world.settings, world.site)
    world.start()
    try:
        writer, entered = world.writer(), 0
        # Names to be looked for, no secrets; the same in every run.
        dice = random.Random(_SEED)  # noqa: S311 - the same people in every run
        writer.enter(Batch(organisations=[(1, _agency())]), actor="")
        for wanted in people:
            begun, before = time.monotonic(), entered
            while entered < wanted:
                count = min(_BATCH, wanted - entered)
                _enter(writer, range(entered, entered + count), dice)
                # As the relay does it, or the outbox would be full.
                world.clear()
                entered += count
            rate = (entered - before) / (time.monotonic() - begun)
            yield _measured(world, entered, rate, questions, dice)
    finally:
        world.stop()


def _agency() -> Organisation:
    body = "11110000000000BENCH"[:17].replace("B", "A").replace("H", "J")
    body = body[:12] + "00001"
    return Organisation(
        id=_AGENCY, name="Bench office", name_zh="测试局", credit_code=body + credit_code_check(body), agency=True
    )


def _enter(writer: DirectoryWriter, numbers: range, dice: random.Random) -> None:
    people = []
    for number in numbers:
        latin, family = dice.choice(_LATIN), dice.choice(_FAMILIES)
        servant = number % 10 == 0
        people.append(
            Person(
                subject=new_id(),
                username=f"{latin}.n{number}",
                kind=PersonKind.CIVIL_SERVANT if servant else PersonKind.CITIZEN,
                name=f"{latin.title()} N{number}",
                name_zh=f"{family}{number}",
                mail=f"n{number}@bench.example",
                organisation=_AGENCY if servant else "",
            )
        )
    report = writer.enter(Batch(people=list(enumerate(people, 1))), actor="")
    if report.refused:
        raise SystemExit(str(report.refused[0]))


def _measured(world: World, people: int, rate: float, questions: int, dice: random.Random) -> Size:
    sso, desk = world.directory("sso"), world.directory("directory")
    found: list[str] = []
    after = ""
    while len(found) < min(people, 500):
        page = desk.people("", after=after, limit=400)
        found += [each.username for each in page.items]
        after = str(dice.randrange(1, people))

    def look_up() -> None:
        sso.person_by_username(dice.choice(found))

    def offer() -> None:
        text = f"{dice.choice(_LATIN)}.n{dice.randrange(people)}"
        desk.beginning(text[: dice.randrange(2, len(text))], limit=8)

    lookups, offers = _timed(look_up, questions), _timed(offer, questions)
    return Size(people, rate, lookups, offers, _memory(world))


def _timed(work: Callable[[], None], times: int) -> list[float]:
    """Milliseconds of each, sorted."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begun) * 1000)
    return sorted(taken)


def _memory(world: World) -> int:
    inside = os.fsencode(world.site.state)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, status = (process / "cmdline").read_bytes(), (process / "status").read_text("utf-8")
        except OSError:
            # It has ended meanwhile.
            continue
        if b"slapd" in command and inside in command:
            return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    return 0


def _document(machine: Machine, sizes: Sequence[Size]) -> str:
    rows = "\n".join(
        f"| {each.people:,} | {each.imported_per_second:,.0f}/s | {_at(each.lookups, 0.5):.2f} / "
        f"{_at(each.lookups, 0.99):.2f} ms | {1000 * len(each.lookups) / sum(each.lookups):,.0f}/s | "
        f"{_at(each.offers, 0.5):.2f} / {_at(each.offers, 0.95):.2f} ms | {each.memory / (1 << 20):,.0f} MiB |"
        for each in sizes
    )
    return f"""# The directory at size

Measured by `python -m benchmarks.directory` at {machine.at:%Y-%m-%d %H:%M} UTC on {machine.cores} cores
({machine.model}), load {" ".join(f"{each:.1f}" for each in os.getloadavg())} at the end. A real slapd, one client, one
question at a time; entering is the one writer's with journal, outbox and record, the record kept in memory.

| people | imported | login lookup p50 / p99 | one client asks | names while typing p50 / p95 | slapd resident |
|---|---|---|---|---|---|
{rows}

*Login lookup* is what sign-on asks: one person by user name with roles and mandates. *Names while typing* finds those
who begin with two characters or more, eight at most, by index.
"""


def _at(taken: Sequence[float], part: float) -> float:
    return taken[min(int(len(taken) * part), len(taken) - 1)]


if __name__ == "__main__":
    main()
