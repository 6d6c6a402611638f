# SPDX-License-Identifier: Apache-2.0
"""All logs of a site, each copied into a folder of its own, and what joins them checked.

Which logs there are says the site's list of them, which each of its logs signed, and so the one whose key the mirror
was given, whichever that is. The list may grow; a list that leaves out a log that was on it is refused, so that nobody
makes a mirror forget. A round copies the closed logs first, then the present one; a site that was given a successor
meanwhile is told by its list, and nothing has to be changed here.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.clock import Clock
from core.errors import Unavailable

from ..blobs import Blobs, Disk, DiskBlobs
from ..errors import LogDamaged, ProofRefused
from ..lineage import LOGS, demand_link, known_logs
from ..merkle import Checkpoint, CosignerKey, VerifierKey
from ..merkle.tiles import bundle_path
from .copying import Copied, Mirror, alone

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", flags=re.ASCII)


class Succession:
    """One folder that copies a site's logs, ``NAME/`` each, and keeps ``logs.txt`` beside them; used by one thread."""

    def __init__(
        self,
        folder: Path,
        source: Blobs,
        key: VerifierKey,
        *,
        clock: Clock,
        cosigner: CosignerKey | None = None,
        disk: Disk | None = None,
    ) -> None:
        """``source`` has the present log at its top and the closed ones at ``logs/NAME/``; ``key`` is any log's."""
        self._folder = folder
        self._source = source
        self._key = key
        self._clock = clock
        self._cosigner = cosigner
        self._disk = disk or Disk()
        self._mirrors: dict[tuple[str, bool], Mirror] = {}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Own the folder.

        Raises:
            LogInUse: another process copies into it.
        """
        with alone(self._folder, self._disk):
            yield

    def advance(self, *, lazy: bool = False, stopped: Callable[[], bool] = lambda: False) -> list[tuple[str, Copied]]:
        """Copy what every log has published; how each copy stands by its log's origin, oldest first.

        Raises:
            LogForked, LogShrunk: what proves it is kept in the folder of the log.
            LogDamaged: a log, or what joins two of them, is not what was signed.
            Unavailable: the source did not answer to the end; the next round goes on.
            OSError: our own disk.
        """
        raw = self._source.get(LOGS)
        if raw is None:
            raise Unavailable
        logs = self._listed(raw)
        told: list[tuple[str, Copied]] = []
        for number, key in enumerate(logs, 1):
            done = self._mirror(key, closed=number < len(logs)).advance(lazy=lazy, stopped=stopped)
            if told and done.size:
                self._joined(logs[number - 2], told[-1][1], key, done)
            told.append((key.name, done))
        DiskBlobs(self._folder, self._disk).replace(LOGS, raw)
        return told

    def _listed(self, raw: bytes) -> list[VerifierKey]:
        kept = DiskBlobs(self._folder, self._disk).get(LOGS)
        try:
            logs = known_logs(raw, self._key)
            before = known_logs(kept, self._key) if kept is not None else []
        except ProofRefused as error:
            raise LogDamaged(index=0, why=f"the list of logs: {error.parameters['why']}") from error
        if not logs or logs[: len(before)] != before:
            raise LogDamaged(index=0, why="the list of logs leaves out one that was on it")
        names = [_name(key) for key in logs]
        if len(set(names)) < len(names) or not all(map(_NAME.fullmatch, names)):
            raise LogDamaged(index=0, why="the list of logs has names that cannot be told apart")
        return logs

    def _mirror(self, key: VerifierKey, *, closed: bool) -> Mirror:
        place = (key.name, closed)
        if place not in self._mirrors:
            source = _Below(self._source, f"logs/{_name(key)}/") if closed else self._source
            self._mirrors[place] = Mirror(
                self._folder / _name(key), source, key, clock=self._clock, cosigner=self._cosigner, disk=self._disk
            )
        return self._mirrors[place]

    def _joined(self, old: VerifierKey, had: Copied, new: VerifierKey, has: Copied) -> None:
        """Demand that one copy ends where the next one says, and names it."""
        earlier, later = (DiskBlobs(self._folder / _name(key)).get for key in (old, new))
        demand_link(
            earlier,
            Checkpoint(old.name, had.size, had.root),
            later,
            Checkpoint(new.name, has.size, has.root),
            new,
            # What the source pruned before we came we never had.
            begun=not has.first or later(bundle_path(0)) is not None,
        )


class _Below:
    """Files of a source under a prefix."""

    def __init__(self, source: Blobs, prefix: str) -> None:
        self._source = source
        self._prefix = prefix

    def get(self, path: str) -> bytes | None:
        return self._source.get(self._prefix + path)


def _name(key: VerifierKey) -> str:
    """The last part of a log's origin."""
    return key.name.rpartition("/")[2]
