# SPDX-License-Identifier: Apache-2.0
"""One rule, and what all of them come to; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from ..models import APART

MOST_ROLES = 8
"""In one rule."""
MOST_RULES = 100


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Of these roles nobody holds two."""

    id: str
    name: str
    roles: frozenset[str]
    by: str
    reason: str


def pairs(rules: Iterable[Rule]) -> frozenset[frozenset[str]]:
    """Every pair that must be kept apart: the three powers, and what the rules add."""
    added = (frozenset(pair) for rule in rules for pair in combinations(sorted(rule.roles), 2))
    return APART | frozenset(added)
