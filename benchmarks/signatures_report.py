# SPDX-License-Identifier: Apache-2.0
"""The figures of ``benchmarks.signatures`` as a document, in the frame of ``signatures.md`` beside this file."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .measure import Figure
from .report import Machine
from .signatures_files import Folder, Slow

_TEMPLATE = Path(__file__).with_name("signatures.md")
_SHOWN = ("signatures", "ca", "nginx", "log", "slapd")


@dataclass(frozen=True)
class Row:
    """One figure."""

    name: str
    figure: Figure
    target: int
    # Compared with bare signatures, or with bare verifications.
    signs: bool
    # Milliseconds of processor time for one operation, by role of the city.
    spent: Mapping[str, float]
    # The same of whoever asked.
    caller: float
    # Seconds of the slowest one.
    slowest: float

    @property
    def all_cores(self) -> float:
        """How many this machine does if all its cores work for the city and the callers stand elsewhere."""
        each = sum(self.spent.values())
        return 1000 * (os.cpu_count() or 1) / each if each else 0.0


@dataclass(frozen=True)
class Limits:
    """What the same machine does in the same run without us, on all cores: P-256 alone, and pyHanko alone (PAdES B)."""

    signing: Figure
    checking: Figure
    library_signing: Figure
    library_judging: Figure


@dataclass(frozen=True)
class Memory:
    """Mebibytes of the role's processes, readers included: the peak of each (VmHWM), and its share at the end (Pss)."""

    peaks: Sequence[int]
    shares: Sequence[int]


def written(
    machine: Machine,
    rows: Sequence[Row],
    *,
    limits: Limits,
    memory: Memory,
    slow: Sequence[Slow],
    folders: Sequence[Folder],
) -> str:
    """The whole document."""
    after = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    where = [
        "| | |",
        "| --- | --- |",
        f"| date | {machine.at:%Y-%m-%d %H:%M} UTC |",
        f"| commit | {machine.commit} |",
        f"| cores, shared by city and callers | {machine.cores} |",
        f"| processor | {machine.model} |",
        f"| system | {machine.system}, {machine.files} |",
        f"| load average before and after (1, 5, 15 min) | {machine.load}; {after} |",
        f"| P-256 signatures alone, 2 threads | {limits.signing.rate:,.0f}/s |",
        f"| P-256 verifications alone, 2 threads | {limits.checking.rate:,.0f}/s |",
        f"| PAdES B by pyHanko alone, 2 processes | {limits.library_signing.rate:,.0f}/s |",
        f"| verdicts on it by pyHanko alone, 2 processes | {limits.library_judging.rate:,.0f}/s |",
        f"| peak of each process of the role, shared pages counted in each (VmHWM) | {_listed(memory.peaks)} |",
        f"| the same at the end, shared pages once (Pss) | {_listed(memory.shares)} |",
    ]
    return (
        _TEMPLATE.read_text("utf-8")
        .replace("{where}", "\n".join(where))
        .replace("{rates}", "\n".join(_rates(rows, limits)))
        .replace("{shares}", "\n".join(_shares(rows)))
        .replace("{slow}", "\n".join(_slow(slow)))
        .replace("{folders}", "\n".join(_folders(folders)))
    )


def _listed(mebibytes: Sequence[int]) -> str:
    return f"{', '.join(map(str, mebibytes))} MiB"


def _rates(rows: Sequence[Row], limits: Limits) -> list[str]:
    names = (
        "rate /s",
        "p50 ms",
        "p99 ms",
        "slowest ms",
        "errors",
        "all cores /s",
        "asked for",
        "of P-256",
        "of pyHanko",
    )
    table = [f"| operation | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    for row in rows:
        limit, figure = (limits.signing if row.signs else limits.checking).rate, row.figure
        library = (limits.library_signing if row.signs else limits.library_judging).rate
        table.append(
            f"| {row.name} | {figure.rate:,.0f} | {figure.p50:.1f} | {figure.p99:.1f} | {row.slowest * 1000:.0f}"
            f" | {figure.errors} | {row.all_cores:,.0f} | {row.target or ''} | {figure.rate / limit:.2%}"
            f" | {figure.rate / library:.0%} |"
        )
    return table


def _shares(rows: Sequence[Row]) -> list[str]:
    table = [f"| operation | {' | '.join(_SHOWN)} | other roles | callers |", "| --- |" + " --- |" * (len(_SHOWN) + 2)]
    for row in rows:
        own = [row.spent.get(role, 0.0) for role in _SHOWN]
        rest = sum(row.spent.values()) - sum(own)
        cells = " | ".join(f"{each:.2f}" for each in (*own, rest, row.caller))
        table.append(f"| {row.name} | {cells} |")
    return table


def _slow(files: Sequence[Slow]) -> list[str]:
    table = ["| file | bytes | until sealed or refused, s | until the verdict, s | verdict |", "| --- |" + " --- |" * 4]
    table += [f"| {one.name} | {one.size:,} | {one.seal:.2f} | {one.verdict:.2f} | {one.said} |" for one in files]
    return table


def _folders(folders: Sequence[Folder]) -> list[str]:
    table = [
        "| files | rows | files /s | command at a tenth, MiB | command at most, MiB | largest reading process, MiB |",
        "| --- |" + " --- |" * 5,
    ]
    table += [
        f"| {one.files:,} | {one.rows:,} | {one.files / one.took:.0f} | {one.early:.0f} | {one.late:.0f}"
        f" | {one.reader} |"
        for one in folders
    ]
    return table
