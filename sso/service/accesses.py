# SPDX-License-Identifier: Apache-2.0
"""Whose record a portal opens: the gateway sees addresses, so the portal says it, before it shows anything.

What a portal says stands under a decision of the gateway, and shows it: the signed header with which the visitor was
let in at that portal, of the last minute. Whose record it may be follows from that header too: the visitor's own, that
of whoever the visitor acts for, or anybody's if the visitor is in office.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from core.errors import NotFound
from core.identity import Identity, IdentityRefused

from ..errors import BadTokenRequest, InvalidClient
from ..models import Call, Client
from ..oauth.rfc6749 import host_of
from ..store import Store
from .collaborators import People
from .mandates import Mandates
from .records import Records
from .subjects import Subjects

Shown = Callable[[str, str], tuple[Identity, datetime]]
"""Whom a header let in at a host, and when; raises IdentityRefused."""

_DECISION = re.compile(r"[0-9a-f]{32}")
_PURPOSE = re.compile(r"[a-z][a-z0-9-]{0,39}")
_SUBJECT = re.compile(r"[0-9A-Za-z_-]{1,64}")
_HEADER = re.compile(r"[0-9A-Za-z_.-]{1,4096}")
_OFFICIAL = "civil-servant"


class Accesses:
    """Takes declarations."""

    def __init__(
        self,
        *,
        store: Store,
        people: People,
        mandates: Mandates,
        subjects: Subjects,
        records: Records,
        shown: Shown,
        fresh: Callable[[], None],
    ) -> None:
        self._store = store
        self._people = people
        self._mandates = mandates
        self._subjects = subjects
        self._records = records
        self._shown = shown
        self._fresh = fresh

    def declare(self, client: Client, call: Call) -> dict[str, Any]:
        """Record that this portal opens somebody's record; the receipt says where that stands in the log.

        Only who keeps a secret can be held to what it says. Said twice it stands in the log once, and the receipt is
        the same. What is refused is recorded too.

        Raises:
            InvalidClient: a public client.
            BadTokenRequest: a field is missing, doubled or not what it should be; the decision is another portal's or
                too old; it is not a record that this visitor may be shown.
            RecordUnavailable: no receipt, so nothing may be shown.
        """
        if client.public:
            raise InvalidClient
        decision = _field(call.parameters, "decision", _DECISION)
        subject = _field(call.parameters, "subject", _SUBJECT)
        purpose = _field(call.parameters, "purpose", _PURPOSE)
        header = _field(call.parameters, "identity", _HEADER)
        self._fresh()
        identity, decided = self._decided(client, header, decision)
        if identity.decision != decision or identity.kind != "person":
            raise self._refused(client, decision, "decision")
        opened, by = self._opened(client, identity, subject)
        if not opened:
            raise self._refused(client, decision, "subject")
        if by == "representative" and not self._mandates.stands(identity.subject, identity.on_behalf_of, client):
            raise self._refused(client, decision, "mandate")
        kind, _, organisation = opened.partition(":")
        company = kind == "organisation"
        event = self._records.record_opened(
            client,
            # What is opened of a company stands with whoever acted for it.
            subject=identity.subject if company else opened,
            organisation=organisation if company else "",
            decision=decision,
            purpose=purpose,
            by=by,
            at=decided,
            key=_key(client.id, decision, opened, purpose),
        )
        receipt = self._records.write(event)
        return {"log": receipt.log, "index": receipt.index, "leaf": base64.b64encode(receipt.leaf).decode()}

    def _decided(self, client: Client, header: str, decision: str) -> tuple[Identity, datetime]:
        for host in sorted({host_of(address) for address in client.redirect_uris}):
            try:
                return self._shown(header, host)
            except IdentityRefused:
                continue
        raise self._refused(client, decision, "identity")

    def _opened(self, client: Client, identity: Identity, said: str) -> tuple[str, str]:
        """Whose record that is, as the directory names them, and as what the visitor opens it; empty: nobody's."""
        kind, _, rest = identity.on_behalf_of.partition(":")
        principal = rest.partition(":")[0]
        if kind == "organisation" and said == principal:
            return identity.on_behalf_of.rpartition(":")[0], "representative"
        known = {self._subjects.of(client, each): each for each in (identity.subject, principal) if each}
        subject = known.get(said) or self._known(client, said)
        if not subject:
            return "", ""
        if subject == identity.subject:
            return subject, "self"
        if kind == "person" and subject == principal:
            return subject, "representative"
        return (subject, "official") if _OFFICIAL in identity.roles else ("", "")

    def _known(self, client: Client, said: str) -> str:
        """The person a client names; empty if it cannot know any of that name."""
        subject = said if client.subject_type == "public" else self._store.known.subject(client.sector, said)
        try:
            return self._people.person(subject).subject if subject else ""
        except NotFound:
            return ""

    def _refused(self, client: Client, decision: str, field: str) -> BadTokenRequest:
        self._records.write(self._records.opening_refused(client, decision=decision, reason=field))
        return BadTokenRequest(field=field)


def _key(*parts: str) -> str:
    """By which the log knows a declaration that comes again."""
    return hashlib.sha256("\0".join(("record opened", *parts)).encode()).hexdigest()[:32]


def _field(given: Mapping[str, Any], name: str, shape: re.Pattern[str]) -> str:
    values = given.get(name, ())
    if len(values) != 1 or not shape.fullmatch(values[0]):
        raise BadTokenRequest(field=name)
    value: str = values[0]
    return value
