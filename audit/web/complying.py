# SPDX-License-Identifier: Apache-2.0
"""What a standard asks for, clause by clause, beside what this site shows of it at this moment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from flask import Blueprint, Response, render_template

from core.errors import N_, TallygateError
from core.log import logger
from core.web import Guard

from ..console import Console
from .asked import file, officer, parameters
from .blueprint import ROLE, Pages

_log = logger(__name__)
Kind = Literal["setting", "test", "record", "site"]
KINDS: dict[Kind, str] = {
    "setting": N_("setting in force"),
    "test": N_("tried just now"),
    "record": N_("read in the record"),
    "site": N_("The site's own network or organisation must show this."),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found when it was looked for."""

    met: bool
    # Names and values as they were read, one line each.
    shown: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One requirement; ``look`` reads its evidence anew each time, and nothing looks for what is the site's own."""

    number: str
    asks: str
    asks_zh: str
    kind: Kind
    look: Callable[[], Finding] | None = None
    # What is found here is not all that is asked for: the rest is the site's own network's or organisation's.
    beyond: bool = False


Clauses = Sequence[tuple[str, Sequence[Clause]]]
Standards = Sequence[tuple[str, Sequence["Row"]]]
Paper = Callable[[Standards], bytes]
"""Makes the report on paper of what was found."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One clause and what was found; ``met`` is None where there is no evidence, which is no yes."""

    clause: Clause
    met: bool | None
    shown: tuple[str, ...] = ()


def examined(clauses: Sequence[Clause]) -> list[Row]:
    """Look for the evidence of every clause; what cannot be read shows nothing."""
    return [_row(clause) for clause in clauses]


def _row(clause: Clause) -> Row:
    if clause.look is None:
        return Row(clause=clause, met=None)
    try:
        found = clause.look()
    except (TallygateError, OSError, ValueError) as error:
        _log.warning("evidence_unreadable", clause=clause.number, cause=type(error).__name__)
        return Row(clause=clause, met=None, shown=(f"{type(error).__name__}",))
    # Without evidence there is no yes, whatever was answered.
    return Row(clause=clause, met=found.met if found.shown else None, shown=found.shown)


def complying(console: Console, *, standards: Callable[[], Clauses], paper: Paper, assurance: int = 1) -> Pages:
    """The officers' page and its paper; ``standards`` gives their names and clauses, for one examination."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/compliance")
        @guard.person(ROLE, assurance=assurance)
        def compliance() -> str:
            parameters(only=("lang",))
            console.record("audit.searched", officer(), attributes={"view": "compliance"})
            return render_template(
                "audit/compliance.html",
                standards=[(name, examined(clauses)) for name, clauses in standards()],
                kinds=KINDS,
            )

        @made.get("/compliance.pdf")
        @guard.person(ROLE, assurance=assurance)
        def compliance_paper() -> Response:
            parameters(only=("lang",))
            console.record("audit.searched", officer(), attributes={"view": "compliance"})
            content = paper([(name, examined(clauses)) for name, clauses in standards()])
            return file(content, "application/pdf", "compliance.pdf")

    return pages
