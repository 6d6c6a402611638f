# SPDX-License-Identifier: Apache-2.0
"""What the writer tells the record: one function makes every event, so that all have the same shape."""

from collections.abc import Mapping
from datetime import datetime

from audit import Event, Outcome, encode_event, new_key
from audit.models import Attribute

from ..store import Note

SOURCE = "directory"


def event(
    kind: str,
    outcome: Outcome,
    at: datetime,
    *,
    subject: str = "",
    actor: str = "",
    operation: str = "",
    organisation: str = "",
    attributes: Mapping[str, Attribute] | None = None,
    sealed: Mapping[str, str] | None = None,
) -> Event:
    """One event; ``operation`` ties an intent to its outcomes. What is empty is left out of the sealed part."""
    return Event(
        key=new_key(),
        type=kind,
        outcome=outcome,
        at=at,
        source=SOURCE,
        subject=subject,
        actor=actor,
        object=operation,
        organisation=organisation,
        attributes=dict(attributes or {}),
        sealed={name: value for name, value in (sealed or {}).items() if value},
    )


def note(of: Event) -> Note:
    """The event as the outbox keeps it."""
    return Note(of.key, encode_event(of))
