# SPDX-License-Identifier: Apache-2.0
"""What EST tells the record, beside the issuance ceremony, which tells of every certificate itself."""

import secrets
from collections.abc import Mapping
from datetime import datetime

from audit import Event, Outcome, encode_event
from audit.models import Attribute

from ..store import Note
from .models import Enrolment

ACTOR = "role:est"
"""Who asks for certificates here: nobody's session stands behind a device, only what it proved."""


def about_enrolment(kind: str, outcome: Outcome, enrolment: Enrolment, *, at: datetime, actor: str) -> Event:
    """An officer's act."""
    more: dict[str, Attribute] = {"label": enrolment.label, "uses": enrolment.uses}
    if enrolment.hosts:
        more["names"] = " ".join(enrolment.hosts)[:1000]
    return event(kind, outcome, at=at, subject=enrolment.device, actor=actor, object_=enrolment.id, attributes=more)


def event(
    kind: str,
    outcome: Outcome,
    *,
    at: datetime,
    subject: str = "",
    actor: str = ACTOR,
    object_: str = "",
    attributes: Mapping[str, Attribute],
) -> Event:
    """One event; a device is its subject."""
    return Event(
        key=secrets.token_hex(16),
        type=kind,
        outcome=outcome,
        at=at,
        source="ca",
        subject=subject,
        actor=actor,
        object=object_,
        attributes=attributes,
    )


def outcome_of(intent: Event) -> Note:
    """The record that what was announced was done."""
    return note(
        event(
            intent.type,
            Outcome.SUCCESS,
            at=intent.at,
            subject=intent.subject,
            actor=intent.actor,
            object_=intent.object,
            attributes=intent.attributes,
        )
    )


def note(said: Event) -> Note:
    """The event as the outbox keeps it."""
    return Note(key=said.key, body=encode_event(said))
