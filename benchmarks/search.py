# SPDX-License-Identifier: Apache-2.0
"""Searches of officers over an index of many entries: how fast it is built, how large it is, how long answers take.

``python -m benchmarks.search --entries 10000000`` fills an index through the indexer's own store with the accesses of a
small city, ten million a year: a few portals have most of them, ten thousand people have names that repeat, names,
addresses and paths lie in sealed parts. The log itself is left out: what is measured is the index. Nothing is kept.

Each question is asked as the console asks it: the newest fifty hits, their count to ten thousand, the facets and the
bars over time, with other values each time. Before the questions, the files are dropped from the machine's cache as
far as an ordinary user can (``posix_fadvise``).
"""

import argparse
import math
import multiprocessing
import os
import random
import re
import shutil
import sqlite3
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from audit.models import Outcome
from audit.search import Indexed, NameTokens, Query, Row, Vocabulary, parse
from audit.search.terms import clear_marks, combined, mark
from audit.search.words import told
from audit.store import IndexStore, schema
from audit.store.facts import KIND_BITS, Facts
from audit.store.part import Part

_KEY = b"k" * 32
_BATCH = 4096
_BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
_PACE = 3200
"""Milliseconds from entry to entry: 27,000 a day, ten million a year."""
_WEEK = 7 * 27_000
_WEEKS = 5
"""In one part of a large index."""
_PEOPLE = 10_000
_DENIED = 0.05
_CONSTANT = " ".join(
    {word: None for value in ("GET", "session", "citizen-portal zone-external") for word in clear_marks(value)}
)
_FAMILY = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀霞平刚"
_LATIN = ("wang", "li", "zhang", "liu", "chen", "yang", "huang", "zhao", "wu", "zhou")
_FIRST = ("wei", "fang", "na", "min", "jing", "li", "qiang", "lei", "jun", "yang", "yong", "yan")
_PORTALS = tuple(f"portal-{number}" for number in range(40))
_ORGANISATIONS = tuple(f"org-{number}" for number in range(60))
_PATHS = ("declarations", "certificates", "documents", "profile", "payments", "permits", "requests", "archive")
_KINDS = (
    ("gateway.decision", 0.62), ("sso.login", 0.06), ("sso.login.attempted", 0.06), ("sso.token.issued", 0.09),
    ("sso.code.issued", 0.05), ("sso.session.ended", 0.04), ("sso.userinfo", 0.04), ("ca.certificate.issued", 0.01),
    ("signature.made", 0.01), ("directory.person.changed", 0.01), ("audit.searched", 0.01),
)  # fmt: skip
_ZONES = ("external", "external", "external", "internal", "internal", "internet", "internet", "management")
_REASONS = ("role", "zone", "assurance", "login", "clearance", "default")


