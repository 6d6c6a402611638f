# SPDX-License-Identifier: Apache-2.0
"""Why not, and what would help: a denial is explained by asking again with one circumstance improved.

The deepest reason comes first. Whoever lacks the role is told so, and not sent to another network or to a stronger
login that would not open the door either.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from .engine import Ruleset
from .models import Code, DecisionRequest
from .zones import ZoneMatrix

_HARD = (Code.DISABLED, Code.SEPARATION, Code.CLEARANCE)
_HIGHEST = 3
_SOME_DEVICE = "any"


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One code for the page, and the assurance level that would help."""

    code: Code
    step_up: int | None = None


def explain(request: DecisionRequest, *, rules: Ruleset, matrix: ZoneMatrix) -> Reason:
    """The reason for a request that was denied without an error."""

    def permitted(candidate: DecisionRequest) -> bool:
        return matrix.passage(candidate).code is None and rules.ask(candidate).allowed

    origins = matrix.origins(destination=request.to_zone, resource_class=request.resource_class, action=request.action)
    if not origins:
        return Reason(code=Code.DEFAULT)
    if request.principal_kind == "anonymous":
        return Reason(code=Code.LOGIN if request.from_zone in origins else Code.ZONE)
    hard = {rules.code(name) for name in rules.ask(request).reasons}
    for code in _HARD:
        if code in hard:
            return Reason(code=code)
    best = replace(request, assurance=_HIGHEST, device=request.device or _SOME_DEVICE)
    if not any(permitted(replace(best, from_zone=zone)) for zone in origins):
        return Reason(code=Code.ROLE)
    if not permitted(best):
        return Reason(code=Code.ZONE)
    if not permitted(replace(best, device=request.device)):
        return Reason(code=Code.DEVICE)
    return Reason(code=Code.ASSURANCE, step_up=_lowest_level(request, permitted))


def _lowest_level(request: DecisionRequest, permitted: Callable[[DecisionRequest], bool]) -> int | None:
    """The next level that opens the door, if the person's proofing lets a login reach it."""
    for level in range(request.assurance + 1, _HIGHEST + 1):
        if permitted(replace(request, assurance=level)):
            return level if level <= request.proofing else None
    return None
