# SPDX-License-Identifier: Apache-2.0
"""Composes retention: what there is to drop, on whom holds lie, and who says the time."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from shutil import disk_usage

from audit.blobs import BlobStore
from audit.config import AuditSettings
from audit.events import Retention
from audit.merkle import LogKey
from audit.models import Recorder
from audit.reader import LogReader
from audit.retention import Bundles, Kept, Retaining, RetentionStore
from audit.retention.service import EVERY
from audit.seals import Partition, SealStore
from audit.stamps import StampStore
from audit.store import IndexStore
from audit.warrants import WarrantStore

from ..context import Context

RETENTION_EVERY = EVERY
"""How often retention runs."""


class _Keeper:
    """Everything of the audit role's folder that retention looks at."""

    def __init__(
        self,
        folder: Path,
        *,
        seals: SealStore,
        index: IndexStore,
        bundles: Bundles | None,
        held: Callable[[str], bool],
        stamps: StampStore | None,
    ) -> None:
        self._folder = folder
        self._seals = seals
        self._index = index
        self._bundles = bundles
        self._held = held
        self._stamps = stamps

    def seals(self) -> list[Partition]:
        return self._seals.partitions()

    def seal_bytes(self, partition: Partition) -> int:
        return self._seals.bytes(partition)

    def index(self) -> list[Kept]:
        # The newest part is never dropped.
        return [
            Kept(name=part.name, until=part.until, size=part.size)
            for part in self._index.partitions()[:-1]
            if part.until is not None
        ]

    def expired(self, now: datetime, terms: Mapping[Retention, int]) -> int:
        return self._bundles.expired(now, terms, self._held) if self._bundles else 0

    def drop_seals(self, partition: Partition, at: datetime) -> int:
        return self._seals.drop(partition, held=self._held, at=at)

    def drop_index(self, name: str) -> None:
        self._index.drop(name)

    def prune(self, first: int, recorded: int) -> None:
        if self._bundles:
            self._bundles.prune(first, recorded)

    def tidy(self) -> None:
        self._seals.finish()
        self._seals.release(self._held)

    def used(self) -> int:
        return sum(path.lstat().st_size for path in self._folder.rglob("*") if path.is_file())

    def free(self) -> int:
        return disk_usage(self._folder).free

    def stamped(self) -> datetime | None:
        last = self._stamps.last() if self._stamps else None
        return None if last is None else last.kept


def retention_round(kept: Retaining) -> None:
    """One run."""
    kept.round()


def retaining(
    context: Context,
    *,
    index: IndexStore,
    blobs: BlobStore,
    reader: LogReader,
    key: LogKey,
    recorder: Recorder,
    stamps: StampStore | None,
) -> Retaining:
    """Retention over the audit role's folder."""
    folder = context.site.folder("audit")
    holds = WarrantStore.open(folder / "warrants.db")
    keeper = _Keeper(
        folder,
        seals=SealStore.open(folder / "seals.db"),
        index=index,
        bundles=Bundles(blobs, reader, key),
        held=lambda subject: bool(holds.holds(subject)),
        stamps=stamps,
    )
    return Retaining(
        context.settings("audit", AuditSettings).retention,
        store=RetentionStore.open(folder / "retention.db"),
        keeper=keeper,
        recorder=recorder,
        clock=context.clock,
    )
