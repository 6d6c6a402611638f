# SPDX-License-Identifier: Apache-2.0
"""What the authority tells the record: names sealed, everything else clear, bytes only as a keyed commitment."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from audit import Event, Outcome, encode_event
from audit.models import Attribute

from ..store import Note
from ..x509 import PROFILES, SubjectKind

SOURCE = "ca"
_LONGEST_LABEL = 64
_IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class Names:
    """What people are called at this moment, as the directory says; both stay in the sealed part."""

    # Of the person or device that is certified, as it stands or would stand in the certificate.
    subject: str = ""
    # Of another person who acts in office; empty for roles, and for whoever acts for themselves.
    actor: str = ""


def event(
    kind: str,
    outcome: Outcome,
    *,
    at: datetime,
    subject: str = "",
    actor: str = "",
    serial: str = "",
    decision: str = "",
    policy: str = "",
    attributes: Mapping[str, Attribute] | None = None,
    names: Names = Names(),
) -> Event:
    """One event of ours; only a person or device has something to seal."""
    person = subject if is_identifier(subject) else ""
    clear = dict(attributes or {})
    organisation = ""
    if subject and not person:
        if _seals(clear.get("profile")):
            organisation = subject[:_LONGEST_LABEL]
        else:
            clear["machine"] = subject[:_LONGEST_LABEL]
    return Event(
        key=secrets.token_hex(16),
        type=kind,
        outcome=outcome,
        at=at,
        source=SOURCE,
        subject=person,
        actor=actor,
        object=serial,
        organisation=organisation,
        decision=decision,
        policy=policy,
        attributes=clear,
        sealed=_sealed(names, serial=serial, profile=clear.get("profile")) if person else {},
    )


def _sealed(names: Names, *, serial: str, profile: object) -> dict[str, str]:
    """Nothing of a subject whom the directory does not know: no key is made for whatever somebody types."""
    if not names.subject:
        return {}
    found = PROFILES.get(str(profile))
    # A device has no right to know who acted on it.
    device = found is not None and found.subject is SubjectKind.DEVICE
    said = {
        "name": names.subject,
        "object_name": names.subject if serial else "",
        "actor_name": "" if device else names.actor,
    }
    return {field: name for field, name in said.items() if name}


def _seals(profile: object) -> bool:
    """Whether the subject is an organisation and not a machine; what was refused may name no profile at all."""
    found = PROFILES.get(str(profile))
    return found is not None and found.subject is SubjectKind.ORGANISATION


def is_identifier(text: str) -> bool:
    """Whether it is the directory's random identifier of a person or device, which says nothing about them."""
    return bool(_IDENTIFIER.fullmatch(text))


def note(event: Event) -> Note:
    """The event as the outbox keeps it."""
    return Note(key=event.key, body=encode_event(event))


def commitment(key: bytes, tbs: bytes) -> str:
    """What the record holds of the bytes: whoever has bytes and key can prove them, the record alone tells nothing."""
    return hmac.new(key, tbs, hashlib.sha256).hexdigest()
