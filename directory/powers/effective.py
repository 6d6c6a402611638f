# SPDX-License-Identifier: Apache-2.0
"""Effective access: what kind, posts and grants that hold on a day give together, less everything if disabled."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..models import Person
from ..models_powers import Entitlement, Grant, Holding, Post, Role


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything from which a person's access follows."""

    person: Person
    holdings: tuple[Holding, ...] = ()
    grants: tuple[Grant, ...] = ()
    # Those that the holdings name, and the roles that posts and grants name.
    posts: Mapping[str, Post] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """One way by which an access came: a post held, a grant, or the kind of person if it is neither."""

    role: str = ""
    entitlement: Entitlement | None = None
    holding: Holding | None = None
    post: Post | None = None
    grant: Grant | None = None

    @property
    def until(self) -> dt.date | None:
        """Last day; none if it has no end."""
        if self.holding is not None:
            return self.holding.until
        return self.grant.until if self.grant is not None else None


@dataclass(frozen=True)
class Standing:
    """What somebody may do on a day, each with every chain that leads to it."""

    roles: Mapping[str, tuple[Chain, ...]] = field(default_factory=dict)
    entitlements: Mapping[Entitlement, tuple[Chain, ...]] = field(default_factory=dict)


def standing(facts: Facts, day: dt.date) -> Standing:
    """What somebody may do on this day; nothing while they are disabled."""
    if not facts.person.enabled:
        return Standing()
    roles: dict[str, tuple[Chain, ...]] = {}
    entitlements: dict[Entitlement, tuple[Chain, ...]] = {}
    kind = Chain(role=facts.person.kind.value)
    for chain in (kind, *_roles(facts, day)):
        roles[chain.role] = (*roles.get(chain.role, ()), chain)
        role = facts.roles.get(chain.role)
        for each in sorted(role.entitlements) if role else ():
            led = Chain(role=chain.role, entitlement=each, holding=chain.holding, post=chain.post, grant=chain.grant)
            entitlements[each] = (*entitlements.get(each, ()), led)
    for grant in facts.grants:
        if grant.entitlement is not None and grant.holds(day):
            led = Chain(entitlement=grant.entitlement, grant=grant)
            entitlements[grant.entitlement] = (*entitlements.get(grant.entitlement, ()), led)
    return Standing(roles, entitlements)


def memberships(facts: Facts, day: dt.date) -> dict[str, dt.date | None]:
    """The roles to be a member of on this day, each with its last one; disabled or not, for readers look at that."""
    found: dict[str, dt.date | None] = {}
    for chain in _roles(facts, day):
        if chain.role not in found:
            found[chain.role] = chain.until
        else:
            known = found[chain.role]
            found[chain.role] = None if known is None or chain.until is None else max(known, chain.until)
    return found


def ever(facts: Facts, day: dt.date) -> frozenset[str]:
    """Every role that is held on this day or will be: duties are kept apart over all of them."""
    posts = {facts.posts[held.post] for held in facts.holdings if not held.is_over(day) and held.post in facts.posts}
    granted = {grant.role for grant in facts.grants if grant.role and not grant.is_over(day)}
    return frozenset(granted.union(*(post.roles for post in posts)))


def named(facts: Facts) -> frozenset[str]:
    """Every role that anything given ever led to, over or not."""
    posts = {facts.posts[held.post] for held in facts.holdings if held.post in facts.posts}
    granted = {grant.role for grant in facts.grants if grant.role}
    return frozenset(granted.union(*(post.roles for post in posts)))


def _roles(facts: Facts, day: dt.date) -> Iterator[Chain]:
    for holding in facts.holdings:
        post = facts.posts.get(holding.post)
        if post is not None and holding.holds(day):
            for role in sorted(post.roles):
                yield Chain(role=role, holding=holding, post=post)
    for grant in facts.grants:
        if grant.role and grant.holds(day):
            yield Chain(role=grant.role, grant=grant)
