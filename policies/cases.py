# SPDX-License-Identifier: Apache-2.0
"""The policies' own tests: a table of questions with the expected answer and reason, read before every release.

``cases.toml`` names principals (``[who.NAME]``) and resources (``[what.NAME]``); ``cases.csv`` holds one question per
line. Every policy must be the reason of at least one line, so that no rule stands there unproved.
"""

import csv
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from core.config import ConfigurationError, decode

from .errors import PoliciesUnusable
from .models import Decision, DecisionRequest, PrincipalKind

_COLUMNS = ("who", "action", "what", "from", "assurance", "flags", "expect", "step_up", "because")
_FLAGS = {"device", "public"}
# Flags with a value, such as purpose=tax-audit.
_SAID = {"purpose", "for", "state", "port", "protocol"}
_AT = datetime(2026, 1, 1, tzinfo=UTC)
_KINDS = set(get_args(PrincipalKind))


@dataclass(frozen=True, kw_only=True)
class Who:
    """A principal of the table."""

    kind: str
    roles: tuple[str, ...] = ()
    organisation: str = ""
    mandates: tuple[str, ...] = ()
    enabled: bool = True
    proofing: int = 3
    clearance: int = 0


@dataclass(frozen=True, kw_only=True)
class What:
    """A resource of the table; ``id`` is its name unless given."""

    resource_class: str
    zone: str
    id: str = ""
    owner: str = ""
    classification: int = 0
    required_assurance: int = 0
    record_class: str = ""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line: a question and what must be answered."""

    line: int
    request: DecisionRequest
    expect: str
    step_up: int | None
    # Names of policies and rows that must be the reasons, all of them; not compared where empty.
    because: frozenset[str]

    def differs(self, decision: Decision) -> str:
        """What is wrong with an answer; empty if nothing."""
        got = (decision.code, decision.step_up)
        if got != (self.expect, self.step_up):
            return f"line {self.line}: expected {self.expect} {self.step_up}, got {got[0]} {got[1]} {decision.reasons}"
        if self.because and self.because != set(decision.reasons):
            return f"line {self.line}: expected because of {sorted(self.because)}, got {decision.reasons}"
        return ""


def read_cases(people: bytes, table: bytes) -> tuple[Case, ...]:
    """Parse both files.

    Raises:
        PoliciesUnusable: with the line.
    """
    try:
        document = decode(_Document, tomllib.loads(people.decode("utf-8")), where="cases.toml", folder=Path())
        lines = [line for line in enumerate(table.decode("utf-8").splitlines(), 1) if _counts(line[1])]
    except (ValueError, ConfigurationError) as error:
        raise PoliciesUnusable(why=f"cases: {error}") from error
    try:
        rows = list(csv.reader([text for _, text in lines], skipinitialspace=True))
    except csv.Error as error:
        raise PoliciesUnusable(why=f"cases.csv: {error}") from error
    if not rows or tuple(rows[0]) != _COLUMNS:
        raise PoliciesUnusable(why=f"cases.csv: the columns are {', '.join(_COLUMNS)}")
    if len(rows) != len(lines):
        raise PoliciesUnusable(why="cases.csv: a quotation mark takes several lines for one")
    cases = []
    for (number, _), row in zip(lines[1:], rows[1:], strict=True):
        try:
            cases.append(_case(number, dict(zip(_COLUMNS, row, strict=True)), document))
        except (KeyError, ValueError) as error:
            raise PoliciesUnusable(why=f"cases.csv line {number}: {error}") from error
    return tuple(cases)


def failures(
    cases: Iterable[Case], decide: Callable[[DecisionRequest], Decision], policies: Iterable[str]
) -> list[str]:
    """Every line that is answered otherwise, and every policy that no line proves."""
    wrong: list[str] = []
    proved: set[str] = set()
    for case in cases:
        decision = decide(case.request)
        difference = case.differs(decision)
        if difference:
            wrong.append(difference)
        elif case.because:
            proved.update(decision.reasons)
    return [*wrong, *(f"no case proves {policy}" for policy in sorted(set(policies) - proved))]


@dataclass(frozen=True, kw_only=True)
class _Document:
    who: dict[str, Who]
    what: dict[str, What]


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _case(number: int, row: Mapping[str, str], document: _Document) -> Case:
    who, what = document.who[row["who"]], document.what[row["what"]]
    words = row["flags"].split()
    said = dict(word.split("=", 1) for word in words if "=" in word)
    flags = {word for word in words if "=" not in word}
    if not flags <= _FLAGS or not said.keys() <= _SAID or who.kind not in _KINDS:
        raise ValueError("unknown flag or kind")
    request = DecisionRequest(
        principal_kind=who.kind,  # type: ignore[arg-type]  # checked above
        subject="" if who.kind == "anonymous" else row["who"],
        roles=frozenset(who.roles),
        organisation=who.organisation,
        mandates=frozenset(who.mandates),
        enabled=who.enabled,
        proofing=who.proofing,
        assurance=int(row["assurance"]),
        clearance=who.clearance,
        action=row["action"],
        method="GET" if row["action"] == "access" else "",
        resource=what.id or row["what"],
        resource_class=what.resource_class,
        owner=what.owner,
        classification=what.classification,
        from_zone=row["from"],
        to_zone=what.zone,
        required_assurance=what.required_assurance,
        device="device-1" if "device" in flags else None,
        device_state=said.get("state", ""),
        record_class=what.record_class,
        acting_for=said.get("for", ""),
        purpose=said.get("purpose", ""),
        path_public="public" in flags,
        port=int(said.get("port", 0)),
        protocol=said.get("protocol", ""),
        at=_AT,
    )
    return Case(
        line=number,
        request=request,
        expect=row["expect"],
        step_up=int(row["step_up"]) if row["step_up"] else None,
        because=frozenset(row["because"].split()),
    )
