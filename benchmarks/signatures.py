# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.signatures``: seals and verdicts of a whole city over HTTP, and folders of thousands of files.

A city of its own: granian with one process a core, reading processes that are locked in, nginx with TLS before the
verdicts, the log in which everything is recorded before it leaves. Callers run beside it on the same cores.
"""

import argparse
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from app.ports import free_ports
from app.up import write_configuration
from core.clock import SystemClock
from core.errors import TallygateError
from directory.config import DirectorySettings
from directory.service import Directory
from signatures.client import SignatureClient
from tests.flows.city import City, started

from . import bare, processes, signatures_bare, signatures_files
from .measure import apart, together
from .place import Place
from .report import Machine
from .signatures_acts import Job, measured, sealed, small
from .signatures_report import Limits, Memory, Row, written
from .sso_acts import Load, Start

_DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks-signatures.md"
_CALLERS, _EACH = 2, 8
_PATIENCE = 900.0
_SETTLED = 10.0
_LEVELS = ("B", "T", "LT", "LTA")
_TARGETS = {("seal", "B"): 160, ("seal", "T"): 60, ("verify", "B"): 160}


@dataclass(frozen=True)
class _Run:
    city: City
    place: Place
    actor: str
    supervisor: int
    seconds: float
    # Seconds of processor time for each second in which nobody asks, by role.
    idle: Mapping[str, float]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signatures")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long one figure is measured")
    parser.add_argument("--files", type=int, default=10_000, help="how many files the large folder has")
    parser.add_argument("--brief", action="store_true", help="under five minutes: four seconds each, 1,000 files")
    parser.add_argument("--output", type=Path, default=_DOCUMENT, help="where the document goes")
    asked = parser.parse_args()
    seconds, files = (4.0, 1000) if asked.brief else (asked.seconds, asked.files)
    with started(prepare=_prepare, patience=_PATIENCE, measured=True) as city:
        machine = Machine.here(city.folder)
        run = _begun(city, seconds)
        limits = Limits(
            signing=apart(bare.signatures, max(1.0, seconds / 4)),
            checking=apart(bare.verifications, max(1.0, seconds / 4)),
            library_signing=signatures_bare.signing(seconds),
            library_judging=signatures_bare.judging(seconds),
        )
        rows = list(_rates(run))
        slow = signatures_files.slow(run.place, run.actor)
        memory = _memory(run)
        folders = signatures_files.folders(run.place, run.actor, many=files)
    document = written(machine, rows, limits=limits, memory=memory, slow=slow, folders=folders)
    asked.output.write_text(document, "utf-8")
    print(f"written to {asked.output}")


def _rates(run: _Run) -> Iterator[Row]:
    for level in _LEVELS:
        if level != "B":
            _raise(run, level)
        yield _row(run, "seal", level, f"PAdES {level}: sign", Job(run.place, run.actor))
        document = apart(sealed, run.place, run.actor)
        yield _row(run, "verify", level, f"PAdES {level}: full verdict", Job(run.place, run.actor, document))
    for kind, name in (("cades", "detached CAdES: full verdict"),):
        yield _row(run, kind, "", name, Job(run.place, run.actor))


def _row(run: _Run, kind: str, level: str, name: str, job: Job) -> Row:
    loads = _together(job, kind, run)
    figure = together([load.samples for load in loads])
    done = max(sum(len(load.samples.times) for load in loads), 1)
    took = max(load.samples.took for load in loads)
    row = Row(
        name=name,
        figure=figure,
        target=_TARGETS.get((kind, level), 0),
        signs=kind == "seal",
        # All begin and end together, so the first has seen what the city spent on all of them.
        spent={
            role: max(0.0, spent - run.idle.get(role, 0.0) * took) / done * 1000
            for role, spent in loads[0].city.items()
        },
        caller=sum(load.spent for load in loads) / done * 1000,
        slowest=max((one for load in loads for one in load.samples.times), default=0.0),
    )
    print(
        f"{name:<32} {figure.rate:>8,.0f}/s  p50 {figure.p50:7.1f} ms  p99 {figure.p99:7.1f} ms"
        f"  errors {figure.errors}  all cores {row.all_cores:,.0f}/s  load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return row


def _together(job: Job, kind: str, run: _Run) -> list[Load]:
    spawn = get_context("spawn")
    together_ = spawn.Barrier(_CALLERS)
    with ProcessPoolExecutor(_CALLERS, spawn, initializer=Start.given, initargs=(together_,)) as pool:
        waiting = [
            pool.submit(measured, job, kind, seconds=run.seconds, threads=_EACH, supervisor=run.supervisor, first=first)
            for first in range(_CALLERS)
        ]
        return [each.result() for each in waiting]


def _memory(run: _Run) -> Memory:
    return Memory(
        peaks=processes.peaks(run.supervisor).get("signatures", []),
        shares=processes.proportional(run.supervisor).get("signatures", []),
    )


def _begun(city: City, seconds: float) -> _Run:
    place = Place(folder=city.folder, ports=city.ports, seconds=int(seconds))
    context = place.context
    directory = Directory.connect(
        context.settings("directory", DirectorySettings), site=context.site, role="sso", clock=SystemClock()
    )
    _until((city.folder / "ca" / "units" / "city.pem").exists)
    status = Path(f"/proc/{city.pid('gateway')}/stat").read_text("ascii", "replace")
    supervisor = int(status.rpartition(")")[2].split()[1])
    # What a new city still does for itself is over.
    time.sleep(_SETTLED)
    return _Run(
        city=city,
        place=place,
        actor=directory.person_by_username("li.na").subject,
        supervisor=supervisor,
        seconds=seconds,
        idle=processes.idle(supervisor, _SETTLED),
    )


def _raise(run: _Run, level: str) -> None:
    """Have the role seal at another level: its configuration changes and it starts anew."""
    text = run.city.configuration.read_text("utf-8").partition("\n[signatures]\n")[0]
    run.city.configuration.write_text(f'{text}\n[signatures]\nlevel = "{level}"\nunit = "city"\n', "utf-8")
    run.city.kill("signatures")
    _until(lambda: _seals(run))


def _seals(run: _Run) -> bool:
    try:
        SignatureClient(run.place.context.peer("app", "signatures")).seal(small(run.actor, 0))
    except TallygateError:
        return False
    return True


def _until(condition: Callable[[], object], *, seconds: float = 300) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            raise RuntimeError("waited too long")
        time.sleep(0.2)


def _prepare(folder: Path) -> None:
    """The sample city, which lets one address ask as often as it can."""
    write_configuration(folder / "site.toml", free_ports(wishes=()))
    # Levels are measured one by one, beginning with the lowest; the table is the last, so that it can be replaced.
    text = re.sub(r"\n\[signatures\]\n[^\[]*", "\n", (folder / "site.toml").read_text("utf-8"))
    text += "\n[gateway]\nrate = 100000\nburst = 100000\nstranger_rate = 100000\nstranger_burst = 100000\n"
    (folder / "site.toml").write_text(f'{text}\n[signatures]\nlevel = "B"\n', "utf-8")


if __name__ == "__main__":
    main()
