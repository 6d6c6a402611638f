# SPDX-License-Identifier: Apache-2.0
"""The settings that the record told last, in a file of the log's own, and the entry that tells of others.

The entry comes first. Killed between it and the file, the log tells the same again at the next start; never nothing.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from core.log import logger

from ..blobs import Disk
from ..models import Attribute
from ..models_settings import Stated, told

_log = logger(__name__)


class Recorded:
    """What was recorded last; survives the process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Stated | None:
        """None if nothing was recorded, or what lies here cannot be read: then it is told anew, as the first."""
        try:
            return Stated.parse(json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            _log.error("settings_not_read", exc_info=error)
            return None

    def keep(self, stated: Stated) -> None:
        """On disk when this returns."""
        Disk().put(self._path, json.dumps(stated.document(), indent=1).encode(), mode=0o600)


class Settings:
    """Has each process's settings on the record before it works by them; one at a time, so that ten make one entry."""

    def __init__(self, recorded: Recorded, own: Stated) -> None:
        self.own = own
        self._recorded = recorded
        self._last = recorded.read()
        # Whether the file says so too.
        self._kept = True
        self._turn = asyncio.Lock()

    async def take(
        self, stated: Stated, *, role: str, record: Callable[[Mapping[str, Attribute]], Awaitable[None]]
    ) -> None:
        """Record them unless they were recorded last.

        Raises:
            RecordUnavailable: they are not on the record, so nobody may work by them.
            OSError: they are, and it could not be kept; whoever asks again is told no until it is.
        """
        async with self._turn:
            if not stated.same(self._last):
                await record(told(self._last, stated, role=role))
                self._last, self._kept = stated, False
            if not self._kept:
                # On a disk that hangs only those wait who have other settings.
                await asyncio.get_running_loop().run_in_executor(None, self._recorded.keep, stated)
                self._kept = True
