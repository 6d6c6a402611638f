# SPDX-License-Identifier: Apache-2.0
"""A recorder that keeps events in a list; passes the same contract tests as the real ones."""

import hashlib

from audit import encode_event
from audit.errors import KeyReused, RecordUnavailable
from audit.models import Entry, Event, Receipt, Wait


class ListRecorder:
    """Remembers every event; refuses everything while ``down``."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.down = False

    def record(self, event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
        if self.down:
            raise RecordUnavailable
        encode_event(event)
        for index, known in enumerate(self.events):
            if known.key == event.key:
                if known != event:
                    raise KeyReused
                return self._receipt(index, wait)
        self.events.append(event)
        return self._receipt(len(self.events) - 1, wait)

    def types(self) -> list[str]:
        return [event.type for event in self.events]

    def entries(self) -> list[Entry]:
        return [Entry(index=i, event=event) for i, event in enumerate(self.events)]

    def _receipt(self, index: int, wait: Wait) -> Receipt:
        leaf = hashlib.sha256(b"\0" + self.events[index].key.encode()).digest()
        return Receipt(log="fake", index=index, leaf=leaf, level=wait, checkpoint="" if wait is Wait.SEQUENCED else "x")
