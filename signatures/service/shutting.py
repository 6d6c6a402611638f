# SPDX-License-Identifier: Apache-2.0
"""A program that sign-on locks or removes has nothing more sealed: its batches stop as soon as the record tells.

What it asks for next is refused at the gateway, for its tokens are worth nothing; what is under way is stopped here.
One that is removed also loses what it was let do: whoever comes later under its name begins with nothing.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import ClassVar

from audit import Entry, Event, Outcome
from core.clock import Clock

from ..agencies import AgencyStore, BatchState

_REMOVED = "sso.client.removed"


class Shutting:
    """Hears of programs that are shut out."""

    about: ClassVar[tuple[str, ...]] = ("sso.client.locked", _REMOVED)

    def __init__(self, *, store: AgencyStore, tell: Callable[[Event], None], clock: Clock) -> None:
        """``tell`` keeps a record of what is taken away until the log takes it."""
        self._store = store
        self._tell = tell
        self._clock = clock

    def hear(self, entries: Sequence[Entry]) -> None:
        """Take entries in order, some perhaps twice; an empty sequence is a heartbeat."""
        for event in (each.event for each in entries if each.event.type in self.about):
            client = str(event.attributes.get("client", ""))
            if event.type == _REMOVED:
                self._end(client)
            self._stop(client)

    def _end(self, client: str) -> None:
        found = self._store.program(client)
        if found is None:
            return
        # A death between the two leaves a record of what is heard again, or ended by the operator.
        self._tell(
            Event(
                key=secrets.token_hex(16),
                type="signature.program.ended",
                outcome=Outcome.SUCCESS,
                at=self._clock.now(),
                source="signatures",
                subject=client,
                organisation=found.organisation,
            )
        )
        self._store.end(client)

    def _stop(self, client: str) -> None:
        for batch in self._store.batches(BatchState.STARTING, BatchState.RUNNING):
            if batch.owner == f"client:{client}":
                # Whoever works on batches tells the record.
                self._store.move(batch, BatchState.STOPPING, ended_at=self._clock.now(), stopped_by="")
