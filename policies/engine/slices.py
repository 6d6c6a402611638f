# SPDX-License-Identifier: Apache-2.0
"""One small policy set per zone pair, action, class and named resource, because Cedar reads a whole set each time.

A permit is left out only where its own text cannot hold: another action in its scope, or a condition that names another
zone, class or resource. Leaving a permit out never allows more. Every forbid is in every slice.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import cedarpy
from cedarpy import pst

from ..models import Action
from .source import Policy

Key = tuple[str, str, str]
# A resource has no other parents than its class, its zone and its record class.
_TELLING = ("Class", "Target")
_MOST = 20_000
"""Finer slices that are kept; each is made when it is first asked for."""


def slices(policies: Sequence[Policy], zones: Iterable[str]) -> dict[Key, cedarpy.PolicySet]:
    """The set for each (from zone, to zone, action)."""
    made: dict[frozenset[str], cedarpy.PolicySet] = {}
    found: dict[Key, cedarpy.PolicySet] = {}
    known = sorted(zones)
    for key in ((here, there, str(action)) for here in known for there in known for action in Action):
        members = [policy for policy in policies if policy.forbids or _can_hold(policy, key)]
        names = frozenset(policy.id for policy in members)
        if names not in made:
            made[names] = compiled(members)
        found[key] = made[names]
    return found


class Finer:
    """The slice for one question, among those of its zone pair and action; safe for threads."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self._policies = policies
        self._named = {policy.id: tuple(_named(policy.tree)) for policy in policies}
        # Those of each zone pair and action, found once.
        self._places: dict[Key, _Place] = {}
        # What no policy names makes no slice of its own.
        found = [entity for policy in policies if not policy.forbids for entity in self._named[policy.id]]
        self._classes = frozenset(entity.id for entity in found if str(entity.type) == "Class")
        self._resources = frozenset(entity.id for entity in found if str(entity.type) == "Target")
        self._made: dict[frozenset[str], cedarpy.PolicySet] = {}
        self._known: dict[tuple[str, ...], cedarpy.PolicySet] = {}

    def get(self, key: Key, *, resource_class: str, resource: str) -> cedarpy.PolicySet:
        """Every forbid, and the permits that could hold."""
        one = resource_class if resource_class in self._classes else ""
        other = resource if resource in self._resources else ""
        found = self._known.get((*key, one, other))
        return found if found is not None else self._make(key, one, other)

    def permits(self, key: Key, *, resource_class: str) -> bool:
        """Whether any permit could hold for some resource of that class."""
        of = (each for each in self._policies if not each.forbids and _can_hold(each, key))
        return any(
            all(named.id == resource_class for named in self._named[each.id] if str(named.type) == "Class")
            for each in of
        )

    def _make(self, key: Key, resource_class: str, resource: str) -> cedarpy.PolicySet:
        if key not in self._places:
            self._places[key] = _Place(self._policies, self._named, key)
        members = self._places[key].members(resource_class, resource)
        names = frozenset(policy.id for policy in members)
        made = self._made.get(names)
        if made is None:
            made = self._made[names] = compiled(members)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[*key, resource_class, resource] = made
        return made


class _Place:
    """The policies of one zone pair and action, found by the class or resource they name.

    A slice costs its own members and not all policies: a site with a thousand portals has a slice for each.
    """

    def __init__(self, policies: Sequence[Policy], named: Mapping[str, Sequence[pst.EntityUid]], key: Key) -> None:
        self._always: list[Policy] = []
        self._by_name: defaultdict[tuple[str, str], list[tuple[Policy, list[pst.EntityUid]]]] = defaultdict(list)
        for policy in policies:
            if policy.forbids:
                self._always.append(policy)
            elif _can_hold(policy, key):
                telling = [each for each in named[policy.id] if str(each.type) in _TELLING]
                if telling:
                    self._by_name[str(telling[0].type), telling[0].id].append((policy, telling))
                else:
                    self._always.append(policy)

    def members(self, resource_class: str, resource: str) -> list[Policy]:
        """Every forbid, and the permits that do not name another class or resource."""
        found = (*self._by_name.get(("Class", resource_class), ()), *self._by_name.get(("Target", resource), ()))
        asked = {"Class": resource_class, "Target": resource}
        return self._always + [
            policy for policy, telling in found if all(asked[str(each.type)] == each.id for each in telling)
        ]


def _named(tree: pst.Template) -> Iterator[pst.EntityUid]:
    """Classes and resources of which the one that is asked for must be."""
    match tree.resource:
        case pst.ScopeIn(entity=pst.EntityUid() as one) | pst.ScopeEq(entity=pst.EntityUid() as one):
            yield one
        case _:
            pass
    for condition in _conditions(tree):
        match condition:
            case pst.BinaryOp(
                op="in" | "eq", left=pst.Var(name="resource"), right=pst.EntityLit(value=pst.EntityUid() as one)
            ):
                yield one
            case _:
                pass


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


def _can_hold(policy: Policy, key: Key) -> bool:
    tree, (here, there, action) = policy.tree, key
    if not policy.concerns(action):
        return False
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
