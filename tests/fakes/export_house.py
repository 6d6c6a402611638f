# SPDX-License-Identifier: Apache-2.0
"""A log and the exporters of it, with a clock that tests move by hand."""

import ssl
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from audit.config import ExportTarget
from audit.exports import ExportDesk, Exporter, ExportStore, PublishedSource, peer_of
from audit.exports.peers import SETTLES
from audit.models import Entry
from core.config import decode
from tests.fakes.clock import ManualClock
from tests.fakes.log_site import LogSite, event
from tests.fakes.receivers import StreamReceiver, TestAuthority
from tests.fakes.recorder import ListRecorder


class House:
    """A log, and exporters of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.site = LogSite(folder, self.clock).create()
        self.store = ExportStore.open(folder / "exports.db")
        self.recorder = ListRecorder()
        self.targets: dict[str, ExportTarget] = {}
        self.authority = TestAuthority(folder)
        self.opened: Mapping[str, str] = {"name": "李雷"}
        self._made: list[Exporter | StreamReceiver] = []

    def fill(self, count: int, **fields: Any) -> None:
        log = self.site.open()
        with closing(log):
            log.append([event(self.clock, **fields) for _ in range(count)])
            log.integrate()

    def target(self, **table: Any) -> ExportTarget:
        return decode(ExportTarget, table, where="x", folder=self.folder)

    def exporter(self, target: ExportTarget, *, name: str = "siem", private: bool = True) -> Exporter:
        self.targets[name] = target
        made = Exporter(
            name,
            target,
            source=PublishedSource(self.site.reader()),
            peer=lambda: peer_of(target, clock=self.clock, enterprise=32473, private=private),
            store=self.store,
            recorder=self.recorder,
            clock=self.clock,
            unseal=self._unseal,
            jitter=lambda: 1.0,
        )
        self._made.append(made)
        return made

    def receiver(self, tls: ssl.SSLContext | None, *, frames: bool = True, **more: Any) -> StreamReceiver:
        made = StreamReceiver(tls, frames=frames, **more)
        self._made.append(made)
        return made

    def desk(self) -> ExportDesk:
        return ExportDesk(
            self.targets,
            store=self.store,
            size=self.site.reader().size,
            recorder=self.recorder,
            clock=self.clock,
        )

    def settle(self, exporter: Exporter) -> None:
        """A round, the time that a stream must stay whole, and another round."""
        exporter.round(lambda: False)
        self.clock.advance(timedelta(seconds=SETTLES))
        exporter.round(lambda: False)

    def retry(self, exporter: Exporter, seconds: float = 400) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        exporter.round(lambda: False)

    def _unseal(self, _entry: Entry) -> Mapping[str, str] | None:
        return self.opened

    def close(self) -> None:
        for made in self._made:
            made.close()
        self.store.close()
        self.site.close()
