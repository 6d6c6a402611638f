# SPDX-License-Identifier: Apache-2.0
"""What goes along with a permitted request: the identity for its host, and what a WebSocket hangs on."""

from datetime import UTC, datetime, timedelta

from core.identity import Identity, IdentityIssuer

from ..models import Caller, Question, Ruling
from ..store import Kind
from ..tokens import Sealing, Ties
from .switches import passed, ways


def identity(identities: IdentityIssuer, question: Question, ruling: Ruling, number: str, *, at: datetime) -> str:
    """Who makes it, signed for the host; empty for nobody."""
    caller, target = ruling.caller, ruling.target
    if target is None or caller.kind == "anonymous":
        return ""
    return identities.issue(
        Identity(
            subject=caller.subject,
            kind=caller.kind,
            session=caller.session,
            roles=caller.roles,
            assurance=caller.assurance,
            methods=caller.methods,
            zone=ruling.zone,
            decision=number,
            request=question.number,
            on_behalf_of=caller.mandate,
        ),
        audience=question.unverified_host,
        method=target.method,
        path=target.raw,
        at=at,
    )


def over_at(caller: Caller, *, edge: int, at: datetime) -> int:
    """When what stays open is over by itself, in seconds since 1970.

    ``edge`` is when the policies may say otherwise (0: never). Roles, mandates, contracts and hosts' assessments end by
    days, so that on another day everybody is decided on anew.
    """
    tomorrow = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    own = [int(caller.until.timestamp())] if caller.until else []
    return min([int(tomorrow.timestamp()), *own, *([edge] if edge else [])])


def tied(
    sealing: Sealing, question: Question, ruling: Ruling, number: str, *, heard: int, edge: int, at: datetime
) -> str:
    """What a WebSocket hangs on, sealed for the keeper; empty for any other request."""
    if not question.upgrade or ruling.route is None:
        return ""
    caller, route = ruling.caller, ruling.route
    names = passed(origin=ruling.zone, zone=route.zone, resource=ruling.resource, client=caller.client, socket=True)
    names += [name for origin in sorted(ruling.origins) for name in ways(origin, (route.zone,))]
    switches = [] if route.unshuttable else [(str(Kind.SWITCH), name) for name in names]
    return sealing.seal(
        Ties(
            decision=number,
            subject=caller.subject,
            session=caller.session,
            organisation=caller.organisation,
            resource=ruling.resource,
            host=question.unverified_host,
            zone=ruling.zone,
            role=route.role,
            live=route.live,
            names=(*((str(kind), name) for kind, name in caller.ties), *switches),
            until=over_at(caller, edge=edge, at=at),
            heard=heard,
        ),
        at=at,
    )
