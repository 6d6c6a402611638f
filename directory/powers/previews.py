# SPDX-License-Identifier: Apache-2.0
"""What a change would gain and lose, told before it is made."""

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ..models import APART
from ..models_powers import Entitlement
from .effective import Facts, ever, standing


@dataclass(frozen=True, kw_only=True)
class Preview:
    """The difference that a change makes."""

    gained_roles: tuple[str, ...] = ()
    lost_roles: tuple[str, ...] = ()
    gained: tuple[Entitlement, ...] = ()
    lost: tuple[Entitlement, ...] = ()
    # Two roles that nobody may hold together; the change would be refused.
    clash: tuple[str, str] | None = None

    @property
    def changes_nothing(self) -> bool:
        """Nobody would notice it."""
        return not (self.gained_roles or self.lost_roles or self.gained or self.lost)


def preview(before: Facts, after: Facts, day: dt.date, *, apart: Collection[frozenset[str]] = APART) -> Preview:
    """Compare what somebody may do before and after a change, on one day."""
    was, would = standing(before, day), standing(after, day)
    return Preview(
        gained_roles=tuple(sorted(would.roles.keys() - was.roles.keys())),
        lost_roles=tuple(sorted(was.roles.keys() - would.roles.keys())),
        gained=tuple(sorted(would.entitlements.keys() - was.entitlements.keys())),
        lost=tuple(sorted(was.entitlements.keys() - would.entitlements.keys())),
        clash=clash({*ever(after, day), *after.person.roles}, apart),
    )


def clash(roles: Iterable[str], apart: Collection[frozenset[str]] = APART) -> tuple[str, str] | None:
    """The first two of these roles that must be kept apart (三权分立)."""
    held = frozenset(roles)
    found = sorted(tuple(sorted(pair)) for pair in apart if pair <= held)
    return (found[0][0], found[0][1]) if found else None
