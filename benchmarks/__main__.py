# SPDX-License-Identifier: Apache-2.0
"""Start a city, measure every figure on it, one after the other, and write the table.

Each figure runs in a process of its own; the bare rates are taken between them, in the same run.
"""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.clock import SystemClock
from directory.config import DirectorySettings
from directory.service import Directory
from tests.flows.city import City, started

from . import answers, appends, bare, certificates, decisions, documents, logins, memory, tokens
from .measure import Figure, apart
from .place import Place
from .plain_nginx import plain_nginx
from .report import Machine, Row, written

_DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_PEOPLE = 24


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--seconds", type=int, default=10, help="how long one figure is measured")
    parser.add_argument("--output", type=Path, default=_DOCUMENT, help="where the document goes")
    asked = parser.parse_args()
    with started() as city:
        machine = Machine.here(city.folder)
        with _place(city, asked.seconds) as place:
            rows, added = _measure(place)
            peaks = memory.peaks(_supervisor(city))
    asked.output.write_text(written(machine, rows, peaks, added=added), "utf-8")
    print(f"written to {asked.output}")


@contextmanager
def _place(city: City, seconds: int) -> Iterator[Place]:
    there = Place(folder=city.folder, ports={}, seconds=seconds)
    with plain_nginx(there.context) as ports:
        yield Place(folder=city.folder, ports=ports, seconds=seconds)


def _measure(place: Place) -> tuple[list[Row], str]:
    short = max(1.0, place.seconds / 4)
    context = place.context
    directory = Directory.connect(
        context.settings("directory", DirectorySettings), site=context.site, role="sso", clock=SystemClock()
    )
    citizen, servant = (directory.person_by_username(name).subject for name in ("chen.wei", "li.na"))
    usernames = [person.username for person in directory.people("", limit=_PEOPLE).items]

    signing = _shown("P-256 signatures, 2 threads", apart(bare.signatures, short))
    checking = _shown("P-256 verifications, 2 threads", apart(bare.verifications, short))
    hashed = _shown("password checks by the directory alone", apart(bare.passwords, place, usernames))
    entered = _shown("logins", apart(logins.measured, place, usernames))
    refreshed = _shown("token requests", apart(tokens.measured, place, "chen.wei"))
    decided = apart(decisions.measured, place, "chen.wei")
    for name in ("decided", "bare", "page", "decided_alone", "bare_alone"):
        _shown(f"decisions: {name}", getattr(decided, name))
    linted = _shown("lint and sign in process", apart(certificates.lint_and_sign, place))
    issued = _shown("certificates", apart(certificates.measured, place, citizen))
    answered = _shown("OCSP answers", apart(answers.measured, place, place.folder / "demo" / "li.na.pem"))
    synced = _shown("fdatasync", apart(bare.syncs, place.folder / "audit", short))
    single = _shown("audit appends, one at a time", apart(appends.measured, place, threads=1, seconds=short))
    many = _shown("audit appends", apart(appends.measured, place, threads=appends.TOGETHER, seconds=place.seconds))
    sealed = _shown("seals", apart(documents.seals, place, servant))
    verified = _shown("verifications", apart(documents.verifications, place, servant))
    rows = [
        Row("logins", entered, "password checks by the directory alone (LDAP bind, argon2)", hashed.rate),
        Row("password checks by the directory alone", hashed),
        Row("token requests (refresh: two tokens)", refreshed, "P-256 signatures", signing.rate, 100),
        Row("gateway decisions, uncached", decided.decided, "plain nginx, same upstream", decided.bare.rate, 500),
        Row("plain nginx, same upstream", decided.bare),
        Row("pages of a portal behind the decision", decided.page, "gateway decisions", decided.decided.rate),
        Row("one decision at a time", decided.decided_alone, "plain nginx, one at a time", decided.bare_alone.rate),
        Row("plain nginx, one at a time", decided.bare_alone),
        Row("certificates", issued, "P-256 signatures", signing.rate, 50),
        Row("certificates", issued, "lint and sign in process, 1 thread", linted.rate),
        Row("OCSP answers", answered, "P-256 signatures", signing.rate),
        Row("audit appends, one at a time", single, "bare fdatasync", synced.rate),
        Row(f"audit appends, {appends.TOGETHER} at once", many, "bare fdatasync", synced.rate, 1000),
        Row("bare fdatasync of 700 bytes", synced),
        Row("PDF seals", sealed, "P-256 signatures", signing.rate),
        Row("PDF verifications", verified, "P-256 verifications", checking.rate),
    ]
    added = (
        f"Added latency of one decision on an otherwise idle city: p50 "
        f"{decided.decided_alone.p50 - decided.bare_alone.p50:.2f} ms, p99 "
        f"{decided.decided_alone.p99 - decided.bare_alone.p99:.2f} ms; with {decisions.CONNECTIONS} connections that "
        f"keep both cores busy: p50 {decided.decided.p50 - decided.bare.p50:.2f} ms, p99 "
        f"{decided.decided.p99 - decided.bare.p99:.2f} ms."
    )
    return rows, added


def _shown(name: str, figure: Figure) -> Figure:
    load = os.getloadavg()[0]
    print(
        f"{name:<42} {figure.rate:>10,.1f}/s  p50 {figure.p50:8.2f} ms  p99 {figure.p99:8.2f} ms"
        f"  errors {figure.errors}  load {load:.1f}",
        flush=True,
    )
    return figure


def _supervisor(city: City) -> int:
    """The parent of every process of the city; the nginx of ours is our own child."""
    status = Path(f"/proc/{city.pid('gateway')}/stat").read_text("ascii", "replace")
    return int(status.rpartition(")")[2].split()[1])


if __name__ == "__main__":
    main()
