# SPDX-License-Identifier: Apache-2.0
"""The table as a document: figures of this run in the frame of ``template.md``, whose words say what they mean."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .measure import Figure

# Milliseconds; less is noise of the clock's ticks.
_SHOWN = 0.05
_TEMPLATE = Path(__file__).with_name("template.md")


@dataclass(frozen=True)
class Row:
    """One line of the table; ``beside`` names the bare rate that it is compared with."""

    name: str
    figure: Figure
    beside: str = ""
    bare: float = 0.0
    target: int = 0


@dataclass(frozen=True)
class Machine:
    """Where and when, and how busy others kept it."""

    at: datetime
    cores: int
    model: str
    system: str
    files: str
    load: str
    commit: str

    @classmethod
    def here(cls, folder: Path) -> "Machine":
        """This machine, before the run."""
        model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text("utf-8"))
        return cls(
            at=datetime.now(UTC),
            cores=os.cpu_count() or 0,
            model=model.group(1) if model else platform.processor(),
            system=platform.platform(),
            files=_said("stat", "-f", "-c", "%T", str(folder)),
            load=", ".join(f"{one:.1f}" for one in os.getloadavg()),
            commit=_said("git", "-C", str(_TEMPLATE.parent), "rev-parse", "--short", "HEAD"),
        )


def written(
    machine: Machine,
    rows: Sequence[Row],
    memory: Mapping[str, Sequence[int]],
    shares: Mapping[str, Mapping[str, float]],
    *,
    added: str,
) -> str:
    """The whole document; ``shares`` are milliseconds of processor time for one operation, by role."""
    after = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    where = [
        "| | |",
        "| --- | --- |",
        f"| date | {machine.at:%Y-%m-%d %H:%M} UTC |",
        f"| commit | {machine.commit} |",
        f"| cores | {machine.cores} |",
        f"| processor | {machine.model} |",
        f"| system | {machine.system}, {machine.files} |",
        f"| load average before the run (1, 5, 15 min) | {machine.load} |",
        f"| load average after the run | {after} |",
    ]
    table = [
        "| figure | rate /s | p50 ms | p99 ms | errors | beside | bare rate /s | ratio | target /s |",
        "| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: |",
        *(_line(row) for row in rows),
    ]
    peaks = [
        "| role | processes | largest MiB | all MiB |",
        "| --- | ---: | ---: | ---: |",
        *(f"| {role} | {len(all_)} | {max(all_)} | {sum(all_)} |" for role, all_ in memory.items() if all_),
        f"| **city** | {sum(map(len, memory.values()))} | | {sum(map(sum, memory.values()))} |",
    ]
    roles = sorted({role for each in shares.values() for role, cost in each.items() if cost >= _SHOWN})
    costs = [
        f"| processor ms for one | {' | '.join(roles)} | sum |",
        f"| --- | {'---: | ' * (len(roles) + 1)}".rstrip(),
        *(_costs(name, each, roles) for name, each in shares.items()),
    ]
    text = _TEMPLATE.read_text("utf-8")
    for mark, lines in (
        ("machine", where),
        ("figures", table),
        ("memory", peaks),
        ("costs", costs),
        ("added", [added]),
    ):
        text = text.replace(f"<!-- {mark} -->", "\n".join(lines))
    return text


def _line(row: Row) -> str:
    figure = row.figure
    ratio = f"{figure.rate / row.bare:.3f}" if row.bare else ""
    bare = f"{row.bare:,.0f}" if row.bare else ""
    met = "" if not row.target else f"{row.target:,} {'met' if figure.rate >= row.target else 'missed'}"
    return (
        f"| {row.name} | {figure.rate:,.1f} | {figure.p50:,.2f} | {figure.p99:,.2f} | {figure.errors} "
        f"| {row.beside} | {bare} | {ratio} | {met} |"
    )


def _costs(name: str, each: Mapping[str, float], roles: Sequence[str]) -> str:
    cells = [f"{each.get(role, 0.0):.2f}" if each.get(role, 0.0) >= _SHOWN else "" for role in roles]
    return f"| {name} | {' | '.join(cells)} | {sum(each.values()):.2f} |"


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def replaced(document: str, heading: str, part: str) -> str:
    """A document with one of its parts written anew, each below a heading of the second level; the others stay.

    An empty heading is what stands before the first. A part that is not there yet comes last.
    """
    parts = re.split(r"^(?=## )", document, flags=re.MULTILINE)
    own = f"{part.strip()}\n"
    place = next((n for n, each in enumerate(parts) if each.partition("\n")[0] == heading), 0 if not heading else -1)
    parts = [*parts, own] if place < 0 else [*parts[:place], own, *parts[place + 1 :]]
    return "\n\n".join(each.strip() for each in parts if each.strip()) + "\n"
