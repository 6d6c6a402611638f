# SPDX-License-Identifier: Apache-2.0
"""Why not, and what would help: a denial is explained by asking again with one circumstance improved.

The deepest reason comes first. Whoever lacks the role is told so, and not sent to another network or to a stronger
login that would not open the door either.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from .engine import Ruleset
from .models import Code, DecisionRequest, Remedy, ResourceClass
from .zones import ZoneMatrix

_HARD = (Code.DISABLED, Code.SEPARATION, Code.CLEARANCE)
_MOST = 5
"""Mandates that are tried; who holds more is told of some."""
_HIGHEST = 3
_SOME_DEVICE = "any"
_SOME_PURPOSE = "any"


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One code for the page, the assurance level that would help, and everything else that would."""

    code: Code
    step_up: int | None = None
    could: tuple[Remedy, ...] = ()


def explain(request: DecisionRequest, *, rules: Ruleset, matrix: ZoneMatrix) -> Reason:
    """The reason for a request that was denied without an error."""

    def permitted(candidate: DecisionRequest) -> bool:
        return matrix.passage(candidate).code is None and rules.ask(candidate).allowed

    origins = matrix.origins(destination=request.to_zone, resource_class=request.resource_class, action=request.action)
    if not origins:
        return Reason(code=Code.DEFAULT)
    if request.principal_kind == "anonymous":
        if request.from_zone in origins:
            return Reason(code=Code.LOGIN, could=(Remedy(kind="login"),))
        return Reason(code=Code.ZONE, could=_networks(origins))
    hard = {rules.code(name) for name in rules.ask(request).reasons}
    for code in _HARD:
        if code in hard:
            return Reason(code=code)
    best = replace(_best(request), device_state=matrix.state(request))
    if Code.MANDATE in hard:
        return Reason(code=Code.MANDATE, could=_names(request, best, permitted))
    reachable = tuple(zone for zone in origins if permitted(replace(best, from_zone=zone)))
    if not reachable:
        return Reason(code=Code.ROLE, could=_names(request, best, permitted))
    if not permitted(best):
        return Reason(code=Code.ZONE, could=_networks(reachable))
    if not permitted(replace(best, device=request.device, device_state=request.device_state)):
        return Reason(code=Code.DEVICE, could=(Remedy(kind="device"),))
    if not permitted(replace(best, purpose=request.purpose)):
        return Reason(code=Code.PURPOSE, could=(Remedy(kind="purpose"),))
    level = _lowest_level(request, permitted)
    could = () if level is None else (Remedy(kind="step_up", value=str(level)),)
    return Reason(code=Code.ASSURANCE, step_up=level, could=could)


def _best(request: DecisionRequest) -> DecisionRequest:
    """The same question with every circumstance as good as it can be, except the network."""
    purpose = request.purpose
    if request.resource_class == ResourceClass.RECORD:
        purpose = purpose or _SOME_PURPOSE
    return replace(request, assurance=_HIGHEST, device=request.device or _SOME_DEVICE, purpose=purpose)


def _networks(zones: Iterable[str]) -> tuple[Remedy, ...]:
    return tuple(Remedy(kind="network", value=zone) for zone in zones)


def _names(
    request: DecisionRequest, best: DecisionRequest, permitted: Callable[[DecisionRequest], bool]
) -> tuple[Remedy, ...]:
    """In whose name it could be done instead."""
    found = []
    if request.acting_for and permitted(replace(best, acting_for="")):
        found.append(Remedy(kind="own_business"))
    held = sorted(request.mandates - {request.acting_for})[:_MOST]
    found += [
        Remedy(kind="mandate", value=organisation)
        for organisation in held
        if permitted(replace(best, acting_for=organisation))
    ]
    return tuple(found)


def _lowest_level(request: DecisionRequest, permitted: Callable[[DecisionRequest], bool]) -> int | None:
    """The next level that opens the door, if the person's proofing lets a login reach it."""
    for level in range(request.assurance + 1, _HIGHEST + 1):
        if permitted(replace(request, assurance=level)):
            return level if level <= request.proofing else None
    return None
