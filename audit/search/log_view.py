# SPDX-License-Identifier: Apache-2.0
"""What searching needs of the log; the log's reader fulfils it, and so does the fake of the tests."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from core.errors import TallygateError

from ..models import Entry
from .evidence import Inclusion


class LogView(Protocol):
    """The published log, read only."""

    def size(self) -> int:
        """How many entries the newest published checkpoint, and the logs closed before it, cover."""
        ...

    def first(self) -> int:
        """The first entry from which on everything is kept; 0 unless a policy of retention had entries pruned."""
        ...

    def kept_from(self, start: int) -> int:
        """The first entry from ``start`` on that is kept: whoever reads on from it meets every one that exists."""
        ...

    def read(self, start: int, limit: int) -> Sequence[Entry]:
        """Entries from ``start`` on, in order, none beyond the checkpoint; fewer than ``limit`` is not the end.

        Raises:
            Pruned: they are no longer kept.
        """
        ...

    def unseal(self, entry: Entry) -> Mapping[str, str] | None:
        """The personal part; None if its key was destroyed, empty if there never was one."""
        ...

    def unseal_all(self, entries: Sequence[Entry]) -> Sequence[Mapping[str, str] | TallygateError]:
        """The personal parts of many, with one look for their keys; in place of a part why there is none."""
        ...

    def erased(self, entry: Entry) -> bool:
        """Whether the key of the personal part was destroyed; nothing is opened."""
        ...

    def raw(self, index: int) -> bytes:
        """The very bytes that were hashed.

        Raises:
            NoSuchEntry: the log is not that long.
        """
        ...

    def prove(self, index: int) -> Inclusion:
        """A proof against the newest checkpoint.

        Raises:
            NoSuchEntry: the log is not that long.
        """
        ...

    def opened_checkpoint(self, text: str) -> tuple[int, bytes]:
        """Size and root of a checkpoint whose signature was verified.

        Raises:
            LogDamaged: the signature is not the log's.
        """
        ...

    def base(self, log: str = "") -> int:
        """How many places lie before one log; without a name, before the present one.

        Raises:
            NoSuchEntry: the site has no closed log of that name.
        """
        ...

    def tree_size(self, log: str = "") -> int:
        """How many entries one log's checkpoint covers; without a name, the present one's.

        Raises:
            NoSuchEntry: the site has no closed log of that name.
        """
        ...

    def checkpoint(self, log: str = "") -> bytes:
        """The newest published checkpoint of the present log, or of a closed one by its name; a signed note."""
        ...

    def pruned(self, log: str = "") -> bytes | None:
        """The note, signed by the log, of its first entry that is kept; None if nothing was pruned."""
        ...

    def witnessed(self) -> bytes | None:
        """The largest checkpoint that enough witnesses cosigned; None if there is none."""
        ...

    def tile(self, level: int, index: int, width: int, log: str = "") -> bytes | None:
        """The stored bytes of one hash tile; None if it is not there."""
        ...

    def bundle(self, index: int, width: int, log: str = "") -> bytes | None:
        """The stored bytes of one entry bundle; None if it is not there."""
        ...
