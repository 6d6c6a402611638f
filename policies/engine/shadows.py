# SPDX-License-Identifier: Apache-2.0
"""Rules that add nothing (GB/T 22239 8.1.3.2 b): said twice, or in another's shadow.

First from the text: a policy stands in another's shadow if both have the same effect and the other asks for a part of
the same conditions and nothing else, so that wherever the one holds the other does too. Then by what they mean
(``meaning``): what can never hold at all, what another implies in other words, and a permit that never permits because
forbids cover it. What is reported is certain; not everything that is so is found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cedarpy import pst

from .meaning import covered
from .source import Policy

MOST = 150
"""Policies up to which every pair is compared by meaning: 22,000 pairs take some seconds."""


@dataclass(frozen=True, kw_only=True)
class Needless:
    """One policy that another makes superfluous."""

    policy: str
    # "duplicate", "shadowed", "implied", "forbidden" or "never".
    kind: str
    # The other one, or the forbids that cover it together; empty for what can never hold.
    by: str

    @property
    def told(self) -> str:
        """In words, for whoever wrote it."""
        match self.kind:
            case "never":
                return "can never hold"
            case "forbidden":
                return f"permits nothing that {self.by} would not forbid"
            case _:
                return f"adds nothing to {self.by}"


@dataclass(frozen=True)
class _Asked:
    # None stands for every action.
    actions: frozenset[str] | None
    # Everything that must hold, as text; parts of a conjunction stand alone, whatever their order.
    conditions: frozenset[str]

    def holds_wherever(self, other: "_Asked") -> bool:
        wide = self.actions is None or (other.actions is not None and self.actions >= other.actions)
        return wide and self.conditions <= other.conditions


def needless(policies: Sequence[Policy]) -> Iterator[Needless]:
    """Every pair; of two that are alike only the later one is called a duplicate."""
    asked = [(policy, _asked(policy.tree)) for policy in policies]
    for place, (policy, own) in enumerate(asked):
        for other_place, (other, others) in enumerate(asked):
            if place == other_place or policy.forbids != other.forbids or not others.holds_wherever(own):
                continue
            if own != others:
                yield Needless(policy=policy.id, kind="shadowed", by=other.id)
            elif other_place < place:
                yield Needless(policy=policy.id, kind="duplicate", by=other.id)


def meaningless(policies: Sequence[Policy]) -> Iterator[Needless]:
    """What the text does not show; for sets too large for every pair, only what forbids cover or can never hold."""
    forbids = [policy for policy in policies if policy.forbids]
    told = {(each.policy, each.by) for each in needless(policies)}
    for place, policy in enumerate(policies):
        if covered(policy, []):
            yield Needless(policy=policy.id, kind="never", by="")
            continue
        if not policy.forbids:
            by = _covering(policy, forbids)
            if by:
                yield Needless(policy=policy.id, kind="forbidden", by=" ".join(by))
                continue
        if len(policies) > MOST:
            continue
        for other_place, other in enumerate(policies):
            if (
                other is policy
                or other.forbids != policy.forbids
                or {(policy.id, other.id), (other.id, policy.id)} & told
            ):
                continue
            # Of two that mean the same only the later one is needless.
            if covered(policy, [other]) and (other_place < place or not covered(other, [policy])):
                yield Needless(policy=policy.id, kind="implied", by=other.id)


def _covering(policy: Policy, forbids: Sequence[Policy]) -> list[str]:
    """The one forbid that covers a permit, or else as few of them together as leave nothing uncovered."""
    for one in forbids:
        if covered(policy, [one]):
            return [one.id]
    if not covered(policy, forbids):
        return []
    needed = list(forbids)
    for one in forbids:
        without = [each for each in needed if each is not one]
        if covered(policy, without):
            needed = without
    return [each.id for each in needed]


def _asked(tree: pst.Template) -> _Asked:
    found = {*_scope("principal", tree.principal), *_scope("resource", tree.resource)}
    for clause in tree.clauses:
        found |= set(_parts(clause.expr, holds=isinstance(clause, pst.When)))
    match tree.action:
        case pst.ActionEq(entity=one):
            return _Asked(frozenset({one.id}), frozenset(found))
        case pst.ActionIn(entities=several):
            return _Asked(frozenset(one.id for one in several), frozenset(found))
        case _:
            return _Asked(None, frozenset(found))


def _scope(name: Literal["principal", "resource"], scope: object) -> Iterator[str]:
    """A scope's conditions, worded as they would be in ``when``."""
    match scope:
        case pst.ScopeEq(entity=pst.EntityUid() as one):
            yield repr(pst.BinaryOp("eq", pst.Var(name), pst.EntityLit(one)))
        case pst.ScopeIn(entity=pst.EntityUid() as one):
            yield repr(pst.BinaryOp("in", pst.Var(name), pst.EntityLit(one)))
        case pst.ScopeAny():
            return
        case _:
            yield f"{name} {scope!r}"


def _parts(expr: object, *, holds: bool) -> Iterator[str]:
    """``a && b`` holds where both do; ``a || b`` does not where neither does."""
    match expr:
        case pst.BinaryOp(op=op, left=left, right=right) if op == ("and" if holds else "or"):
            yield from _parts(left, holds=holds)
            yield from _parts(right, holds=holds)
        case pst.UnaryOp(op="not", arg=arg):
            yield from _parts(arg, holds=not holds)
        case _:
            yield repr(expr) if holds else f"not {expr!r}"
