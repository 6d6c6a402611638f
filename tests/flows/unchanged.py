# SPDX-License-Identifier: Apache-2.0
"""A city as it was when the first stone flew, and whether it still is: nobody died, nothing exists nobody ordered."""

import json
import re
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.flows import invariants
from tests.flows.city import City, until

# Tables that may hold more rows afterwards: what is parked, counted and remembered about visitors, and expires.
PASSING = {
    "sso": {
        "spent",
        "attempts",
        "handovers",
        "upstream_answers",
        "sessions",
        "grants",
        "codes",
        "consents",
        "refresh_tokens",
        "challenges",
        "device_codes",
        "ended_tokens",
        "known_browsers",
        "letters",
        "recoveries",
        "suspicions",
        "client_uses",
    },
    "gateway": {"sessions", "revoked"},
    # The inventory counts what the authority issued when it has the time.
    "ca": {"est_strikes", "tallies", "watch_marks"},
    # What the directory's watch still expects to see of the city's birth.
    # It hears who logs in, too.
    # And it tells the document office who has an account there, and goes on comparing.
    # It keeps what the record says of the directory, with which it compares the tree once a day.
    "directory": {
        "expected",
        "seen",
        "heard",
        "survey",
        "unusual",
        "portal_accounts",
        "portal_standings",
        "ledger",
        "ledger_read",
    },
}
# What the one suspension and the changes of the revocation list leave, and every counter.
LEFT = {"sso.barred", "ca.revocations", "ca.shards", "ca.lists", "ca.releases"}
# Records of acts that nothing here may bring about but where a test says so itself. What a portal is told follows.
ACTS = re.compile(
    r"(ca|directory|policy|signature)\.(?!read|tree\.compared|account\.|person\.read|history\.read|people\.searched|inventory\.(read|exported)|(certificate\.|call\.|est\.|program\.|archive\.)?refused|verified)"
)


@dataclass
class Before:
    """What a city was like at one moment."""

    processes: dict[int, str]
    logs: dict[Path, int]
    rows: dict[str, int]
    entries: int
    # Acts that tests of this file did on purpose.
    meant: Counter[str] = field(default_factory=Counter)


def look(city: City) -> Before:
    """The city as it is, when everything of its birth has settled."""
    # What the sample city's birth left in the outboxes may still be on its way to the log.
    until(lambda: _delivered(city), seconds=60)
    rows = until(lambda: settled(city), seconds=60)
    until(lambda: _told(city), seconds=240)
    invariants.published(city)
    return Before(_processes(city), _logs(city), rows, invariants.checkpoint(city)[0])


def check(city: City, before: Before) -> None:
    """Nothing changed but what was meant to."""
    assert city.ready()
    # Nobody died over it.
    after = _processes(city)
    assert not {args for pid, args in before.processes.items() if after.get(pid) != args}
    # No role met an error it had not foreseen.
    for path, size in before.logs.items():
        with path.open("rb") as file:
            file.seek(size)
            bad = [line for line in file.read().splitlines() if _alarming(line)]
        assert not bad, (path.name, bad[:5])
    # Nothing exists that nobody ordered.
    rows = until(lambda: settled(city), seconds=10)
    grown = {name: (before.rows[name], count) for name, count in rows.items() if count != before.rows[name]}
    assert not {name for name in grown if not _may_grow(name)}, grown
    # The record tells of every decision, and of no act but those that were meant.
    invariants.check(city)
    entries = invariants.entries(city)[before.entries :]
    kinds = Counter(invariants._type(entry) for entry in entries)
    acts = Counter({kind: count for kind, count in kinds.items() if ACTS.match(kind)})
    assert acts == before.meant, (acts, before.meant)


def _told(city: City) -> bool:
    """Whether the document office has been told of everybody."""
    with closing(sqlite3.connect(f"file:{city.folder}/directory/directory.db?mode=ro", uri=True, timeout=10)) as opened:
        return bool(opened.execute("select count(*) from portal_accounts where due > 0").fetchone() == (0,))


def _delivered(city: City) -> bool:
    """Whether every intent of the authority has its outcome on the record, whichever it was."""
    intended: Counter[str] = Counter()
    for entry in invariants.entries(city):
        kind, serial = invariants._type(entry), entry["told"].get("object", "")
        if kind == "ca.certificate.intended":
            intended[serial] += 1
        elif kind in {"ca.certificate.issued", "ca.certificate.released", "ca.certificate.abandoned"}:
            intended[serial] -= 1
    return not +intended


def _processes(city: City) -> dict[int, str]:
    """Every process of the city that is there to stay: roles and their workers, slapd, nginx."""
    assert city._process is not None
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [
        (int(pid), int(parent), args) for pid, parent, args in (line.split(None, 2) for line in listed.splitlines())
    ]
    family = {city._process.pid: "up"}
    for _ in range(3):
        family |= {pid: args for pid, parent, args in rows if parent in family}
    # Readers of documents are replaced as they grow old or choke.
    return {pid: args for pid, args in family.items() if "sandbox" not in args}


def _logs(city: City) -> dict[Path, int]:
    return {path: path.stat().st_size for path in (city.folder / "logs").glob("*.log")}


def _rows(city: City) -> dict[str, int]:
    """How many rows each table of each component holds."""
    found = {}
    for path in city.folder.glob("*/*.db"):
        if path.parent.name == "audit":
            continue
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        for (table,) in connection.execute("select name from sqlite_master where type='table'").fetchall():
            (count,) = connection.execute(f"select count(*) from {table}").fetchone()  # noqa: S608 - from the schema
            found[f"{path.parent.name}.{table}"] = count
        connection.close()
    return found


def _may_grow(name: str) -> bool:
    component, _, table = name.partition(".")
    return name in LEFT or table == "sqlite_sequence" or table in PASSING.get(component, set())


def settled(city: City) -> dict[str, int] | None:
    """How many rows each table holds, once nothing waits in an outbox for the record."""
    rows = _rows(city)
    return rows if not any(count for name, count in rows.items() if name.endswith(".outbox")) else None


def _alarming(line: bytes) -> bool:
    if any(word in line for word in (b"internal_error", b"Traceback", b"panicked", b"_failed")):
        return True
    try:
        return str(json.loads(line).get("level", "")) in {"error", "critical"}
    except ValueError:
        return False
