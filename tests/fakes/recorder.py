# SPDX-License-Identifier: Apache-2.0
"""A recorder that keeps events in a list; passes the same contract tests as the real ones."""

import hashlib
from collections.abc import Sequence

from audit import decode_event, encode_event
from audit.errors import KeyReused, RecordUnavailable
from audit.models import Entry, Event, Receipt, Wait
from core.errors import TallygateError


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

    def record_all(self, events: Sequence[bytes], *, wait: Wait = Wait.SEQUENCED) -> list[Receipt | TallygateError]:
        return [self._answer(each, wait) for each in events]

    def _answer(self, encoded: bytes, wait: Wait) -> Receipt | TallygateError:
        try:
            return self.record(decode_event(encoded), wait=wait)
        except TallygateError as error:
            return error

    def types(self) -> list[str]:
        return [event.type for event in self.events]

    def entries(self) -> list[Entry]:
        return [Entry(index=i, event=event) for i, event in enumerate(self.events)]

    def _receipt(self, index: int, wait: Wait) -> Receipt:
        leaf = hashlib.sha256(b"\0" + self.events[index].key.encode()).digest()
        return Receipt(log="fake", index=index, leaf=leaf, level=wait, checkpoint="" if wait is Wait.SEQUENCED else "x")
