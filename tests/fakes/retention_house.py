# SPDX-License-Identifier: Apache-2.0
"""A log and its retention, with a clock that tests move by hand."""

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from audit.blobs import BlobStore, DiskBlobs
from audit.config import RetentionSettings
from audit.events import Retention
from audit.merkle import LogKey
from audit.reader import LogReader
from audit.retention import AllBundles, Bundles, Kept, Retaining, RetentionStore
from audit.rotation import Place, Rotation
from audit.seals import Partition
from tests.fakes.clock import ManualClock
from tests.fakes.log_site import LogSite, event
from tests.fakes.recorder import ListRecorder

_DAY = timedelta(days=1)
# Whoever has not looked for a week doubts the clock.
_WEEKS, _SELDOM = 42, 5


class RetentionHouse:
    """A log and its retention; also what retention asks for what there is."""

    def __init__(self, folder: Path, blobs: BlobStore | None = None) -> None:
        self.folder = folder
        self.clock = ManualClock(datetime(2026, 11, 20, 8, 0, tzinfo=UTC))
        self.site = LogSite(folder, self.clock, blobs).create()
        self.store = RetentionStore.open(folder / "retention.db")
        self.recorder = ListRecorder()
        self.holds: set[str] = set()
        self.parts: list[Kept] = []
        self.old = self.site.key
        self.time: datetime | None = None
        self.size = 1000
        self.blobs = blobs
        self.bundles = AllBundles([self._present()])
        self.retaining = Retaining(
            RetentionSettings(access=180, identity=400, trust=800),
            store=self.store,
            keeper=self,
            recorder=self.recorder,
            clock=self.clock,
        )

    def seals(self) -> list[Partition]:
        return self.site.store.partitions()

    def seal_bytes(self, partition: Partition) -> int:
        return self.site.store.bytes(partition)

    def index(self) -> list[Kept]:
        return self.parts

    def expired(self, now: datetime, terms: Mapping[Retention, int]) -> int:
        return self.bundles.expired(now, terms, self._held)

    def before(self) -> int:
        return self.bundles.before

    def drop_seals(self, partition: Partition, at: datetime) -> int:
        return self.site.store.drop(partition, held=self._held, at=at)

    def drop_index(self, name: str) -> None:
        self.parts = [part for part in self.parts if part.name != name]

    def prune(self, first: int, recorded: int) -> None:
        self.bundles.prune(first, recorded)

    def tidy(self) -> None:
        self.site.store.finish()
        self.site.store.release(self._held)

    def used(self) -> int:
        return self.size

    def free(self) -> int:
        return 10_000

    def stamped(self) -> datetime | None:
        return self.time

    def take(self, count: int = 1, **fields: Any) -> None:
        log = self.site.open()
        with closing(log):
            log.append([event(self.clock, **fields) for _ in range(count)])
            log.integrate()

    def live(self, days: int) -> None:
        """Days pass, and retention looks each day; of a long time the last weeks, and before that every fifth day."""
        seldom, often = divmod(days - _WEEKS, _SELDOM) if days > _WEEKS else (0, days - _WEEKS)
        for each in [_SELDOM] * seldom + [1] * (often + _WEEKS):
            self.clock.advance(each * _DAY)
            self.retaining.round()

    def rotate(self) -> None:
        """The log is closed in favour of a successor."""
        self.old, new = self.site.key, LogKey("city.example/log-2", seed=b"\x17" * 32, mldsa_seed=b"\x18" * 32)
        Rotation(
            old=Place(folder=self.folder / "log", key=self.old),
            new=Place(folder=self.folder / "log.next", key=new),
            archive=self.folder / "logs" / "log",
            seals=self.site.seals,
            clock=self.clock,
        ).run(None)
        self.site.key, self.site.vkey = new, str(new.vkey)
        where = self.folder / "logs" / "log"
        self.closed = LogReader(where, str(self.old.vkey))
        self.bundles = AllBundles([Bundles(DiskBlobs(where), self.closed, self.old, closed=True), self._present()])
        where.chmod(0o755)

    def _present(self) -> Bundles:
        return Bundles(self.blobs or DiskBlobs(self.site.folder), self.site.reader(), self.site.key)

    def close(self) -> None:
        self.store.close()
        self.site.close()

    def _held(self, subject: str) -> bool:
        return subject in self.holds
