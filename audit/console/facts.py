# SPDX-License-Identifier: Apache-2.0
"""What anybody may have of the log: hash tiles, checkpoints, the note of what was pruned. Nothing here is recorded."""

from ..errors import NoSuchEntry, NothingWitnessed
from ..search import LogView, NoSuchTile, TileAddress


class PublicFacts:
    """The verbs that open nothing."""

    def __init__(self, log: LogView) -> None:
        self._log = log

    def tile(self, address: TileAddress, log: str = "") -> bytes:
        """One hash tile: a public fact.

        Raises:
            NoSuchEntry: there is no closed log of that name.
            NoSuchTile: no published checkpoint implies it.
        """
        implied = address.implied_by(self._log.tree_size(log))
        found = self._log.tile(address.level, address.index, address.width, log) if implied else None
        if found is None:
            raise NoSuchTile
        return found

    def checkpoint(self, log: str = "") -> bytes:
        """The newest checkpoint: a public fact. Of a closed log, its last one.

        Raises:
            NoSuchEntry: there is no closed log of that name.
        """
        return self._log.checkpoint(log)

    def pruned(self, log: str = "") -> bytes:
        """The log's signed note of its minimum index: a public fact.

        Raises:
            NoSuchEntry: nothing is pruned, or there is no closed log of that name.
        """
        found = self._log.pruned(log)
        if found is None:
            raise NoSuchEntry
        return found

    def witnessed(self) -> bytes:
        """The largest checkpoint that enough witnesses cosigned: a public fact.

        Raises:
            NothingWitnessed: there is none.
        """
        found = self._log.witnessed()
        if found is None:
            raise NothingWitnessed
        return found
