# SPDX-License-Identifier: Apache-2.0
"""What ACME tells the record, beside the issuance ceremony, which tells of every certificate itself."""

import secrets
from collections.abc import Mapping
from datetime import datetime

from audit import Event, Outcome, encode_event
from audit.models import Attribute

from ..store import Note
from .models import Account, Grant, Holder

ACTOR = "role:acme"
"""Who asks for certificates here: nobody's session stands behind a client, only its account."""


def about_grant(kind: str, outcome: Outcome, grant: Grant, *, at: datetime, actor: str) -> Event:
    """An event about an officer's grant."""
    more = {"holder": grant.holder.value, "names": " ".join(grant.names)[:1000]}
    return _event(kind, outcome, grant, at=at, actor=actor, object_=grant.kid, attributes=more)


def about_account(
    kind: str, outcome: Outcome, account: Account, *, at: datetime, attributes: Mapping[str, Attribute] | None = None
) -> Event:
    """An event about an account, or about what it did."""
    more = {"grant": account.grant.kid, **(attributes or {})}
    return _event(kind, outcome, account.grant, at=at, actor=ACTOR, object_=account.id, attributes=more)


def about_order(account: Account, *, at: datetime, serial: str, order: str, profile: str) -> Event:
    """An order ended with a certificate."""
    more = {"account": account.id, "order": order, "profile": profile}
    return _event(
        "ca.acme.order.finalized",
        Outcome.SUCCESS,
        account.grant,
        at=at,
        actor=ACTOR,
        object_=serial,
        attributes=more,
    )


def outcome_of(intent: Event) -> Note:
    """The record that what was announced was done."""
    done = Event(
        key=secrets.token_hex(16),
        type=intent.type,
        outcome=Outcome.SUCCESS,
        at=intent.at,
        source=intent.source,
        subject=intent.subject,
        actor=intent.actor,
        object=intent.object,
        organisation=intent.organisation,
        attributes=intent.attributes,
    )
    return note(done)


def note(event: Event) -> Note:
    """The event as the outbox keeps it."""
    return Note(key=event.key, body=encode_event(event))


def _event(
    kind: str,
    outcome: Outcome,
    grant: Grant,
    *,
    at: datetime,
    actor: str,
    object_: str,
    attributes: Mapping[str, Attribute],
) -> Event:
    device = grant.holder is Holder.DEVICE
    return Event(
        key=secrets.token_hex(16),
        type=kind,
        outcome=outcome,
        at=at,
        source="ca",
        subject=grant.subject if device else "",
        organisation="" if device else grant.subject,
        actor=actor,
        object=object_,
        attributes=attributes,
    )
