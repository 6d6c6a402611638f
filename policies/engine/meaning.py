# SPDX-License-Identifier: Apache-2.0
"""Whether wherever one policy holds others hold too, by going through everything that could make a difference.

What a policy reads is finite once only what it compares counts: types, roles, classes and zones are names, levels go
from 0 to 3, and of a text it matters only which of the named ones, or which other text, it equals. So the search takes
one assignment after the other and stops at the first where the one holds and none of the others does. What it does not
know (``like``, sets, arithmetic) counts as free: it may be either. A "yes" is therefore certain; a search that would
take too long says "no", and nothing is reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cedarpy import pst

from ..models import Action
from .source import Policy

LEVELS = 4
"""Assurance, proofing, clearance and classification: 0 to 3."""
_LEVELED = frozenset({"assurance", "clearance", "classification", "proofing", "required_assurance"})
_TYPES = ("Person", "Device", "Organisation", "Service", "Client", "Anonymous")
_OTHER = "\0other"


class _Unknown(Exception):
    """The search must choose a value first."""

    def __init__(self, name: Any, values: Sequence[Any]) -> None:
        super().__init__()
        self.name = name
        self.values = values


class _TooFar(Exception):
    """The search took too many steps."""


@dataclass
class _Search:
    """One question: the words that its policies name, and what was chosen so far."""

    texts: list[str]
    names: dict[str, list[str]]
    steps: int
    chosen: dict[Any, Any] = field(default_factory=dict)

    def value(self, name: Any, values: Sequence[Any]) -> Any:
        if name in self.chosen:
            return self.chosen[name]
        raise _Unknown(name, values)

    def free(self, name: Any) -> bool:
        return bool(self.value(("free", repr(name)), (True, False)))


def covered(policy: Policy, others: Sequence[Policy], *, steps: int = 20_000) -> bool:
    """Whether, for certain, one of ``others`` holds wherever ``policy`` does. With none: whether it can never hold."""
    search = _searching([policy, *others], steps)

    def escapes() -> bool:
        return _holds(policy, search) and not any(_holds(other, search) for other in others)

    try:
        return not _possible(search, escapes)
    except (_TooFar, RecursionError):
        # As many conditions that must all be chosen as no search can remember take too long too.
        return False


def _possible(search: _Search, wanted: Any) -> bool:
    search.steps -= 1
    if search.steps < 0:
        raise _TooFar
    try:
        return bool(wanted())
    except _Unknown as open_one:
        for value in open_one.values:
            search.chosen[open_one.name] = value
            if _possible(search, wanted):
                return True
        search.chosen.pop(open_one.name, None)
        return False


def _searching(policies: Sequence[Policy], steps: int) -> _Search:
    texts: set[str] = {""}
    names: dict[str, set[str]] = {}
    terms: set[str] = set()
    for policy in policies:
        tree = policy.tree
        open_ones: list[object] = [tree.principal, tree.resource, *(clause.expr for clause in tree.clauses)]
        while open_ones:
            one = open_ones.pop()
            match one:
                case pst.StringLit(value=value):
                    texts.add(value)
                case pst.EntityUid():
                    names.setdefault(str(one.type), set()).add(one.id)
                case pst.GetAttr() | pst.BinaryOp(op="contains"):
                    terms.add(repr(one))
                case _:
                    pass
            open_ones += [getattr(one, name) for name in getattr(one, "__match_args__", ())] if _inner(one) else []
            if isinstance(one, tuple | list | frozenset):
                open_ones += list(one)
    # As many other texts as there are terms that could each have one of their own.
    fresh = [f"{_OTHER}{number}" for number in range(len(terms))]
    return _Search(
        texts=sorted(texts) + fresh,
        names={kind: [*sorted(found), _OTHER] for kind, found in names.items()},
        steps=steps,
    )


def _inner(one: object) -> bool:
    return type(one).__module__.startswith("cedarpy")


def _holds(policy: Policy, search: _Search) -> bool:
    tree = policy.tree
    action = search.value("action", tuple(map(str, Action)))
    if not policy.concerns(action):
        return False
    if policy.grouped and isinstance(tree.action, pst.ActionIn) and not search.free((tree.action, action)):
        return False
    if not (_scoped("principal", tree.principal, search) and _scoped("resource", tree.resource, search)):
        return False
    return all(bool(_true(clause.expr, search)) == isinstance(clause, pst.When) for clause in tree.clauses)


def _scoped(who: str, scope: object, search: _Search) -> bool:
    match scope:
        case pst.ScopeAny():
            return True
        case pst.ScopeEq(entity=pst.EntityUid() as one):
            return _same(who, one, search)
        case pst.ScopeIn(entity=pst.EntityUid() as one):
            return _within(who, one, search)
        case pst.ScopeIs(entity_type=kind):
            return _is(who, kind, search)
        case pst.ScopeIsIn(entity_type=kind, entity=pst.EntityUid() as one):
            return _is(who, kind, search) and _within(who, one, search)
        case _:
            return search.free((who, scope))


def _is(who: str, kind: object, search: _Search) -> bool:
    return str(kind) == "Target" if who == "resource" else bool(search.value("type", _TYPES) == str(kind))


def _same(who: str, one: pst.EntityUid, search: _Search) -> bool:
    if who == "principal":
        return _is(who, one.type, search) and search.free(("same", one.id))
    return str(one.type) == "Target" and bool(search.value("target", search.names["Target"]) == one.id)


def _within(who: str, one: pst.EntityUid, search: _Search) -> bool:
    kind = str(one.type)
    if who == "principal":
        # Only people hold roles, each any number of them.
        return kind == "Role" and _is(who, "Person", search) and search.free(("role", one.id))
    if kind == "Target":
        return _same(who, one, search)
    # A resource has one class, one zone and at most one record class.
    return bool(search.value(("of", kind), search.names[kind]) == one.id)


def _true(expr: object, search: _Search) -> Any:  # noqa: PLR0912 - one case for each form of Cedar
    match expr:
        case pst.BoolLit(value=value) | pst.StringLit(value=value) | pst.LongLit(value=value):
            return value
        case pst.UnaryOp(op="not", arg=arg):
            return not _true(arg, search)
        case pst.BinaryOp(op="and", left=left, right=right):
            return _true(left, search) and _true(right, search)
        case pst.BinaryOp(op="or", left=left, right=right):
            return _true(left, search) or _true(right, search)
        case pst.IfThenElse(cond=cond, then_expr=then, else_expr=other):
            return _true(then if _true(cond, search) else other, search)
        case pst.Is(base=pst.Var(name=("principal" | "resource") as who), entity_type=kind, in_expr=None):
            return _is(who, kind, search)
        case pst.BinaryOp(
            op="in",
            left=pst.Var(name=("principal" | "resource") as who),
            right=pst.EntityLit(value=pst.EntityUid() as one),
        ):
            return _within(who, one, search)
        case pst.BinaryOp(
            op=("eq" | "not_eq") as op,
            left=pst.Var(name=("principal" | "resource") as who),
            right=pst.EntityLit(value=pst.EntityUid() as one),
        ):
            return _same(who, one, search) == (op == "eq")
        case pst.BinaryOp(op=("eq" | "not_eq" | "less" | "less_eq" | "greater" | "greater_eq") as op):
            return _compared(op, expr, search)
        case pst.BinaryOp(op="contains", left=pst.Set(elements=elements), right=pst.Var(name=who)) if all(
            isinstance(each, pst.EntityLit) for each in elements
        ):
            return any(_same(who, each.value, search) for each in elements if isinstance(each, pst.EntityLit))
        case pst.BinaryOp(op="contains", left=pst.GetAttr() as left, right=right) if _term(right):
            return search.free((repr(left), _true(right, search)))
        case pst.GetAttr(base=pst.Var(name=who), attr=name):
            return _attribute(who, name, expr, search)
        case _:
            return search.free(expr)


def _term(expr: object) -> bool:
    return isinstance(expr, pst.GetAttr | pst.StringLit | pst.LongLit | pst.BoolLit)


def _attribute(who: str, name: str, expr: object, search: _Search) -> Any:
    if name in _LEVELED:
        return search.value((who, name), tuple(range(LEVELS)))
    if name in _BOOLEAN:
        return search.value((who, name), (True, False))
    if name in _TEXT:
        return search.value((who, name), search.texts)
    return search.free(expr)


_BOOLEAN = frozenset({"enabled", "device", "path_public"})
_TEXT = frozenset({"subject", "organisation", "owner", "from_zone", "method", "device_state", "acting_for", "purpose"})
_COMPARES: dict[str, Any] = {
    "eq": lambda one, other: one == other,
    "not_eq": lambda one, other: one != other,
    "less": lambda one, other: one < other,
    "less_eq": lambda one, other: one <= other,
    "greater": lambda one, other: one > other,
    "greater_eq": lambda one, other: one >= other,
}


def _compared(op: str, expr: pst.BinaryOp, search: _Search) -> bool:
    left, right = expr.left, expr.right
    known = all(_plain(each) for each in (left, right))
    if not known:
        return search.free(expr)
    return bool(_COMPARES[op](_true(left, search), _true(right, search)))


def _plain(expr: object) -> bool:
    """Whether its value is one that the search can choose."""
    match expr:
        case pst.StringLit() | pst.LongLit() | pst.BoolLit():
            return True
        case pst.GetAttr(base=pst.Var(), attr=name):
            return name in _LEVELED | _BOOLEAN | _TEXT
        case _:
            return False
