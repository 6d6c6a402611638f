# SPDX-License-Identifier: Apache-2.0
"""Shipped rules look at what is really said: every type, field and value in them stands in its owner's own source."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from audit.alerts import SHIPPED
from audit.alerts.fields import HEADER, WORKED_OUT
from audit.events import KINDS
from audit.models import Outcome

ROOT = Path(__file__).parents[2]
# Policies are released by the operator's command, whose events the room of the policies makes.
ROOMS = {"app": ("app", "policies"), "gateway": ("gateway", "policies"), "audit": ("audit",)}
# These speak of what others say.
HEARERS = (
    "audit/events",
    "audit/search",
    "audit/alerts/flatten.py",
    "audit/alerts/fields.py",
    "audit/console/telling.py",
)
GIVEN = frozenset({*HEADER, *WORKED_OUT})


@dataclass(frozen=True)
class Said:
    """What one module says: every text in it, and the names of everything put under a name."""

    texts: frozenset[str]
    names: frozenset[str]


@cache
def _said(source: str) -> Sequence[Said]:
    """By the modules of an owner."""
    paths = [path for room in ROOMS.get(source, (source,)) for path in sorted((ROOT / room).rglob("*.py"))]
    speaking = [path for path in paths if not path.relative_to(ROOT).as_posix().startswith(HEARERS)]
    return [_read(ast.parse(path.read_text("utf-8"))) for path in speaking]


def _read(tree: ast.Module) -> Said:
    texts: set[str] = set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
        elif isinstance(node, ast.Dict):
            names.update(key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
                names.add(node.slice.value)
        elif isinstance(node, ast.keyword) and node.arg:
            names.add(node.arg)
    return Said(frozenset(texts), frozenset(names))


def _missing(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """What no owner says of what the rules of one file select, group or count by."""
    wrong: list[str] = []
    kinds: list[str] = []
    for document in documents:
        service = document.get("logsource", {}).get("service", "")
        for name, chosen in document.get("detection", {}).items():
            if name != "condition":
                own = _list(chosen.get("type", []))
                kinds += own
                wrong += _selection(own, service, chosen)
    for document in documents:
        correlation, ours = document.get("correlation", {}), document.get("tallygate", {})
        fields = [*correlation.get("group-by", []), *ours.get("group", [])]
        condition = correlation.get("condition", {})
        fields += [condition["field"]] if "field" in condition else []
        for kind in kinds:
            wrong += [why for field in fields for why in _field(kind, field, [])]
    return wrong


def _selection(kinds: Sequence[str], service: str, chosen: Mapping[str, Any]) -> Iterator[str]:
    for key, value in chosen.items():
        field, _, how = key.partition("|")
        wanted = [] if how and how != "contains" else [each for each in _list(value) if isinstance(each, str)]
        if field == "outcome":
            yield from (f"outcome {each}" for each in wanted if each not in set(Outcome))
        elif not kinds and field not in WORKED_OUT:
            yield f"{field} without a type"
        for kind in kinds:
            yield from _field(kind, field, wanted)
    for kind in kinds:
        if kind not in KINDS:
            yield f"no type {kind}"
        elif service and KINDS[kind].sources and service not in KINDS[kind].sources:
            yield f"{service} does not say {kind}"


def _field(kind: str, field: str, wanted: Sequence[str]) -> Iterator[str]:
    if kind not in KINDS:
        return
    modules = [said for source in KINDS[kind].sources or ("audit",) for said in _said(source)]
    saying = [said for said in modules if kind in said.texts] or _put_together(modules, kind)
    if not saying:
        yield f"nobody says {kind}"
    if field in GIVEN:
        return
    if field not in KINDS[kind].attributes:
        yield f"{kind} declares no {field}"
    # The module that says the type gives the attribute its name; its value may come from another one of the owner.
    if not any(field in said.names for said in saying):
        yield f"nobody gives {field} to {kind}"
    for value in wanted:
        if not any(value in said.texts for said in modules):
            yield f"no {field} of {kind} is {value!r}"


def _put_together(modules: Sequence[Said], kind: str) -> list[Said]:
    """The modules that say the family of a type; its last word may come from another one of the owner."""
    family, _, last = kind.rpartition(".")
    known = any(last in said.texts for said in modules)
    return [said for said in modules if known and f"{family}." in said.texts]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yml")), ids=lambda path: path.stem)
def test_what_a_shipped_rule_looks_at_is_really_said(path: Path) -> None:
    assert _missing(list(yaml.safe_load_all(path.read_text("utf-8")))) == []


@pytest.mark.parametrize(
    ("service", "selection", "group", "why"),
    [
        ("sso", {"type": "sso.login", "reason": "mistyped"}, [], "no reason of sso.login is 'mistyped'"),
        ("sso", {"type": "sso.login", "shown": "1"}, [], "sso.login declares no shown"),
        ("sso", {"type": "sso.logins"}, [], "no type sso.logins"),
        ("gateway", {"type": "sso.login"}, [], "gateway does not say sso.login"),
        ("sso", {"type": "sso.login", "outcome": "failed"}, [], "outcome failed"),
        ("ca", {"type": "ca.certificate.issued"}, ["reasons"], "ca.certificate.issued declares no reasons"),
        ("sso", {"type": "sso.login"}, ["planet"], "sso.login declares no planet"),
    ],
)
def test_a_rule_that_would_never_fire_is_found(
    service: str, selection: dict[str, str], group: list[str], why: str
) -> None:
    rule = {
        "logsource": {"service": service},
        "detection": {"selection": selection, "condition": "selection"},
        "tallygate": {"group": group},
    }
    assert why in _missing([rule])


def test_a_field_that_is_declared_and_given_by_nobody_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = KINDS["sso.login"]
    declared = {**KINDS, "sso.login": replace(kind, attributes=kind.attributes | {"shown"})}
    monkeypatch.setattr("tests.audit.test_alert_emitted.KINDS", declared)
    assert list(_field("sso.login", "shown", [])) == ["nobody gives shown to sso.login"]
