# SPDX-License-Identifier: Apache-2.0
"""A log with a time-stamping authority beside it."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from audit.merkle import LogKey, VerifierKey
from audit.reader import LogReader
from audit.rotation import Place, Rotation
from audit.service import LocalRecorder
from audit.stamps import Authority, Stamper, StampStore
from tests.fakes.log_site import LogSite, event
from tests.fakes.time_authority import Certified, TimeAuthority


class Clock:
    """The system's, moved: the authority's own clock cannot be."""

    def __init__(self) -> None:
        self.moved = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.moved

    def monotonic(self) -> float:
        return time.monotonic()


class Stamping:
    """A log with an authority."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.site = LogSite(folder, self.clock).create()
        self.log = self.site.open()
        self.authority = TimeAuthority(folder / "tsa")
        self.store = StampStore.open(folder / "stamps.db")
        self.recorder = LocalRecorder(self.log)

    def stamper(
        self,
        *,
        policy: str = "",
        roots: list[Certified] | None = None,
        timeout: float = 10,
        store: StampStore | None = None,
        log: LogReader | None = None,
        dated_by: VerifierKey | None = None,
        before: int = 0,
        closed: bool = False,
        patience: timedelta = timedelta(),
    ) -> Stamper:
        return Stamper(
            log=log or self.site.reader(),
            store=store or self.store,
            before=before,
            closed=closed,
            patience=patience,
            ask=Authority(self.authority.url, timeout=timeout).ask,
            roots=[each.certificate for each in roots or [self.authority.root]],
            interval=timedelta(hours=1),
            policy=policy,
            dated_by=dated_by or self.site.key.mldsa_vkey,
            recorder=self.recorder,
            clock=self.clock,
        )

    def round(self, stamper: Stamper) -> None:
        try:
            stamper.round()
        finally:
            self.log.integrate()

    def types(self) -> list[str]:
        reader = self.site.reader()
        return [entry.event.type for entry in reader.entries(0, reader.size())]

    def entry(self) -> None:
        self.log.append([event()])
        self.log.integrate()

    def rotate(self) -> tuple[LogReader, int, LogSite]:
        """Give the log a successor, which is written from now on: the closed log, its size, the successor."""
        self.log.close()
        root, old = self.site.folder.parent, self.site.key
        new = LogKey("city.example/log-2", seed=b"\x17" * 32, mldsa_seed=b"\x18" * 32)
        Rotation(
            old=Place(folder=root / "log", key=old),
            new=Place(folder=root / "log.next", key=new),
            archive=root / "logs" / "log",
            seals=self.site.seals,
            clock=self.clock,
        ).run(None)
        self.site.key, self.site.vkey = new, str(new.vkey)
        self.log = self.site.open()
        self.recorder = LocalRecorder(self.log)
        closed = LogReader(root / "logs" / "log", str(old.vkey))
        return closed, closed.size(), self.site

    def close(self) -> None:
        self.authority.close()
        self.store.close()
        with suppress(ValueError):
            self.log.close()
        self.site.close()
