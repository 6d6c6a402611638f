# SPDX-License-Identifier: Apache-2.0
"""Whose record a portal opens: the gateway sees addresses, so the portal says it, before it shows anything.

What a portal says is on the person's own record at once. That it says it, and truly, is the portal's duty: what was
never said shows by the gateway's decisions, which are recorded all the same.
"""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from core.errors import NotFound

from ..errors import BadTokenRequest, InvalidClient
from ..models import Call, Client
from .collaborators import People
from .records import Records

_DECISION = re.compile(r"[0-9a-f]{32}")
_PURPOSE = re.compile(r"[a-z][a-z0-9-]{0,39}")
_SUBJECT = re.compile(r"[0-9a-fA-F-]{36}")


class Accesses:
    """Takes declarations."""

    def __init__(self, *, people: People, records: Records, fresh: Callable[[], None]) -> None:
        self._people = people
        self._records = records
        self._fresh = fresh

    def declare(self, client: Client, call: Call) -> dict[str, Any]:
        """Record that this portal opens somebody's record; the receipt says where that stands in the log.

        Only who keeps a secret can be held to what it says.

        Raises:
            InvalidClient: a public client.
            BadTokenRequest: a field is missing, doubled or not what it should be, or there is no such person.
            RecordUnavailable: no receipt, so nothing may be shown.
        """
        if client.public:
            raise InvalidClient
        decision = _field(call.parameters, "decision", _DECISION)
        subject = _field(call.parameters, "subject", _SUBJECT)
        purpose = _field(call.parameters, "purpose", _PURPOSE)
        self._fresh()
        try:
            subject = self._people.person(subject).subject
        except NotFound as error:
            raise BadTokenRequest(field="subject") from error
        event = self._records.record_opened(client, subject=subject, decision=decision, purpose=purpose)
        receipt = self._records.write(event)
        return {"log": receipt.log, "index": receipt.index, "leaf": base64.b64encode(receipt.leaf).decode()}


def _field(given: Mapping[str, Any], name: str, shape: re.Pattern[str]) -> str:
    values = given.get(name, ())
    if len(values) != 1 or not shape.fullmatch(values[0]):
        raise BadTokenRequest(field=name)
    value: str = values[0]
    return value
