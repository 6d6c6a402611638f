# SPDX-License-Identifier: Apache-2.0
"""Recorded decisions, read back as the questions they answered.

``noted`` says what a decision's entry keeps of a question, ``past`` reads it back. Kept is what policies decide by and
nobody is known by; mandates, and for whom somebody acts, are not, so a policy about them cannot be replayed.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, get_args
from urllib.parse import urlencode

from audit import Outcome
from core.calls import Peer

from .models import Action, DecisionRequest, Past, PrincipalKind

TYPES = ("gateway.decision", "gateway.evaluation", "gateway.egress.decided")
"""What the gateway decided for its own hosts, for other enforcement points, and at the way out."""
_PAGE = 500


def noted(request: DecisionRequest) -> dict[str, str | int | bool]:
    """What an entry says of the question, beside subject, organisation, object and zone."""
    said: dict[str, str | int | bool] = {
        "kind": request.principal_kind,
        "roles": " ".join(sorted(request.roles)),
        "enabled": request.enabled,
        "proofing": request.proofing,
        "assurance": request.assurance,
        "amr": " ".join(request.methods),
        "clearance": request.clearance,
        "method": request.method,
        "class": request.resource_class,
        "classification": request.classification,
        "to_zone": request.to_zone,
        "required": request.required_assurance,
        "public": request.path_public,
        "device_state": request.device_state,
        "record_class": request.record_class,
        "purpose": request.purpose,
        "port": request.port or "",
        "protocol": request.protocol,
    }
    return {name: value for name, value in said.items() if value != ""}


def past(entry: Mapping[str, Any]) -> Past | None:
    """The question behind an entry, as the audit service's interface shows entries; None if no policy was asked."""
    said = entry["attributes"]
    if not entry["policy"] or not said.keys() >= {"kind", "class"} or said["kind"] not in get_args(PrincipalKind):
        # Refused before the policies were asked, or recorded by an older release.
        return None
    subject = str(entry["subject"] or "")
    request = DecisionRequest(
        principal_kind=said["kind"],
        subject=subject,
        roles=frozenset(str(said.get("roles", "")).split()),
        organisation=str(entry["organisation"] or ""),
        enabled=bool(said["enabled"]),
        proofing=int(said["proofing"]),
        assurance=int(said["assurance"]),
        methods=tuple(str(said.get("amr", "")).split()),
        clearance=int(said["clearance"]),
        action=str(said.get("action", Action.ACCESS)),
        method=str(said.get("method", "")),
        resource=str(entry["object"] or ""),
        resource_class=str(said["class"]),
        classification=int(said["classification"]),
        from_zone=str(entry["zone"] or ""),
        to_zone=str(said["to_zone"]),
        required_assurance=int(said["required"]),
        device=subject if said["kind"] == "device" else None,
        device_state=str(said.get("device_state", "")),
        record_class=str(said.get("record_class", "")),
        purpose=str(said.get("purpose", "")),
        path_public=bool(said["public"]),
        port=int(said.get("port", 0)),
        protocol=str(said.get("protocol", "")),
        at=datetime.fromisoformat(entry["time"]),
    )
    return Past(
        request=request,
        allowed=entry["outcome"] == Outcome.SUCCESS,
        reasons=tuple(str(said.get("policies", "")).split()),
        shadow=tuple(str(said.get("shadow", "")).split()),
    )


def read(audit: Peer, *, since: datetime) -> Iterator[Past]:
    """The decisions of the time since, the newest first; the reading is itself recorded.

    Raises:
        Unavailable: the audit service does not answer.
    """
    for kind in TYPES:
        after: int | None = None
        while True:
            query = {"type": kind, "from": since.strftime("%Y-%m-%dT%H:%M"), "limit": _PAGE}
            page = audit.call("GET", f"/api/v1/entries?{urlencode(query | ({'after': after} if after else {}))}").json()
            yield from filter(None, map(past, page["entries"]))
            after = page["next"]
            if after is None:
                break
