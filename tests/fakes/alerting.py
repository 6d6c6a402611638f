# SPDX-License-Identifier: Apache-2.0
"""The engine of alerts over a log in memory: put events in, hear what is raised."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from audit.alerts import Alert, AlertStore, Engine, Flattener, Places, RuleSet, load
from audit.events import KINDS
from audit.models import Event, Outcome
from tests.fakes.clock import ManualClock
from tests.fakes.memory_log import MemoryLog

PLACES = b"""
[[place]]
name = "Harbour"
latitude = 31.2
longitude = 121.5
networks = ["203.0.113.0/24", "2001:db8:1::/48"]
[[place]]
name = "Mountain"
latitude = 29.6
longitude = 91.1
networks = ["198.51.100.0/24"]
"""
TUESDAY = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)
_NUMBERS = itertools.count(1)
SHIPPED = load(None)


class Alerting:
    """One engine that is started again by ``restart``."""

    def __init__(
        self,
        folder: Path,
        *,
        rules: RuleSet = SHIPPED,
        at: datetime = TUESDAY,
        zone: tzinfo = UTC,
        log: MemoryLog | None = None,
        **more: Any,
    ) -> None:
        self.clock = ManualClock()
        self.clock.advance(at - self.clock.now())
        self.log = log or MemoryLog()
        self.path = folder / "alerts.db"
        self.rules = rules
        self._zone = zone
        self._more = more
        self.restart()

    def restart(self) -> None:
        """What is in memory is lost, as by a kill."""
        self.store = AlertStore.open(self.path)
        self.engine = Engine(
            log=self.log,
            store=self.store,
            rules=self.rules,
            flattener=Flattener(places=Places.parse(PLACES), zone=self._zone),
            clock=self.clock,
            recorder=self.log,
            **self._more,
        )

    def add(self, kind: str, outcome: Outcome = Outcome.SUCCESS, *, after: float = 1, **fields: Any) -> int:
        """One event, so many seconds after the last."""
        self.clock.advance(timedelta(seconds=after))
        given: dict[str, Any] = {
            "key": f"{next(_NUMBERS):032x}",
            "type": kind,
            "outcome": outcome,
            "at": self.clock.now(),
            "source": kind.partition(".")[0]
            .replace("policy", "app")
            .replace("log", "audit")
            .replace("signature", "signatures"),
            **{name: "x" for name in KINDS[kind].needs if name not in fields},
        }
        return self.log.record(Event(**given | fields)).index

    def raised(self) -> Sequence[Alert]:
        """Look at everything, and give every alert there is, the oldest first."""
        self.engine.advance()
        return self.store.page(None, limit=1000)[::-1]

    def titles(self) -> list[str]:
        """The files of the rules that raised something."""
        files = {rule.id: rule.file.removesuffix(".yml") for rule in self.rules.rules}
        return sorted({files.get(alert.rule, alert.rule) for alert in self.raised()})
