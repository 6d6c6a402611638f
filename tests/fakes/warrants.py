# SPDX-License-Identifier: Apache-2.0
"""Warrants over a log in memory, with officers to ask and to decide."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path

from audit.models import Reader
from audit.models_codec import decode_event
from audit.warrants import AUDITOR, OFFICER, Erasing, Holding, Scope, Switching, Upkeep, Warrant, Warrants, WarrantStore
from tests.fakes.clock import ManualClock
from tests.fakes.memory_log import MemoryLog

LI = "0b6fd1de-9f0a-4d0c-8a51-6c4e0f3a7001"
ANNA = Reader(subject="0a000000-0000-4000-8000-00000000000a", session="s-anna", roles=frozenset({OFFICER}))
BO = Reader(subject="0b000000-0000-4000-8000-00000000000b", session="s-bo", roles=frozenset({OFFICER}))
CAI = Reader(subject="0c000000-0000-4000-8000-00000000000c", session="s-cai", roles=frozenset({AUDITOR}))
DAN = Reader(subject="0d000000-0000-4000-8000-00000000000d", session="s-dan", roles=frozenset({AUDITOR}))
ENTRY = Scope("entry", "3")
PERSON = Scope("subject", LI)
WHY = "court order 17/2026"


class Office:
    """Everything of the room, and what it did to keys and names."""

    def __init__(self, folder: Path, *, destroy: Callable[[str, datetime], int] | None = None) -> None:
        self.clock = ManualClock()
        self.log = MemoryLog()
        self.store = WarrantStore.open(folder / "warrants.db")
        self.destroyed: list[str] = []
        self.forgotten: list[str] = []
        self.persons: dict[str, frozenset[str]] = {}
        self.warrants = Warrants(
            store=self.store,
            recorder=self.log,
            clock=self.clock,
            persons=lambda scope: self.persons.get(str(scope), frozenset()),
        )
        self.erasing = Erasing(
            store=self.store,
            recorder=self.log,
            clock=self.clock,
            destroy=destroy or self._destroy,
            forget=self.forgotten.append,
            alone=nullcontext,
        )
        self.holding = Holding(store=self.store, recorder=self.log, clock=self.clock)
        self.switching = Switching(store=self.store, recorder=self.log, clock=self.clock)
        self.upkeep = Upkeep(store=self.store, clock=self.clock, finish=self.erasing.finish, lapse=self.switching.lapse)

    def granted(self, asker: Reader, kind: str, scope: Scope, decider: Reader = DAN) -> Warrant:
        """Asked by one, approved by the other."""
        return self.warrants.approve(decider, self.warrants.ask(asker, kind, scope, WHY).id)

    def told(self, *, drain: bool = True) -> list[str]:
        """Types and outcomes of everything recorded, what waits in the outbox behind it."""
        if drain:
            self.drain()
        return [f"{event.type}:{event.outcome}" for event in self.log.events]

    def drain(self) -> None:
        """Deliver the outbox, as the relay does."""
        for row in self.store.outbox.head():
            self.log.record(decode_event(row.body))
            self.store.outbox.drop([row.position])

    def later(self, hours: float) -> None:
        self.clock.advance(timedelta(hours=hours))

    def _destroy(self, subject: str, _at: datetime) -> int:
        self.destroyed.append(subject)
        self.log.erase(subject)
        return 1
