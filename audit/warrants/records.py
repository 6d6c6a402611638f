# SPDX-License-Identifier: Apache-2.0
"""What stands in the record about a warrant: one event per step, about the person concerned where it is one person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ..models import Attribute, Event, Outcome, Reader
from ..models_codec import encode_event, new_key
from .models import Erasure, Warrant


@dataclass(frozen=True)
class Note:
    """One event ready for the outbox."""

    key: str
    body: bytes


def note(event: Event) -> Note:
    """For the outbox."""
    return Note(event.key, encode_event(event))


def step(
    name: str,
    warrant: Warrant,
    reader: Reader,
    *,
    outcome: Outcome,
    at: datetime,
    sealed: Mapping[str, str] | None = None,
    **more: Attribute,
) -> Event:
    """One step of a warrant; ``reader`` takes it, and nobody where it happens by itself."""
    told: dict[str, Attribute] = {"kind": warrant.kind, "scope": str(warrant.scope)}
    return Event(
        key=new_key(),
        type=f"audit.warrant.{name}",
        outcome=outcome,
        at=at,
        source="audit",
        subject=warrant.about or warrant.asker,
        actor=reader.subject,
        object=warrant.id,
        session=reader.session,
        zone=reader.zone,
        decision=reader.decision,
        attributes=told | more,
        sealed=sealed or {},
    )


def erased(erasure: Erasure, outcome: Outcome, at: datetime) -> Event:
    """The intent or the outcome of an erasure; the same each time it is made."""
    return Event(
        key=erasure.intent if outcome is Outcome.INTENDED else erasure.outcome,
        type="audit.person.erased",
        outcome=outcome,
        at=at,
        source="audit",
        subject=erasure.subject,
        actor=erasure.by,
        object=erasure.warrant,
        session=erasure.session,
        zone=erasure.zone,
        decision=erasure.decision,
        attributes={"warrant": erasure.warrant},
    )


def about_person(
    name: str,
    subject: str,
    warrant: Warrant,
    reader: Reader,
    *,
    outcome: Outcome,
    at: datetime,
    what: str = "",
    **more: Attribute,
) -> Event:
    """What an officer does to a person under a warrant."""
    return Event(
        key=new_key(),
        type=f"audit.person.{name}",
        outcome=outcome,
        at=at,
        source="audit",
        subject=subject,
        actor=reader.subject,
        object=what or warrant.id,
        session=reader.session,
        zone=reader.zone,
        decision=reader.decision,
        attributes={"warrant": warrant.id} | more,
    )
