# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.sso``: what sign-on does over HTTP, in a whole city, and what it costs.

A city of its own: granian with two processes, nginx with TLS, the log in which everything is recorded before it is
told, slapd with argon2id at 19 MiB and two passes, tables on the disk (SQLite, or PostgreSQL with ``--postgres``).
Callers run beside it on the same cores, each waits for its answer before it asks again; what they cost is told apart.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import sso.store
from app.context import Context
from app.ports import free_ports
from app.users import Users
from core.clock import SystemClock
from directory.config import DirectorySettings
from directory.service import Directory
from sso.service import register_client
from tests.fakes import postgres
from tests.flows.city import ROOT, City, started

from . import bare, processes
from .measure import Figure, apart, together
from .place import Place, client_secret
from .report import Machine
from .sso_acts import Load, Start, Target, logged_in, measured
from .sso_report import Memory, Row, written

_DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks-sso.md"
_PEOPLE = 24
_CALLERS = 2
"""Processes of callers; with eight callers each there are as many as sign-on has threads."""
_EACH = 8
_PATIENCE = 900.0
"""Seconds in which the city stands; filling it takes a hash of full cost for each of its people."""
_SMALL, _LARGE = 10_000, 1_000_000
_ROLES = ("directory", "ca", "sso", "signatures", "gateway")


@dataclass(frozen=True)
class Wanted:
    """One figure: what is done, how it is called, and what the issue asks of a core."""

    kind: str
    name: str
    target: int = 0
    # P-256 signatures that one of them needs, at least.
    signatures: int = 0


_WANTED = (
    Wanted("credentials", "client credentials", 400, 1),
    Wanted("bound", "client credentials bound to a key (DPoP)", 0, 1),
    Wanted("refresh", "refresh (access and ID token)", 400, 2),
    Wanted("introspection", "introspection", 1000),
    Wanted("flow", "code flow in a session (authorize, token)", 60, 2),
    Wanted("login", "login by password, argon2id 19 MiB", 15),
)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sso")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long one figure is measured")
    parser.add_argument("--brief", action="store_true", help="under six minutes: four seconds each, growth on SQLite")
    parser.add_argument("--postgres", action="store_true", help="tables of all roles in PostgreSQL, durable")
    parser.add_argument("--without-growth", action="store_true", help="only what is asked over HTTP")
    parser.add_argument("--output", type=Path, default=_DOCUMENT, help="where the document goes")
    asked = parser.parse_args()
    seconds = 4.0 if asked.brief else asked.seconds
    with _city(postgres_too=asked.postgres) as city:
        machine = Machine.here(city.folder)
        rows, signing, memory = _measure(city, seconds)
    alone = _ran("benchmarks.grants", "--seconds", "1" if asked.brief else "3")
    grown = "" if asked.without_growth else _growth(brief=asked.brief)
    tables = "PostgreSQL 15, fsync on" if asked.postgres else "SQLite, WAL, synchronous FULL"
    document = written(machine, rows, signing=signing, memory=memory, alone=alone, grown=grown, tables=tables)
    asked.output.write_text(document, "utf-8")
    print(f"written to {asked.output}")


