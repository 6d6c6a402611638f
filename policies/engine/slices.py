# SPDX-License-Identifier: Apache-2.0
"""One small policy set per zone pair and action, because Cedar reads every policy of a set for every question.

A permit is left out only where its own text cannot hold: another action in its scope, or a condition that names another
zone. Leaving a permit out never allows more. Every forbid is in every slice.
"""

from collections.abc import Iterable, Iterator, Sequence

import cedarpy
from cedarpy import pst

from ..models import Action
from .source import Policy

Key = tuple[str, str, str]


def slices(policies: Sequence[Policy], zones: Iterable[str]) -> dict[Key, cedarpy.PolicySet]:
    """The set for each (from zone, to zone, action)."""
    made: dict[frozenset[str], cedarpy.PolicySet] = {}
    found: dict[Key, cedarpy.PolicySet] = {}
    known = sorted(zones)
    for key in ((here, there, str(action)) for here in known for there in known for action in Action):
        members = [policy for policy in policies if policy.forbids or _can_hold(policy.tree, key)]
        names = frozenset(policy.id for policy in members)
        if names not in made:
            made[names] = compiled(members)
        found[key] = made[names]
    return found


def compiled(policies: Sequence[Policy]) -> cedarpy.PolicySet:
    """One handle for these policies; each is known inside Cedar by its `@id` too."""
    trees = {
        policy.id: pst.Template(
            policy.id,
            policy.tree.effect,
            policy.tree.principal,
            policy.tree.action,
            policy.tree.resource,
            policy.tree.clauses,
            policy.tree.annotations,
        )
        for policy in policies
    }
    return cedarpy.PolicySet.from_pst(pst.PolicySet(pst.FrozenMap(), pst.FrozenMap(trees), ()))


def _can_hold(tree: pst.Template, key: Key) -> bool:
    here, there, action = key
    match tree.action:
        case pst.ActionEq(entity=one) if one.id != action:
            return False
        case pst.ActionIn(entities=several) if action not in {one.id for one in several}:
            return False
        case _:
            pass
    if isinstance(tree.resource, pst.ScopeIn) and _other_zone(tree.resource.entity, there):
        return False
    return not any(_rules_out(condition, here, there) for condition in _conditions(tree))


def _conditions(tree: pst.Template) -> Iterator[object]:
    """Expressions each of which must hold for the policy to hold."""
    open_ones: list[object] = [clause.expr for clause in tree.clauses if isinstance(clause, pst.When)]
    while open_ones:
        expr = open_ones.pop()
        if isinstance(expr, pst.BinaryOp) and expr.op == "and":
            open_ones += [expr.left, expr.right]
        else:
            yield expr


def _rules_out(condition: object, here: str, there: str) -> bool:
    match condition:
        case pst.BinaryOp(
            op="eq", left=pst.GetAttr(base=pst.Var(name="context"), attr="from_zone"), right=pst.StringLit(value=zone)
        ):
            return zone != here
        case pst.BinaryOp(op="in", left=pst.Var(name="resource"), right=pst.EntityLit(value=entity)):
            return _other_zone(entity, there)
        case _:
            return False


def _other_zone(entity: object, there: str) -> bool:
    return isinstance(entity, pst.EntityUid) and str(entity.type) == "Zone" and entity.id != there
