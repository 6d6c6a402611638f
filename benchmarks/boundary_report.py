# SPDX-License-Identifier: Apache-2.0
"""The figures of ``benchmarks.boundary`` as a document, in the frame of ``boundary.md`` beside this file."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from .measure import Figure
from .report import Machine

_TEMPLATE = Path(__file__).with_name("boundary.md")
_SHOWN = ("nginx", "gateway", "log", "audit", "slapd")


@dataclass(frozen=True)
class Row:
    """One figure."""

    name: str
    figure: Figure
    # Milliseconds of processor time for one request, by role of the site.
    spent: Mapping[str, float]
    # The same of whoever asked.
    caller: float
    target: int = 0

    @property
    def each(self) -> float:
        """Milliseconds of processor time of the whole site for one request."""
        return sum(self.spent.values())


def written(machine: Machine, rows: Sequence[Row], peaks: Mapping[str, Sequence[int]], *, synced: Figure) -> str:
    """The whole document."""
    after = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    where = [
        "| | |",
        "| --- | --- |",
        f"| date | {machine.at:%Y-%m-%d %H:%M} UTC |",
        f"| commit | {machine.commit} |",
        f"| cores, shared by site and load | {machine.cores} |",
        f"| processor | {machine.model} |",
        f"| system | {machine.system}, {machine.files} |",
        f"| load average before and after (1, 5, 15 min) | {machine.load}; {after} |",
        f"| bare fdatasync of 700 bytes, one after the other | {synced.rate:,.0f}/s |",
    ]
    memory = [
        "| role | processes | peak of each, MiB (VmHWM) |",
        "| --- | ---: | --- |",
        *(
            f"| {role} | {len(all_)} | {', '.join(map(str, all_))} |"
            for role, all_ in peaks.items()
            if role in {*_SHOWN, "watch"} and all_
        ),
    ]
    return (
        _TEMPLATE.read_text("utf-8")
        .replace("{where}", "\n".join(where))
        .replace("{rates}", "\n".join(_rates(rows, machine.cores, synced)))
        .replace("{added}", "\n".join(_added(rows)))
        .replace("{shares}", "\n".join(_shares(rows)))
        .replace("{memory}", "\n".join(memory))
    )


def _rates(rows: Sequence[Row], cores: int, synced: Figure) -> list[str]:
    empty = next((row for row in rows if "empty" in row.name), None)
    table = [
        "| what is asked | rate /s | p50 ms | p99 ms | errors | asked for | site alone /s | of empty | of fdatasync |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        figure = row.figure
        ratio = f"{figure.rate / empty.figure.rate:.1%}" if empty and empty.figure.rate else ""
        alone = f"{cores * 1000 / row.each:,.0f}" if row.each else ""
        table.append(
            f"| {row.name} | {figure.rate:,.0f} | {figure.p50:.2f} | {figure.p99:.2f} | {figure.errors} "
            f"| {f'{row.target:,}' if row.target else ''} | {alone} | {ratio} "
            f"| {figure.rate / max(synced.rate, 1):.0%} |"
        )
    return table


def _added(rows: Sequence[Row]) -> list[str]:
    table = ["| at half load | rate /s | adds to p50, ms | adds to p99, ms |", "| --- | ---: | ---: | ---: |"]
    for row, beside in pairwise(rows):
        if row.name.startswith("half load"):
            table.append(
                f"| {row.name.partition(', ')[2]} | {row.figure.rate:,.0f} "
                f"| {row.figure.p50 - beside.figure.p50:.2f} | {row.figure.p99 - beside.figure.p99:.2f} |"
            )
    return table


def _shares(rows: Sequence[Row]) -> list[str]:
    table = [
        f"| what is asked | {' | '.join(_SHOWN)} | others | site | load |",
        f"| --- | {'---: | ' * (len(_SHOWN) + 3)}".rstrip(),
    ]
    for row in rows:
        own = [row.spent.get(role, 0.0) for role in _SHOWN]
        cells = " | ".join(f"{each:.3f}" for each in (*own, row.each - sum(own), row.each, row.caller))
        table.append(f"| {row.name} | {cells} |")
    return table
