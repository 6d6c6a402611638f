# SPDX-License-Identifier: Apache-2.0
"""What the policies are asked, and what their answer means to whoever asked the gateway."""

import re
from datetime import datetime

from policies import Action, Decision, DecisionRequest, Remedy

from ..config import Route
from ..errors import Reason
from ..models import Answer, Caller, Target

_REMEDY = re.compile(r"[a-z_]{1,20}(=[A-Za-z0-9._-]{1,80})?", re.ASCII)
_REASONS = {
    "login": Reason.LOGIN,
    "disabled": Reason.DISABLED,
    "separation": Reason.SEPARATION,
    "clearance": Reason.CLEARANCE,
    "role": Reason.ROLE,
    "zone": Reason.ZONE,
    "device": Reason.DEVICE,
    "mandate": Reason.MANDATE,
    "purpose": Reason.PURPOSE,
    "assurance": Reason.ASSURANCE,
    "default": Reason.DEFAULT,
}


def asked_of(
    caller: Caller,
    resource: str,
    route: Route,
    target: Target,
    *,
    public: bool,
    zone: str,
    port: int,
    protocol: str,
    at: datetime,
) -> DecisionRequest:
    """The question to the policies."""
    return DecisionRequest(
        **caller.principal,
        action=Action.ACCESS,
        method=target.method,
        resource=resource,
        resource_class=route.resource_class,
        classification=route.classification,
        from_zone=zone,
        to_zone=route.zone,
        required_assurance=route.assurance,
        path_public=public,
        port=port,
        protocol=protocol,
        at=at,
    )


def reason_of(decision: Decision, caller: Caller) -> Reason | None:
    """Why the policies said no; None if they said yes."""
    if decision.allowed is True:
        return None
    reason = _REASONS.get(decision.code, Reason.POLICY_ERROR)
    if reason is Reason.ASSURANCE and decision.step_up is not None and caller.kind == "person":
        return Reason.STEP_UP
    return reason


def could(remedies: tuple[Remedy, ...]) -> tuple[str, ...]:
    """For a header; an identifier that no header could hold is left out."""
    told = (f"{each.kind}={each.value}" if each.value else each.kind for each in remedies)
    return tuple(each for each in told if _REMEDY.fullmatch(each))


def denied(reason: Reason, number: str, *, step_up: int | None = None, could: tuple[str, ...] = ()) -> Answer:
    """A no, with the reason and what would help."""
    level = step_up or 0 if reason is Reason.STEP_UP else 0
    return Answer(status=reason.status, decision=number, reason=reason, step_up=level, could=could)
