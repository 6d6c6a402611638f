# SPDX-License-Identifier: Apache-2.0
"""Alert rules: what a second of a thousand entries costs with the shipped set, at a desk and under attack.

`python -m benchmarks.alerts` prints a table; it needs no city. Entries come from a log in memory, so the figures are
those of making rows, evaluating and keeping, with every sync of the tables.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from audit import Event, Outcome
from audit.alerts import AlertStore, Engine, Flattener, Places, load
from audit.models import Entry
from audit.search import Inclusion
from core.clock import SystemClock

SECONDS = 20
EACH = 1000
_BEGIN = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class _Log:
    """Entries as they would be read; proofs of nothing."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self.shown = 0

    def size(self) -> int:
        return self.shown

    def base(self) -> int:
        return 0

    def read(self, start: int, limit: int) -> Sequence[Entry]:
        end = min(start + limit, self.shown)
        return [Entry(index=index, event=self._events[index]) for index in range(start, end)]

    def prove(self, index: int) -> Inclusion:
        return Inclusion(index=index, path=(), checkpoint="")


def permitted(number: int) -> Event:
    """Citizens at work: one in fifty is a login, one in forty is refused."""
    who = f"citizen-{number % 700}"
    if number % 50 == 0:
        return _event(number, "sso.login", subject=who, attributes={"amr": "pwd", "network": "203.0.113.0/24"})
    if number % 40 == 0:
        return _event(number, "gateway.decision", Outcome.DENIED, subject=who, attributes={"reason": "role"})
    return _event(number, "gateway.decision", subject=who, attributes={"reason": "allowed", "method": "GET"})


def attacked(number: int) -> Event:
    """Nothing but wrong passwords, each for another account of another network."""
    facts = {"method": "pwd", "reason": "wrong", "network": f"10.{number % 250}.0.0/24", "account": f"{number:x}"}
    return _event(number, "sso.login", Outcome.FAILURE, attributes=facts)


def _event(number: int, kind: str, outcome: Outcome = Outcome.SUCCESS, **fields: object) -> Event:
    at = _BEGIN + timedelta(microseconds=number * 1_000_000 // EACH)
    source = kind.partition(".")[0]
    return Event(key=f"{number:032x}", type=kind, outcome=outcome, at=at, source=source, object="tax", **fields)  # type: ignore[arg-type]  # by name


def measured(make: Callable[[int], Event]) -> tuple[float, float]:
    """Milliseconds for a second's entries: of processor on average, and until done at worst."""
    log = _Log([make(number) for number in range(SECONDS * EACH)])
    spent = []
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(
            log=log,  # type: ignore[arg-type]  # what the engine asks for
            store=AlertStore.open(Path(folder) / "alerts.db"),
            rules=load(None),
            flattener=Flattener(places=Places.parse(b""), zone=UTC),
            clock=SystemClock(),
            recorder=None,
        )
        engine.advance()
        busy = time.process_time()
        for _ in range(SECONDS):
            log.shown += EACH
            begun = time.perf_counter()
            engine.advance()
            spent.append((time.perf_counter() - begun) * 1000)
        busy = time.process_time() - busy
    return busy * 1000 / SECONDS, max(spent)


def main() -> None:
    """Print the table."""
    head = f"{EACH} entries a second, {len(load(None).rules)} rules"
    sys.stdout.write(f"| {head} | ms of processor for each second | ms until done, worst |\n|---|---|---|\n")
    for name, make in (("citizens at work", permitted), ("only wrong passwords", attacked)):
        mean, worst = measured(make)
        sys.stdout.write(f"| {name} | {mean:.0f} | {worst:.0f} |\n")


if __name__ == "__main__":
    main()
