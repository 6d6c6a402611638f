# SPDX-License-Identifier: Apache-2.0
"""One entry as the index keeps it: the clear header, flat; never anything of the sealed part."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..models import Attribute, Entry, Outcome
from .terms import entered

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a search answers with."""

    index: int
    at: datetime
    type: str
    outcome: Outcome
    source: str
    zone: str
    subject: str
    actor: str
    object: str
    organisation: str
    session: str
    decision: str
    policy: str
    attributes: Mapping[str, Attribute]

    @property
    def reason(self) -> str:
        """The reason code of a refusal, if the source gave one."""
        return str(self.attributes.get("reason") or self.attributes.get("code") or "")

    @property
    def to_zone(self) -> str:
        """The network that was to be entered, if the source says so; ``nowhere`` for a decision about none."""
        return entered(self.type, str(self.attributes.get("to_zone", "")))


@dataclass(frozen=True, kw_only=True)
class Indexed:
    """What the index is given of one entry."""

    row: Row
    # Marks of the clear header, and of the sealed part; see ``terms``.
    marks: str
    sealed: str
    # Name tokens of the subject.
    names: frozenset[bytes]


def row_of(entry: Entry) -> Row:
    """Flatten one entry."""
    event = entry.event
    row = object.__new__(Row)
    # A frozen dataclass makes a call of each field, and every entry that is indexed becomes a row.
    vars(row).update(
        index=entry.index,
        at=event.at if event.at.tzinfo is UTC else event.at.astimezone(UTC),
        type=event.type,
        outcome=event.outcome,
        source=event.source,
        zone=event.zone,
        subject=event.subject,
        actor=event.actor,
        object=event.object,
        organisation=event.organisation,
        session=event.session,
        decision=event.decision,
        policy=event.policy,
        attributes=dict(event.attributes),
    )
    return row


def stamp(at: datetime) -> int:
    """Milliseconds since 1970, exactly."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def unstamp(milliseconds: int) -> datetime:
    """The time a stamp stands for."""
    return _EPOCH + timedelta(milliseconds=milliseconds)
