# SPDX-License-Identifier: Apache-2.0
"""What goes along with a permitted request: the identity for its host, and what a WebSocket hangs on."""

from datetime import datetime

from core.identity import Identity, IdentityIssuer

from ..models import Question, Ruling
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


def tied(sealing: Sealing, question: Question, ruling: Ruling, number: str, *, heard: int, at: datetime) -> str:
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
            until=int(caller.until.timestamp()) if caller.until else 0,
            heard=heard,
        ),
        at=at,
    )