class City:
    """Entries of a city; the same each time."""

    def __init__(self, entries: int) -> None:
        self.entries = entries
        self.names = NameTokens(_KEY)
        self.until = _BEGIN + timedelta(milliseconds=entries * _PACE)
        self._people: dict[int, tuple[str, frozenset[bytes]]] = {}
        self._paths: dict[str, str] = {}

    def person(self, number: int) -> tuple[str, str, str]:
        """Identifier, name and Chinese name."""
        family, given = _FAMILY[number % 20], (number // 20) % 400
        latin = f"{_LATIN[number % 10].title()} {_FIRST[(number // 10) % 12].title()}{_FIRST[(number // 120) % 12]}"
        chinese = family + _GIVEN[given // 20] + _GIVEN[given % 20]
        return f"{number:08x}-0000-4000-8000-{number:012x}", latin, chinese

    def session(self, chance: random.Random) -> str:
        """One of the city's sessions, in whichever week."""
        weeks = max(1, self.entries // _WEEK)
        week = chance.randrange(weeks)
        own = f"-{week // _WEEKS}-{week % _WEEKS}" if weeks > 1 else ""
        number, nth = int(_PEOPLE * chance.random() ** 2), chance.randrange(min(self.entries, _WEEK) // 100_000 + 1)
        return f"{number:08x}{nth:024x}{own}"

    def batch(self, start: int, end: int) -> list[Indexed]:
        """Consecutive entries as the indexer gives them to the store."""
        chance = random.Random(start)  # noqa: S311 - a measurement
        kinds = chance.choices([name for name, _ in _KINDS], [weight for _, weight in _KINDS], k=end - start)
        return [self._indexed(place, kind, chance) for place, kind in enumerate(kinds, start)]

    def _indexed(self, place: int, kind: str, chance: random.Random) -> Indexed:
        number = int(_PEOPLE * chance.random() ** 2)
        denied = kind in ("gateway.decision", "sso.login") and chance.random() < _DENIED
        to_zone, reason = chance.choice(_ZONES), chance.choice(_REASONS) if denied else "allowed"
        row = Row(
            index=place,
            at=_BEGIN + timedelta(milliseconds=place * _PACE),
            type=kind,
            outcome=Outcome.DENIED if denied else Outcome.SUCCESS,
            source=kind.split(".", 1)[0],
            zone=chance.choice(_ZONES),
            subject=f"{number:08x}-0000-4000-8000-{number:012x}",
            actor="",
            object=_PORTALS[int(40 * chance.random() ** 3)],
            organisation=_ORGANISATIONS[number % 60],
            session=f"{number:08x}{place // (_PEOPLE * 10):024x}",
            decision=f"{chance.getrandbits(128):032x}",
            policy=str(1 + place // 500_000),
            attributes={"reason": reason, "assurance": 1 + number % 3, "method": "GET", "credential": "session",
                        "to_zone": to_zone, "policies": "citizen-portal zone-external"},
        )  # fmt: skip
        path = f"/{chance.choice(_PATHS)}/{int(200_000 * chance.random() ** 4)}?year={2020 + place % 6}"
        words, names = self._known(number)
        return Indexed(row=row, marks=_marks(row), sealed=f"{words} {self._path(path)}", names=names)

    def _known(self, number: int) -> tuple[str, frozenset[bytes]]:
        if number not in self._people:
            _, name, name_zh = self.person(number)
            sealed = {"name": name, "name_zh": name_zh, "address": f"10.{number % 250}.{number // 250}.7"}
            self._people[number] = self.names.words.sealed(sealed), self.names.tokens(sealed)
        return self._people[number]

    def _path(self, path: str) -> str:
        if path not in self._paths:
            self._paths = {} if len(self._paths) > 50_000 else self._paths
            self._paths[path] = self.names.words.sealed({"path": path})
        return self._paths[path]


def _marks(row: Row, *, alone: bool = True) -> str:
    """What ``Words`` makes of such a row, put together from what repeats; not ``alone``: without what never does."""
    own = (mark("session", row.session), mark("decision", row.decision)) if alone else ()
    return " ".join((
        *own,
        _mark("type", row.type), _mark("outcome", row.outcome.value), _mark("zone", row.zone),
        _mark("to_zone", row.to_zone), _both("zone", row.zone, "to_zone", row.to_zone),
        _both("type", row.type, "zone", row.zone, "to_zone", row.to_zone),
        _both("organisation", row.organisation, "type", row.type),
        _both("object", row.object, "outcome", row.outcome.value),
        _mark("source", row.source), _mark("reason", row.reason), _mark("person", row.subject),
        _mark("object", row.object), _mark("organisation", row.organisation),
        _mark("policy", row.policy),
        _both("outcome", row.outcome.value, "zone", row.zone), _both("outcome", row.outcome.value, "type", row.type),
        _both("type", row.type, "zone", row.zone), f"w{row.reason} w{row.to_zone}",
        _CONSTANT, *_parts(row.object), *_parts(row.organisation),
    ))  # fmt: skip


_mark = cache(mark)


@cache
def _both(*told: str) -> str:
    return combined(dict(zip(told[::2], told[1::2], strict=True)))


@cache
def _parts(value: str) -> tuple[str, ...]:
    return tuple(clear_marks(value))


def questions(city: City) -> dict[str, Callable[[random.Random], dict[str, str]]]:
    """What officers ask, with other values each time."""

    def span(chance: random.Random) -> dict[str, str]:
        whole = city.until - _BEGIN
        begin = _BEGIN + whole * chance.random() * 11 / 12
        return {"from": f"{begin:%Y-%m-%dT%H:%M}", "to": f"{begin + whole / 12:%Y-%m-%dT%H:%M}"}

    def somebody(chance: random.Random) -> tuple[str, str, str]:
        return city.person(chance.randrange(_PEOPLE))

    return {
        "person by name": lambda c: {"person": somebody(c)[1]},
        "person by Chinese name": lambda c: {"person": somebody(c)[2]},
        "person and a twelfth of the time": lambda c: {"person": somebody(c)[0], **span(c)},
        "denied in zone": lambda c: {"outcome": "denied", "zone": c.choice(_ZONES)},
        "denied in zone and a twelfth of the time": lambda c: {
            "outcome": "denied", "zone": c.choice(_ZONES), **span(c),
        },
        "common word": lambda c: {"q": c.choice(("declarations", "session", "refused", "certificate", "证书"))},
        "rare word": lambda c: {"q": str(150_000 + c.randrange(50_000))},
        "two words": lambda c: {"q": f"{c.choice(_PATHS)} {c.choice(_LATIN)}"},
        "phrase": lambda c: {"q": f'"{somebody(c)[1]}"'},
        "word nobody has": lambda c: {"q": f"zz{c.randrange(10**6)}"},
        "organisation and type": lambda c: {
            "organisation": c.choice(_ORGANISATIONS), "type": c.choice([name for name, _ in _KINDS]),
        },
        "crossing and a twelfth of the time": lambda c: {
            "type": "gateway.decision", "zone": c.choice(_ZONES), "to_zone": c.choice(_ZONES), **span(c),
        },
        "object, denied, reason": lambda c: {
            "object": c.choice(_PORTALS), "outcome": "denied", "reason": c.choice(_REASONS),
        },
        "session": lambda c: {"session": city.session(c)},
        "client address": lambda c: {"q": f"10.{c.randrange(250)}.{c.randrange(40)}.7"},
        "a twelfth of the time": span,
        "nothing": lambda _c: {},
    }  # fmt: skip


def build(folder: Path, entries: int) -> tuple[float, int]:
    """Fill an index as the indexer does; seconds of processor time, and the process's largest memory in KiB."""
    store, city = IndexStore.open(folder), City(entries)
    store.prepare()
    for start in range(0, entries, _BATCH):
        store.add(start, city.batch(start, min(start + _BATCH, entries)))
    return time.process_time(), _peak()


def _build_week(folder: Path) -> tuple[float, int]:
    """A week of entries as a part of its own, with their marks beside them; large indexes repeat it."""
    city, part = City(_WEEK), Part.create(folder, 0)
    if part is None:
        raise FileExistsError(folder)
    with part.writing() as connection:
        connection.execute("CREATE TABLE repeated (place INTEGER PRIMARY KEY, marks TEXT NOT NULL)")
    for start in range(0, _WEEK, _BATCH):
        entries = city.batch(start, min(start + _BATCH, _WEEK))
        part.add(entries, close=False)
        with part.writing() as connection:
            rows = [(entry.row.index, _marks(entry.row, alone=False)) for entry in entries]
            connection.executemany("INSERT INTO repeated VALUES (?, ?)", rows)
    return time.process_time(), _peak()


def _build_part(folder: Path, week: Path, number: int) -> tuple[float, int]:
    """Weeks with the same people and words and with other times, sessions and decisions."""
    first = number * _WEEKS * _WEEK
    part = Part.create(folder, first)
    if part is None:
        raise FileExistsError(first)
    for nth in range(_WEEKS):
        shift = {"off": first + nth * _WEEK, "ms": (first + nth * _WEEK) * _PACE, "own": f"-{number}-{nth}"}
        connection = sqlite3.connect(part.path, isolation_level=None)
        connection.create_function("mark", 2, mark, deterministic=True)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA cache_size=-32000")
        connection.execute("ATTACH ? AS week", (str(week),))
        connection.execute("BEGIN")
        for statement in _REPEAT:
            connection.execute(statement, shift)
        connection.execute("COMMIT")
        connection.close()
        _repeat_facts(part, week, first + nth * _WEEK)
    with part.writing() as connection:
        connection.execute(
            "UPDATE extent SET next = ?, closed = 1, since = (SELECT min(at) FROM entry), until = "
            "(SELECT max(at) FROM entry)",
            (first + _WEEKS * _WEEK,),
        )
    part.settle()
    return time.process_time(), _peak()


_OWN = ", ".join(f"{name} || :own" if name in ("session", "decision") else name for name in schema.TEXTS)
_REPEAT = (
    f"INSERT INTO entry SELECT place + :off, at + :ms, type, outcome, {_OWN}, attributes, sealed FROM week.entry",  # noqa: S608
    """INSERT INTO word(rowid, marks) SELECT place + :off, repeated.marks || ' ' || mark('session', session || :own) ||
    ' ' || mark('decision', decision || :own) || ' ' || sealed FROM week.repeated JOIN week.entry USING (place)""",
    "INSERT OR IGNORE INTO code SELECT * FROM week.code",
    "INSERT OR IGNORE INTO kind SELECT * FROM week.kind",
    "INSERT OR IGNORE INTO namesake SELECT * FROM week.namesake",
    "INSERT INTO hour SELECT at + :ms, kind, times FROM week.hour",
    "INSERT INTO day SELECT at + :ms, kind, times FROM week.day",
    "INSERT INTO reach SELECT at + :ms, first + :off, last + :off FROM week.reach",
)


def _repeat_facts(part: Part, week: Path, off: int) -> None:
    packed = struct.iter_unpack("<QI", week.with_suffix(".facts").read_bytes())
    facts = [((both >> KIND_BITS) + off * _PACE, both & ((1 << KIND_BITS) - 1), code) for both, code in packed]
    Facts(part.path.with_suffix(".facts"), part.first).write(off, facts)


def _built(folder: Path, entries: int, processes: int) -> tuple[int, float, int]:
    """Entries, seconds of processor time, and the largest memory of one process in KiB."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(processes, maxtasksperchild=1) as apart:
        if entries <= _WEEK:
            return entries, *apart.apply(build, (folder, entries))
        IndexStore.open(folder).prepare()
        week = folder / "week"
        week.mkdir()
        apart.apply(_build_week, (week,))
        [path] = week.glob("*.db")
        parts = math.ceil(entries / _WEEK / _WEEKS)
        made = apart.starmap(_build_part, [(folder / "generation-1", path, number) for number in range(parts)], 1)
        shutil.rmtree(week)
        return parts * _WEEK * _WEEKS, sum(spent for spent, _ in made), max(peak for _, peak in made)


def asked(folder: Path, entries: int, rounds: int) -> tuple[dict[str, list[tuple[float, float]]], int]:
    """Milliseconds of every answer, by the wall and by the processor; and the largest memory of the process in KiB."""
    store, city = IndexStore.open(folder), City(entries)
    vocabulary = Vocabulary(told())
    chance = random.Random(7)  # noqa: S311 - a measurement
    took: dict[str, list[tuple[float, float]]] = {}
    _forget_cached(folder)
    for _ in range(rounds):
        for name, made in questions(city).items():
            query = parse({field: [value] for field, value in made(chance).items()})
            begun, spent = time.monotonic(), time.thread_time()
            _answered(store, city.names, vocabulary, query)
            took.setdefault(name, []).append(((time.monotonic() - begun) * 1000, (time.thread_time() - spent) * 1000))
    until = city.until
    for _ in range(20):
        for name, act in (
            ("overview of a day", lambda: store.shape(until - timedelta(days=1), until)),
            ("counters of all time by day", lambda: store.counts(_BEGIN, until, by=("type", "outcome"), step="day")),
        ):
            begun, spent = time.monotonic(), time.thread_time()
            act()
            took.setdefault(name, []).append(((time.monotonic() - begun) * 1000, (time.thread_time() - spent) * 1000))
    return took, _peak()


def _answered(store: IndexStore, names: NameTokens, vocabulary: Vocabulary, query: Query) -> None:
    persons = store.subjects(names.token(query.person)) | {query.person} if query.person else frozenset()
    words = ["(" + " OR ".join([names.words.asks(phrase), *vocabulary.asks(phrase)]) + ")" for phrase in query.phrases]
    store.answer(query, persons, words)


def _forget_cached(folder: Path) -> None:
    for path in (*folder.rglob("*.db"), *folder.rglob("*.facts")):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _peak() -> int:
    [found] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    return int(found)


def main() -> None:
    """Build, ask, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search")
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--processes", type=int, default=2, help="that build parts of a large index")
    parser.add_argument("--folder", type=Path, help="an index that is there, or is to be kept")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="tallygate-search-"))
    folder.mkdir(exist_ok=True)
    entries = given.entries
    try:
        if not (folder / "index").exists():
            begun = time.monotonic()
            entries, spent, peak = _built(folder / "index", given.entries, given.processes)
            took_all = time.monotonic() - begun
            print(f"built in {took_all:,.0f} s by {given.processes} processes; {entries / spent:,.0f} entries a")
            print(f"second of processor time; memory of one at most {peak / 1024:.0f} MiB")
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as apart:
            took, peak = apart.apply(asked, (folder / "index", entries, given.rounds))
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"{entries:,} entries, {size / 2**20:,.0f} MiB, {size / entries:.0f} bytes an entry")
        print(f"memory of the asking process at most {peak / 1024:.0f} MiB\n")
        print("| question | p50 ms | p95 ms | p99 ms | processor p50 ms | p95 ms |\n|---|---:|---:|---:|---:|---:|")
        for name, times in took.items():
            print(_line(name, times))
        asked_for = questions(City(1))
        print(_line("**all searches**", [t for name, times in took.items() if name in asked_for for t in times]))
    finally:
        if given.folder is None:
            shutil.rmtree(folder)


def _line(name: str, times: list[tuple[float, float]]) -> str:
    wall, spent = (statistics.quantiles(each, n=100, method="inclusive") for each in zip(*times, strict=True))
    return f"| {name} | {wall[49]:.1f} | {wall[94]:.1f} | {wall[98]:.1f} | {spent[49]:.1f} | {spent[94]:.1f} |"


if __name__ == "__main__":
    main()
