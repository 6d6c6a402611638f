# SPDX-License-Identifier: Apache-2.0
"""The figures of ``benchmarks.sso`` as a document, in the frame of ``sso.md`` beside this file."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .measure import Figure
from .report import Machine

_TEMPLATE = Path(__file__).with_name("sso.md")
_SHOWN = ("sso", "nginx", "log", "slapd", "gateway", "directory")


@dataclass(frozen=True)
class Row:
    """One figure."""

    name: str
    figure: Figure
    target: int
    signatures: int
    # Milliseconds of processor time for one operation, by role of the city.
    spent: Mapping[str, float]
    # The same of whoever asked.
    caller: float

    @property
    def per_core(self) -> float:
        """How many one core does, if all of the city's work lies on it and the callers' does not."""
        each = sum(self.spent.values())
        return 1000 / each if each else 0.0


@dataclass(frozen=True)
class Memory:
    """Mebibytes of sign-on's processes, workers first: the peak of each (VmHWM), and its share at the end (Pss)."""

    peaks: Sequence[int]
    shares: Sequence[int]


def written(
    machine: Machine,
    rows: Sequence[Row],
    *,
    signing: Figure,
    memory: Memory,
    alone: str,
    grown: str,
    tables: str,
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
        f"| tables | {tables} |",
        f"| load average before and after (1, 5, 15 min) | {machine.load}; {after} |",
        f"| P-256 signatures alone, 2 threads | {signing.rate:,.0f}/s |",
        f"| memory of sign-on's workers and their parent, shared pages once (Pss) | {_listed(memory.shares)} |",
        f"| the same at its peak, shared pages counted in each (VmHWM) | {_listed(memory.peaks)} |",
    ]
    return (
        _TEMPLATE.read_text("utf-8")
        .replace("{where}", "\n".join(where))
        .replace("{rates}", "\n".join(_rates(rows, signing)))
        .replace("{shares}", "\n".join(_shares(rows)))
        .replace("{alone}", alone)
        .replace("{growth}", grown or "Not measured in this run.")
    )


def _listed(mebibytes: Sequence[int]) -> str:
    return f"{', '.join(map(str, mebibytes))} MiB"


def _rates(rows: Sequence[Row], signing: Figure) -> list[str]:
    table = [
        "| operation | rate /s | p50 ms | p99 ms | errors | per core of the city /s | asked for | of bare P-256 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        limit = signing.rate / row.signatures if row.signatures else 0.0
        table.append(
            f"| {row.name} | {row.figure.rate:,.0f} | {row.figure.p50:.1f} | {row.figure.p99:.1f} | {row.figure.errors}"
            f" | {row.per_core:,.0f} | {row.target or ''} | {f'{row.figure.rate / limit:.1%}' if limit else ''} |"
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
