# SPDX-License-Identifier: Apache-2.0
"""Start a city, measure every figure on it, one after the other, and write the table.

Each figure runs in a process of its own; the bare rates are taken between them, in the same run.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec

from core.clock import SystemClock
from directory.config import DirectorySettings
from directory.service import Directory
from tests.flows.city import City, started

from . import answers, appends, bare, certificates, decisions, documents, logins, processes, tokens, writers
from .measure import Figure, apart
from .place import Place
from .plain_nginx import plain_nginx
from .report import Machine, Row, written

_DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_PEOPLE = 24
P = ParamSpec("P")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--seconds", type=int, default=10, help="how long one figure is measured")
    parser.add_argument("--output", type=Path, default=_DOCUMENT, help="where the document goes")
    asked = parser.parse_args()
    with started(measured=True) as city:
        machine = Machine.here(city.folder)
        with _place(city, asked.seconds) as place:
            run = Run(place, _supervisor(city))
            rows, added = _measure(run)
            peaks = processes.peaks(run.supervisor)
    asked.output.write_text(written(machine, rows, peaks, run.shares, added=added), "utf-8")
    print(f"written to {asked.output}")


class Run:
    """Measures one figure after the other, each in a process of its own, and keeps what each cost the city."""

    def __init__(self, place: Place, supervisor: int) -> None:
        self.place = place
        self.supervisor = supervisor
        # Milliseconds of processor time for one operation, by figure and role.
        self.shares: dict[str, dict[str, float]] = {}

    def __call__(self, name: str, function: Callable[P, Figure], *arguments: P.args, **named: P.kwargs) -> Figure:
        """One figure; without a name its cost is not shown."""
        before, begun = processes.spent(self.supervisor), time.monotonic()
        figure = apart(function, *arguments, **named)
        done = figure.rate * (time.monotonic() - begun)
        if name and done:
            after = processes.spent(self.supervisor)
            self.shares[name] = {role: (after[role] - before.get(role, 0.0)) / done * 1000 for role in after}
        return figure


@contextmanager
def _place(city: City, seconds: int) -> Iterator[Place]:
    there = Place(folder=city.folder, ports={}, seconds=seconds)
    with plain_nginx(there.context) as ports:
        yield Place(folder=city.folder, ports=ports, seconds=seconds)


def _measure(run: Run) -> tuple[list[Row], str]:
    place = run.place
    short = max(1.0, place.seconds / 4)
    context = place.context
    directory = Directory.connect(
        context.settings("directory", DirectorySettings), site=context.site, role="sso", clock=SystemClock()
    )
    citizen, servant = (directory.person_by_username(name).subject for name in ("chen.wei", "li.na"))
    usernames = [person.username for person in directory.people("", limit=_PEOPLE).items]

    signing = _shown("P-256 signatures, 2 threads", apart(bare.signatures, short))
    checking = _shown("P-256 verifications, 2 threads", apart(bare.verifications, short))
    hashed = _shown("password checks alone", apart(bare.passwords, place, usernames))
    apart(logins.warmed, place, usernames)
    entered = _shown("logins", run("login", logins.measured, place, usernames))
    token = apart(tokens.refresh_token, place, "chen.wei")
    refreshed = _shown("token requests", run("token request", tokens.measured, place, token))
    cookie = apart(decisions.entered, place, "chen.wei")
    short_ = int(max(2, place.seconds // 3))

    def decision(name: str, listener: str, connections: int, seconds: int, path: str = decisions.PATH) -> Figure:
        how = {"connections": connections, "seconds": seconds}
        figure = run(name, decisions.measured, place, cookie, listener, path=path, **how)
        return _shown(f"decisions: {listener}, {connections} connections", figure)

    many_, one = decisions.CONNECTIONS, 1
    decision("", "decided", many_, 2)
    decided = decision("decision", "decided", many_, place.seconds)
    plain = decision("", "bare", many_, short_)
    page = decision("portal page", "external", many_, short_, "/")
    decided_alone = decision("", "decided", one, short_)
    plain_alone = decision("", "bare", one, short_)
    linted = _shown("lint and sign in process", apart(certificates.lint_and_sign, place))
    issued = _shown("certificates", run("certificate", certificates.measured, place, citizen))
    card = place.folder / "demo" / "li.na.pem"
    answered = _shown("OCSP answers", run("OCSP answer", answers.measured, place, card))
    filed = _shown("OCSP answers by GET", run("", answers.measured, place, card, way=answers.GET))
    signed = _shown(
        "OCSP answers with a nonce", run("OCSP answer with a nonce", answers.measured, place, card, way=answers.NONCE)
    )
    sealed = _shown("seals", run("seal", documents.seals, place, servant))
    pdf = apart(documents.sealed, place, servant)
    verified = _shown("verifications", run("verification", documents.verifications, place, pdf))
    # Last: the search index is still reading them when they are done, and would slow down what follows.
    taking_turns = _shown("writing transactions", apart(writers.measured, place.folder / "audit", short))
    synced = _shown("fdatasync", apart(bare.syncs, place.folder / "audit", short))
    single = _shown("audit appends, one", run("", appends.measured, place, threads=1, seconds=short))
    batched = run("append", appends.measured, place, threads=appends.TOGETHER, seconds=place.seconds)
    _shown(f"audit appends, {appends.TOGETHER}", batched)
    rows = [
        Row("logins", entered, "password checks by the directory alone (LDAP bind, argon2)", hashed.rate),
        Row("password checks by the directory alone", hashed),
        Row("token requests (refresh: two tokens)", refreshed, "P-256 signatures", signing.rate, 100),
        Row("gateway decisions, uncached", decided, "plain nginx, same upstream", plain.rate, 500),
        Row("plain nginx, same upstream", plain),
        Row("pages of a portal behind the decision", page, "gateway decisions", decided.rate),
        Row("one decision at a time", decided_alone, "plain nginx, one at a time", plain_alone.rate),
        Row("plain nginx, one at a time", plain_alone),
        Row("certificates", issued, "P-256 signatures", signing.rate, 50),
        Row("certificates", issued, "lint and sign in process, 1 thread", linted.rate),
        Row("lint and sign in process, 1 thread", linted),
        Row("OCSP answers by POST, through the role", answered, "P-256 signatures", signing.rate),
        Row("OCSP answers by GET, from files", filed, "plain nginx, same upstream", plain.rate),
        Row("OCSP answers signed for a nonce", signed, "P-256 signatures", signing.rate),
        Row("audit appends, one at a time", single, "bare fdatasync", synced.rate),
        Row(f"audit appends, {appends.TOGETHER} at once", batched, "bare fdatasync", synced.rate, 1000),
        Row(
            f"writing transactions, {writers.PROCESSES} processes of {writers.THREADS} threads",
            taking_turns,
            "bare fdatasync",
            synced.rate,
        ),
        Row("bare fdatasync of 700 bytes", synced),
        Row("PDF seals", sealed, "P-256 signatures", signing.rate),
        Row("PDF verifications", verified, "P-256 verifications", checking.rate),
        Row("P-256 signatures, 2 threads", signing),
        Row("P-256 verifications, 2 threads", checking),
    ]
    added = (
        f"Added latency of one decision with one connection: p50 {decided_alone.p50 - plain_alone.p50:.2f} ms, "
        f"p99 {decided_alone.p99 - plain_alone.p99:.2f} ms; with {many_} connections that keep every core busy: p50 "
        f"{decided.p50 - plain.p50:.2f} ms."
    )
    return rows, added


def _shown(name: str, figure: Figure) -> Figure:
    print(
        f"{name:<36} {figure.rate:>10,.1f}/s  p50 {figure.p50:8.2f} ms  p99 {figure.p99:8.2f} ms"
        f"  errors {figure.errors}  load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return figure


def _supervisor(city: City) -> int:
    """The parent of every process of the city; the nginx of ours is our own child."""
    status = Path(f"/proc/{city.pid('gateway')}/stat").read_text("ascii", "replace")
    return int(status.rpartition(")")[2].split()[1])


if __name__ == "__main__":
    main()
