# SPDX-License-Identifier: Apache-2.0
"""What a growing log costs its process: append and publish in process, with every sync, at growing sizes.

`python -m benchmarks.log_growth FOLDER SIZE...` builds one log and tells, at each size, how fast the last entries went
in one by one and in batches, how long one checkpoint took, how long a start takes, and what memory and disk it needs.
"""

import resource
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from audit import Event, Outcome, new_key
from audit.merkle import LogKey
from audit.seals import Seals, SealStore
from audit.service import create_log
from audit.writer import Log
from core.clock import Clock, SystemClock

_BATCH = 4096
_PROBE = 20_000
_SINGLE = 300
_PEOPLE = 10_000


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One row of the table."""

    size: int
    # Entries per second, in batches of 4096 that are each published.
    batches: float
    # Processor time of one of them in microseconds: what other programs on the machine do not change.
    processor: float
    # Milliseconds of one single append with its sync, and of one checkpoint over 250 entries.
    single: float
    checkpoint: float
    # Seconds of a start with recovery.
    start: float
    # Mebibytes: the process at its largest so far, the folder.
    memory: float
    disk: float

    def row(self) -> str:
        """For the page of measurements."""
        return (
            f"| {self.size:,} | {self.batches:,.0f} | {self.processor:.0f} | {self.single:.2f} "
            f"| {self.checkpoint:.1f} | {self.start:.2f} "
            f"| {self.memory:.0f} | {self.disk:.0f} |"
        )


class Growth:
    """One log that is made longer and longer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "log"
        self._clock: Clock = SystemClock()
        self._key = LogKey("growth.example/log", seed=b"\x07" * 32, mldsa_seed=b"\x08" * 32)
        self._seals = Seals(SealStore.open(folder / "seals.db", upgrade=True))
        create_log(self._folder, key=self._key, seals=self._seals, clock=self._clock)
        self._made = 0

    def to(self, size: int) -> Figures:
        """Grow, and measure the end of the way."""
        with closing(self._open()) as log:
            self._fill(log, size - _PROBE)
            began, spent, before = time.perf_counter(), time.process_time(), log.size
            self._fill(log, size)
            processor = (time.process_time() - spent) / (log.size - before) * 1e6
            batches = (log.size - before) / (time.perf_counter() - began)
            began = time.perf_counter()
            for _ in range(_SINGLE):
                log.append(self._events(1))
            single = (time.perf_counter() - began) / _SINGLE * 1000
            log.integrate()
            log.append(self._events(250))
            began = time.perf_counter()
            log.integrate()
            checkpoint = (time.perf_counter() - began) * 1000
        began = time.perf_counter()
        self._open().close()
        start = time.perf_counter() - began
        return Figures(
            size=size,
            batches=batches,
            processor=processor,
            single=single,
            checkpoint=checkpoint,
            start=start,
            memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            disk=sum(path.stat().st_blocks * 512 for path in self._folder.rglob("*")) / 2**20,
        )

    def _open(self) -> Log:
        return Log.open(self._folder, key=self._key, seals=self._seals, clock=self._clock)

    def _fill(self, log: Log, size: int) -> None:
        while log.size < size:
            log.append(self._events(min(_BATCH, size - log.size)))
            log.integrate()

    def _events(self, count: int) -> list[Event]:
        """Decisions as a gateway records them, without a sealed part: its cost does not depend on the log's size."""
        at = self._clock.now()
        self._made += count
        return [
            Event(
                key=new_key(),
                type="gateway.decision",
                outcome=Outcome.SUCCESS,
                at=at,
                source="gateway",
                subject=f"person-{number % _PEOPLE:06}",
                object="tax",
                session=f"s-{number % _PEOPLE:06}",
                zone="external",
                decision=new_key(),
                policy="7",
                attributes={"reason": "allowed", "assurance": 1, "method": "GET"},
            )
            for number in range(self._made - count, self._made)
        ]


def main(arguments: list[str]) -> None:
    """Tell the table."""
    folder, sizes = Path(arguments[0]), sorted(int(size) for size in arguments[1:])
    growth = Growth(folder)
    print(
        "| entries | in batches, entries/s | processor, µs each | one append, ms "
        "| checkpoint, ms | start, s | memory, MiB | disk, MiB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for size in sizes:
        print(growth.to(size).row(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
