# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.boundary``: what the decision before every request costs, over TLS, in a whole site.

nginx with the site's own configuration and TLS, the gateway's two workers, the log that syncs every record before it
is answered, the index that reads them, slapd, and the load itself share the machine's cores. Whoever asks is drawn
anew for every request. Beside it, in the same run: the same page without a decision, the same with an empty decision
endpoint, and bare fdatasync.
"""

import argparse
import os
import resource
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.context import Context
from app.workers import WORKERS
from tests.flows.city import City, started, until

from . import bare, processes
from .boundary_report import Row, written
from .boundary_site import (
    HOST,
    Size,
    configure,
    cookie,
    more_sessions,
    prepare,
    restart_gateway,
    source,
    write_policies,
)
from .measure import Figure, apart, wrk
from .plain_nginx import plain_nginx
from .report import Machine

_DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks-boundary.md"
_PATIENCE = 900.0
_GOOD_WITHIN = 90.0
_CONNECTIONS = 64
_SMALL = Size(policies=100, people=10_000, sessions=10_000)
_AGAIN = 500
"""People who ask again and again, where what is remembered is measured."""
_ROUNDS = 2
"""How often each worker asks about as many people as there are, at random, until most are known to it: it remembers
them for minutes, so no longer than ``_MOST_KNOWING`` seconds."""
_MOST_KNOWING = 150
_SETTLED = 0.25
"""Seconds of processor time more than ever in one second in which nobody asks: a release is still being taken up."""
_SESSIONS, _POLICIES = 1_000_000, 1_000


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.boundary")
    parser.add_argument("--seconds", type=int, default=20, help="how long one figure is measured")
    parser.add_argument("--brief", action="store_true", help="under five minutes on a quiet machine: five seconds each")
    parser.add_argument("--without-growth", action="store_true", help="one size only")
    parser.add_argument("--hold", type=Path, help="only keep the load up until this file is there, for a profiler")
    parser.add_argument("--remembered", type=int, default=0, help="with --hold: decisions a worker remembers")
    parser.add_argument("--output", type=Path, default=_DOCUMENT, help="where the document goes")
    asked = parser.parse_args()
    seconds = 5 if asked.brief else asked.seconds
    with ExitStack() as after:
        city = after.enter_context(
            started(
                "--without-demo", prepare=lambda folder: _prepared(folder, after), patience=_PATIENCE, measured=True
            )
        )
        machine = Machine.here(city.folder)
        with _run(city, seconds) as run:
            if asked.hold:
                _hold(run, asked.hold, asked.remembered)
                return
            rows = _measured(run, grown=not asked.without_growth)
            peaks = processes.peaks(run.supervisor)
        synced = apart(bare.syncs, city.folder / "audit", max(1.0, seconds / 4))
    asked.output.write_text(written(machine, rows, peaks, synced=synced), "utf-8")
    print(f"written to {asked.output}")


def _prepared(folder: Path, after: ExitStack) -> None:
    after.callback(shutil.rmtree, source(folder), ignore_errors=True)
    prepare(folder, _SMALL)


@dataclass
class Run:
    """A site under load."""

    city: City
    ports: dict[str, int]
    supervisor: int
    seconds: int
    size: Size
    # Seconds of processor time for each second in which nobody asks, by role.
    idle: Mapping[str, float] = field(default_factory=dict)

    @property
    def context(self) -> Context:
        """The site, as its operator sees it."""
        return Context.read(self.city.configuration)

    def __call__(
        self, name: str, listener: str, *, connections: int = _CONNECTIONS, pace: float = 0.0, target: int = 0
    ) -> Row:
        """One figure; ``pace`` is how many a second are asked for, as many as can be where it is 0."""
        before, nginx, begun = processes.spent(self.supervisor), processes.cost(self.ports["pid"])[0], _waited()
        since = time.monotonic()
        figure = wrk(
            f"https://127.0.0.1:{self.ports[listener]}/me",
            seconds=self.seconds,
            connections=connections,
            headers={"Host": self.context.site.host(HOST)},
            more=_asking(self.size.sessions, connections / pace if pace else 0.0),
        )
        done = max(1.0, figure.rate * self.seconds + figure.errors)
        after = processes.spent(self.supervisor)
        took = time.monotonic() - since
        spent = {
            role: max(0.0, after[role] - before.get(role, 0.0) - self.idle.get(role, 0.0) * took) / done * 1000
            for role in after
        }
        spent["nginx"] = (processes.cost(self.ports["pid"])[0] - nginx) / done * 1000
        row = Row(name, figure, spent=spent, caller=(_waited() - begun) / done * 1000, target=target)
        print(
            f"{name:<52} {figure.rate:>8,.0f}/s  p50 {figure.p50:7.2f}  p99 {figure.p99:7.2f} ms"
            f"  errors {figure.errors}  city {row.each:.3f} ms each  load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
        return row


@contextmanager
def _run(city: City, seconds: int) -> Iterator[Run]:
    supervisor = _parent(city.pid("gateway"))
    with plain_nginx(Context.read(city.configuration), tls=True) as ports:
        run = Run(city, ports, supervisor, seconds, _SMALL)
        _good(run)
        run.idle = processes.idle(supervisor, min(5, seconds))
        yield run


def _measured(run: Run, *, grown: bool) -> list[Row]:
    rows = [run("nginx alone, no decision", "bare"), run("nginx, empty decision endpoint", "empty")]
    replace(run, seconds=3)("(warm)", "decided")
    fresh = run("asked anew, of people not asked about before", "decided")
    rows.append(fresh)
    asking = _ROUNDS * WORKERS["gateway"] * run.size.people / max(1.0, fresh.figure.rate)
    replace(run, seconds=min(_MOST_KNOWING, max(run.seconds, round(asking))))("(until people are known)", "decided")
    anew = run("decisions asked anew, 100 policies, 10,000 people", "decided", target=2_500)
    rows.append(anew)
    rows += _half(run, anew.figure, "asked anew")
    few = replace(run, size=replace(run.size, sessions=_AGAIN))
    replace(few, seconds=3)("(warm)", "decided")
    rows.append(few(f"asked anew, {_AGAIN} of 10,000 people ask", "decided"))
    if grown:
        rows += _grown(run)
    configure(run.city.folder, remembered=100_000)
    _restarted(run)
    # Everybody who asks is asked about once by each worker before what is remembered is measured.
    replace(few, seconds=max(5, run.seconds))("(warm)", "decided")
    again = few(f"decisions remembered, 100 policies, {_AGAIN} of 10,000 people ask", "decided", target=8_000)
    rows.append(again)
    rows += _half(few, again.figure, "remembered")
    return rows


def _busy(run: Run) -> float:
    """Seconds of processor time for a second in which nobody asks, beyond what was spent so at the beginning."""
    return sum(processes.idle(run.supervisor, 1).values()) - sum(run.idle.values())


def _half(run: Run, full: Figure, name: str) -> list[Row]:
    """The same pace with and without the decision; what it adds to the median and to the slowest hundredth."""
    pace = full.rate / 2
    return [
        run(f"half load, {name}", "decided", connections=32, pace=pace),
        run(f"the same pace without a decision ({name})", "bare", connections=32, pace=pace),
    ]


def _grown(run: Run) -> list[Row]:
    """More sessions and more policies, one after the other; then both are as before."""
    large = replace(run.size, sessions=_SESSIONS)
    more_sessions(run.context, run.size.sessions, large)
    rows = [run("asked anew, 1,000,000 sessions, of 10,000 of them", "decided")]
    rows.append(replace(run, size=large)("asked anew, 1,000,000 sessions, of any of them", "decided"))
    for count in (_POLICIES, 10, _SMALL.policies):
        standing = write_policies(source(run.city.folder), count)
        run.city.tallygate(
            *("policies", "release", "--site", str(run.city.configuration)),
            *("--actor", "bench", "--without-shadow", "bench"),
        )
        _good(run)
        # Every role proves the release before it takes it up, which is no part of a decision.
        until(lambda: _busy(run) < _SETTLED, seconds=_PATIENCE)
        if count != _SMALL.policies:
            rows.append(run(f"asked anew, {standing:,} policies", "decided"))
    return rows


def _hold(run: Run, end: Path, remembered: int) -> None:
    if remembered:
        configure(run.city.folder, remembered=remembered)
        _restarted(run)
    while not end.exists():
        run("held", "decided")


def _restarted(run: Run) -> None:
    old = run.city.pid("gateway")
    restart_gateway(old)
    until(lambda: _other(run.city, old), seconds=_PATIENCE)
    _good(run)


def _other(city: City, old: int) -> bool:
    try:
        return city.pid("gateway") != old
    except AssertionError:
        return False


def _good(run: Run) -> None:
    """Wait until decisions are made."""

    def good() -> bool:
        figure = wrk(
            f"https://127.0.0.1:{run.ports['decided']}/me",
            seconds=1,
            connections=4,
            headers={"Host": run.context.site.host(HOST)},
            more=_asking(100, 0.0),
        )
        return figure.errors == 0 and figure.rate > 0

    until(good, seconds=_GOOD_WITHIN)


def _asking(sessions: int, interval: float) -> Sequence[str]:
    """Lua for wrk: a session drawn for every request, and where a pace is kept, a pause drawn around the interval."""
    lines = [
        "local drawn = math.random",
        f'local prefix = "__Host-tallygate={cookie(0)[:-7]}"',
        'function init() math.randomseed(os.time()); host = wrk.headers["Host"] end',
        "function request()",
        f'  wrk.headers["Cookie"] = prefix .. string.format("%07d", drawn(0, {sessions - 1}))',
        "  return wrk.format()",
        "end",
    ]
    if interval:
        lines += [f"function delay() return drawn(0, {round(interval * 2000)}) end"]
    return lines


def _waited() -> float:
    """Seconds of processor time of whoever made the load and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[1])


if __name__ == "__main__":
    # The clock of a run that was begun is the site's own; nothing here waits for an hour to pass.
    begun = time.monotonic()
    main()
    print(f"took {time.monotonic() - begun:.0f} s")
