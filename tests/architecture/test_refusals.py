# SPDX-License-Identifier: Apache-2.0
"""Where two people must have a say, a refusal is on record before whoever wished it is told: every place, by a table.

The errors of that family are found by what they are, so that a new one cannot be forgotten; each place that raises one
records first, or is a rule whose caller does, which the table names. That the entries say the right thing is tested
beside each component.
"""

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from core.errors import TallygateError

ROOT = Path(__file__).parents[2]
COMPONENTS = (
    "audit.alerts",
    "audit.cases",
    "audit.warrants",
    "ca",
    "directory",
    "gateway",
    "policies",
    "signatures",
    "sso",
)
# What such an error tells whoever meets it.
_SAYS = ("yourself", "another officer must", "another administrator", "about you", "that must be kept apart")
# Errors that say it by their parameters.
_BESIDES = {"IssuanceDenied", "NotForThisOfficer", "NotYourPower"}
# Pure rules: who raises, and who calls it and records what it raises.
_RULES = {
    ("audit/warrants/rules.py", "may_ask"): ("audit/warrants/service.py", "ask"),
    ("audit/warrants/rules.py", "may_decide"): ("audit/warrants/service.py", "_deciding"),
    ("audit/warrants/rules.py", "may_withdraw"): ("audit/warrants/service.py", "withdraw"),
    ("ca/service/issuance.py", "_examine"): ("ca/service/issuance.py", "_examine"),
}
_RECORDS = {"record", "_record", "_refused", "_refuse", "refuse", "_tell", "_deny", "_rejected"}


def family() -> set[str]:
    """Names of the errors that keep one person from what two must do."""
    found = set(_BESIDES)
    for component in COMPONENTS:
        try:
            module = import_module(f"{component}.errors")
        except ModuleNotFoundError:
            continue
        for name, each in inspect.getmembers(module, inspect.isclass):
            said = str(getattr(each, "message", "")).lower()
            if issubclass(each, TallygateError) and any(words in said for words in _SAYS):
                found.add(name)
    return found


def raising() -> Iterator[tuple[str, ast.FunctionDef, int, str]]:
    """Every place that raises one: file, function, line and error."""
    names = family()
    for path in sorted(ROOT.glob("*/**/*.py")):
        inside = path.relative_to(ROOT)
        if inside.parts[0] in {"tests", "benchmarks", "build"} or inside.parts[0].startswith("."):
            continue
        text = path.read_text("utf-8")
        if not any(name in text for name in names):
            continue
        for function in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)):
            for node in ast.walk(function):
                if isinstance(node, ast.Raise):
                    named = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} & names
                    yield from ((str(inside), function, node.lineno, each) for each in sorted(named))


def records_before(function: ast.FunctionDef, line: int) -> bool:
    """Whether something is put on record above this line of the function, or where what it calls is caught."""
    return any(
        isinstance(node, ast.Call)
        and node.lineno < line
        and (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")) in _RECORDS
        for node in ast.walk(function)
    )


PLACES = [(path, function, line, error) for path, function, line, error in raising()]


def test_the_family_is_the_known_one() -> None:
    """A new error of this kind shows here, and then has to be recorded."""
    assert family() >= {
        "AboutYou", "AlertAboutYou", "CaseAboutYou", "DutiesConflict", "IssuanceDenied", "NotForThisOfficer",
        "NotYourPower", "OwnCase", "OwnRole", "OwnWarrant",
    }  # fmt: skip
    assert {error for _, _, _, error in PLACES} >= {"OwnRole", "NotForThisOfficer", "IssuanceDenied", "OwnWarrant"}


@pytest.mark.parametrize(
    ("path", "function", "line", "error"),
    PLACES,
    ids=[f"{path}:{each.name}:{error}" for path, each, _, error in PLACES],
)
def test_each_refusal_is_recorded_before_it_is_told(
    path: str, function: ast.FunctionDef, line: int, error: str
) -> None:
    rule = _RULES.get((path, function.name))
    if rule is None:
        assert records_before(function, line), f"{path}:{line} raises {error} and records nothing before"
        return
    tree = ast.parse((ROOT / rule[0]).read_text("utf-8"))
    [caller] = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == rule[1]]
    caught = [node for node in ast.walk(caller) if isinstance(node, ast.ExceptHandler)]
    assert any(records_before(caller, each.body[-1].lineno + 1) for each in caught), rule
