# SPDX-License-Identifier: Apache-2.0
"""Composes retention: what there is to drop, on whom holds lie, and who says the time."""

import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from shutil import disk_usage

from audit.blobs import DiskBlobs
from audit.config import AuditSettings
from audit.events import Retention
from audit.models import Recorder
from audit.reader import LogReader
from audit.retention import AllBundles, Bundles, Kept, Retaining, RetentionStore
from audit.retention.service import EVERY, Keeper
from audit.seals import Partition, SealStore
from audit.search import IndexDamaged
from audit.stamps import StampSeries
from audit.store import IndexStore
from audit.warrants import WarrantStore
from audit.watch import Duty
from core.log import logger

from ..context import Context
from .lineage import archive, log_key, log_name, objects, present, tiles

_log = logger(__name__)
_REFRESH = timedelta(minutes=1)


class _Keeper:
    """Everything of the audit role's folder that retention looks at."""

    def __init__(
        self,
        folder: Path,
        *,
        seals: SealStore,
        index: IndexStore,
        bundles: AllBundles,
        held: Callable[[str], bool],
        stamps: StampSeries | None,
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
        try:
            parts = self._index.partitions()
        except IndexDamaged as error:
            # It must be built again, and holds up nothing else until then.
            _log.warning("index_not_planned", exc_info=error)
            return []
        # The newest part is never dropped.
        return [Kept(name=part.name, until=part.until, size=part.size) for part in parts[:-1] if part.until is not None]

    def expired(self, now: datetime, terms: Mapping[Retention, int]) -> int:
        return self._bundles.expired(now, terms, self._held)

    def before(self) -> int:
        return self._bundles.before

    def drop_seals(self, partition: Partition, at: datetime) -> int:
        return self._seals.drop(partition, held=self._held, at=at)

    def drop_index(self, name: str) -> None:
        self._index.drop(name)

    def prune(self, first: int, recorded: int) -> None:
        self._bundles.prune(first, recorded)

    def tidy(self) -> None:
        self._seals.finish()
        self._seals.release(self._held)

    def used(self) -> int:
        return sum(_size(Path(folder, name)) for folder, _folders, names in os.walk(self._folder) for name in names)

    def free(self) -> int:
        return disk_usage(self._folder).free

    def stamped(self) -> datetime | None:
        last = self._stamps.last() if self._stamps else None
        return None if last is None else last.stamp.kept


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        # Others write and rebuild meanwhile.
        return 0


class _Archived(DiskBlobs):
    """A closed log's folder, which is protected against mistakes; retention alone puts its note there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._archive = folder

    def replace(self, path: str, content: bytes) -> None:
        self._archive.chmod(0o755)
        try:
            super().replace(path, content)
        finally:
            self._archive.chmod(0o555)


def folder_keeper(
    folder: Path,
    *,
    seals: SealStore,
    index: IndexStore,
    bundles: AllBundles,
    held: Callable[[str], bool],
    stamps: StampSeries | None,
) -> Keeper:
    """What retention asks of the audit role's folder."""
    return _Keeper(folder, seals=seals, index=index, bundles=bundles, held=held, stamps=stamps)


def all_bundles(context: Context) -> AllBundles:
    """The bundles of the present log and of all closed ones, each with the key that signs its note."""
    folder, last = context.site.folder("audit"), present(context)
    logs = []
    for number in range(1, last + 1):
        key, name = log_key(context, number), log_name(context, number)
        where = tiles(context) if number == last else objects(context, name) or _Archived(archive(folder, name))
        logs.append(Bundles(where, LogReader(where, str(key.vkey)), key, closed=number < last))
    return AllBundles(logs)


def retention_duties(kept: Retaining) -> list[Duty]:
    """The daily run, and a look in between where pages have nothing true to show."""
    return [
        Duty(name="retention", every=EVERY, act=lambda _stopped: _round(kept)),
        Duty(name="retention view", every=_REFRESH, act=lambda _stopped: kept.refresh()),
    ]


def _round(kept: Retaining) -> None:
    kept.round()


def retaining(
    context: Context,
    *,
    index: IndexStore,
    recorder: Recorder,
    stamps: StampSeries | None,
) -> Retaining:
    """Retention over the audit role's folder."""
    folder = context.site.folder("audit")
    holds = WarrantStore.open(folder / "warrants.db")
    keeper = folder_keeper(
        folder,
        seals=SealStore.open(folder / "seals.db"),
        index=index,
        bundles=all_bundles(context),
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