def _measure(city: City, seconds: float) -> tuple[list[Row], Figure, Memory]:
    target, people = _target(city)
    supervisor = _supervisor(city)
    signing = apart(bare.signatures, max(1.0, seconds / 4))
    idle = processes.idle(supervisor, min(seconds, 5.0))
    rows = []
    for wanted in _WANTED:
        loads = _together(target, wanted.kind, people, seconds, supervisor)
        figure = together([load.samples for load in loads])
        done = max(sum(len(load.samples.times) for load in loads), 1)
        # All begin and end together, so the first has seen what the city spent on all of them.
        took = max(load.samples.took for load in loads)
        city_spent = {role: max(0.0, spent - idle.get(role, 0.0) * took) for role, spent in loads[0].city.items()}
        row = Row(
            name=wanted.name,
            figure=figure,
            target=wanted.target,
            signatures=wanted.signatures,
            spent={role: seconds_ / done * 1000 for role, seconds_ in city_spent.items()},
            caller=sum(load.spent for load in loads) / done * 1000,
        )
        rows.append(row)
        print(
            f"{wanted.name:<44} {figure.rate:>8,.0f}/s  p50 {figure.p50:7.1f} ms  p99 {figure.p99:7.1f} ms"
            f"  errors {figure.errors}  per core of the city {row.per_core:,.0f}/s  load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
    memory = Memory(
        peaks=processes.peaks(supervisor).get("sso", []), shares=processes.proportional(supervisor).get("sso", [])
    )
    return rows, signing, memory


def _together(target: Target, kind: str, people: list[str], seconds: float, supervisor: int) -> list[Load]:
    spawn = get_context("spawn")
    how: dict[str, Any] = {"seconds": seconds, "threads": _EACH, "supervisor": supervisor}
    together_ = spawn.Barrier(_CALLERS)
    with ProcessPoolExecutor(_CALLERS, spawn, initializer=Start.given, initargs=(together_,)) as pool:
        waiting = [pool.submit(measured, target, kind, people[n::_CALLERS], **how) for n in range(_CALLERS)]
        return [each.result() for each in waiting]


def _target(city: City) -> tuple[Target, list[str]]:
    """The clients that ask, and people who agreed to the portal."""
    place = Place(folder=city.folder, ports=city.ports, seconds=0)
    context = place.context
    site, secret = context.site, secrets.token_urlsafe(32)
    directory = Directory.connect(
        context.settings("directory", DirectorySettings), site=site, role="sso", clock=SystemClock()
    )
    people = [person.username for person in directory.people("", limit=_PEOPLE).items]
    _register(context, secret)
    target = Target(
        host=site.host("sso"),
        port=city.ports["external"],
        root=city.root,
        callback=f"{site.origin('tax')}/callback",
        secrets={"tax": client_secret(place, "tax"), "bench-machine": secret},
    )
    for username in people:
        wire = target.wire()
        logged_in(wire, target, username)
        wire.close()
    return target, people


def _register(context: Context, secret: str) -> None:
    def act() -> bytes:
        database = context.database("sso")
        try:
            register_client(
                sso.store.Store(database),
                name="bench-machine",
                title="Benchmark",
                title_zh="基准测试",
                scopes=frozenset({"organisation"}),
                grants=frozenset({"client_credentials"}),
                audience=context.site.origin("tax"),
                secret=secret,
            )
        finally:
            database.close()
        return b""

    Users.detect().acting("sso", act)


@contextmanager
def _city(*, postgres_too: bool) -> Iterator[City]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tg-secrets-") as name:
        credentials = Path(name)
        credentials.chmod(0o755)
        with postgres.server(durable=True) if postgres_too else nullcontext(None) as server:
            if server is not None:
                postgres.databases(server, credentials, _ROLES, script=ROOT / "app" / "sample" / "databases.sh")
            with started(
                prepare=lambda folder: _prepare(folder, credentials if server else None),
                patience=_PATIENCE,
                measured=True,
            ) as city:
                yield city


def _prepare(folder: Path, credentials: Path | None) -> None:
    """A site whose passwords cost what they should, and that lets one address ask as often as it can."""
    ports = "\n".join(f"{name} = {json.dumps(value)}" for name, value in asdict(free_ports(wishes=())).items())
    files = [f'{role} = "{credentials}/{role}-database"' for role in _ROLES] if credentials else []
    lines = [
        *("[site]", 'name = "city"', 'domain = "city.localhost"', 'title = "Sample City"', 'title_zh = "示例市"'),
        *('state = "."', "", "[site.ports]", ports, ""),
        *("[directory]", "hash_memory_kib = 19456", "hash_passes = 2", ""),
        *("[gateway]", "rate = 100000", "burst = 100000", "stranger_rate = 100000", "stranger_burst = 100000", ""),
        *(["[databases.url_files]", *files] if files else []),
    ]
    (folder / "site.toml").write_text("\n".join(lines) + "\n", "utf-8")


def _growth(*, brief: bool) -> str:
    sizes = f"{_SMALL},{_LARGE}"
    runner = "benchmarks.growth_sso"
    said = _ran(runner, "--sizes", sizes, "--seconds", "1.5" if brief else "3")
    return said if brief else said + "\n\nThe same on PostgreSQL:\n\n" + _ran(runner, "--sizes", sizes, "--postgres")


def _ran(runner: str, *options: str) -> str:
    command = [sys.executable, "-m", runner, *options]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _supervisor(city: City) -> int:
    """The parent of every process of the city."""
    status = Path(f"/proc/{city.pid('gateway')}/stat").read_text("ascii", "replace")
    return int(status.rpartition(")")[2].split()[1])


if __name__ == "__main__":
    main()
