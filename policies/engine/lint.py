# SPDX-License-Identifier: Apache-2.0
"""A forbid must also forbid where an optional attribute is missing.

Cedar's validator demands a presence test before an optional attribute is read, but is content with
``forbid when { context has level && context.level < 3 }``, which forbids nothing to whoever sends no level. Presence
may only be tested where absence pushes towards forbidding: under a negation in ``when``, without one in ``unless``.
"""

import re
from collections.abc import Iterator

from cedarpy import pst

_OPTIONAL = re.compile(r'(?:"(?P<quoted>[^"]+)"|(?P<bare>\w+))\s*\?\s*:')
_COMMENT = re.compile(r"//[^\n]*")
_COMPARING = frozenset({"eq", "greater", "greater_eq", "less", "less_eq", "not_eq"})
_NOW = pst.GetAttr(base=pst.Var("context"), attr="at")


def optional_attributes(schema_text: str) -> frozenset[str]:
    """Names declared optional anywhere; one name optional in one type counts as optional in all."""
    found = _OPTIONAL.finditer(_COMMENT.sub("", schema_text))
    return frozenset(match["quoted"] or match["bare"] for match in found)


def unsafe_presence_test(policy: pst.Template, optional: frozenset[str]) -> str | None:
    """The attribute whose absence would disarm this forbid, if there is one."""
    for clause in policy.clauses:
        # In ``when`` the body must become true by absence, in ``unless`` it must become false.
        absence_must_be = isinstance(clause, pst.When)
        for attribute, absence_makes in _presence(clause.expr, positive=True):
            if absence_makes != absence_must_be:
                return attribute
        untested = _reads(clause.expr, optional) - {name for name, _ in _presence(clause.expr, positive=True)}
        if untested:
            return min(untested)
    return None


def reads_time(expr: object) -> bool:
    """Whether the time may matter: it is read, or the context is used whole."""
    nodes = list(_nodes(expr))
    whole = sum(node == pst.Var("context") for node in nodes)
    parts = [node.attr for node in nodes if isinstance(node, pst.GetAttr) and node.base == pst.Var("context")]
    return "at" in parts or whole > len(parts)


def moments(expr: object) -> frozenset[int] | None:
    """Seconds since 1970 at which what this says may change; None where the time is used otherwise than compared."""
    found: set[int] = set()
    compared = 0
    for node in _nodes(expr):
        match node:
            case (
                pst.BinaryOp(op=op, left=pst.GetAttr() as read, right=pst.LongLit(value=value))
                | pst.BinaryOp(op=op, left=pst.LongLit(value=value), right=pst.GetAttr() as read)
            ) if op in _COMPARING and read == _NOW:
                compared += 1
                # Whichever of the two it is: `<=` changes behind the second, `<` before it.
                found |= {value, value + 1}
    nodes = list(_nodes(expr))
    if sum(node == _NOW for node in nodes) > compared or _whole(nodes):
        return None
    return frozenset(found)


def _whole(nodes: list[object]) -> bool:
    """Whether the context is used whole."""
    parts = sum(isinstance(node, pst.GetAttr | pst.HasAttr) and node.base == pst.Var("context") for node in nodes)
    return sum(node == pst.Var("context") for node in nodes) > parts


def _presence(expr: object, *, positive: bool) -> Iterator[tuple[str, bool]]:
    """Each tested attribute, and what its absence pushes the whole expression towards."""
    match expr:
        case pst.HasAttr(attrs=attrs):
            yield ".".join(attrs), not positive
        case pst.UnaryOp(op="not", arg=arg):
            yield from _presence(arg, positive=not positive)
        case pst.BinaryOp(op="and" | "or", left=left, right=right):
            yield from _presence(left, positive=positive)
            yield from _presence(right, positive=positive)
        case _:
            # Inside a comparison or a conditional the direction is unknown: report both, one of them is wrong.
            for tested in _nested_tests(expr):
                yield tested, True
                yield tested, False


def _nested_tests(expr: object) -> Iterator[str]:
    for node in _nodes(expr):
        if isinstance(node, pst.HasAttr):
            yield ".".join(node.attrs)
        elif isinstance(node, pst.BinaryOp) and node.op == "has_tag":
            yield "tag"


def _reads(expr: object, optional: frozenset[str]) -> set[str]:
    return {node.attr for node in _nodes(expr) if isinstance(node, pst.GetAttr)} & optional


def _nodes(expr: object) -> Iterator[object]:
    yield expr
    match expr:
        case pst.UnaryOp(arg=inner) | pst.GetAttr(base=inner) | pst.HasAttr(base=inner) | pst.Like(base=inner):
            yield from _nodes(inner)
        case pst.Is(base=base, in_expr=inside):
            yield from _nodes(base)
            yield from _nodes(inside)
        case pst.BinaryOp(left=left, right=right):
            yield from _nodes(left)
            yield from _nodes(right)
        case pst.IfThenElse(cond=cond, then_expr=then, else_expr=other):
            for part in (cond, then, other):
                yield from _nodes(part)
        case pst.Set(elements=elements):
            for part in elements:
                yield from _nodes(part)
        case pst.Record(fields=fields):
            for part in fields.values():
                yield from _nodes(part)
        case _:
            return
