# SPDX-License-Identifier: Apache-2.0
"""What incidents tell the record, beside the revocations, each of which has its own.

All of it goes by the outbox with the change it tells of: an act that takes away never waits for the log.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from audit import Outcome
from audit.models import Attribute

from ..service.notes import event
from ..service.notes import note as noted
from ..store import Note
from .models import Incident, Item, Progress

ACTOR = "role:ca"
_LONGEST = 1000


def about(
    kind: str,
    incident: Incident,
    *,
    at: datetime,
    actor: str,
    more: Mapping[str, Attribute] | None = None,
    outcome: Outcome = Outcome.SUCCESS,
    whole: bool = False,
) -> Note:
    """A record about an incident; ``whole`` with everything an officer agrees to."""
    plan = incident.plan
    said: dict[str, Attribute] = {"act": plan.act.value, "digest": incident.digest, "found": incident.size}
    if whole:
        said |= {"reason": plan.reason.value, "whom": plan.whom.value, "selector": _written(plan.selected)}
        if plan.deadline:
            said["deadline"] = plan.deadline.isoformat()
    said |= more or {}
    return noted(event(f"ca.incident.{kind}", outcome, at=at, actor=actor, serial=incident.id, attributes=said))


def refused(incident: Incident, *, at: datetime, actor: str, verb: str, why: str) -> Note:
    """The record that an officer's word does not count."""
    said: dict[str, Attribute] = {
        "act": incident.plan.act.value,
        "digest": incident.digest,
        "verb": verb,
        "reasons": why,
    }
    made = event("ca.incident.refused", Outcome.DENIED, at=at, actor=actor, serial=incident.id, attributes=said)
    return noted(made)


def counted(progress: Progress) -> dict[str, Attribute]:
    """How many came to what."""
    names = {
        Item.ASKED: "asked",
        Item.REVOKED: "revoked",
        Item.ALREADY: "already",
        Item.RENEWED: "renewed",
        Item.OVER: "over",
    }
    return {name: progress.counts[state] for state, name in names.items() if progress.counts.get(state)}


def _written(selected: Mapping[str, object]) -> str:
    # A list of keys may be longer than a record should be; the digest binds all of it.
    return json.dumps(selected, sort_keys=True, ensure_ascii=False, separators=(",", ":"))[:_LONGEST]
