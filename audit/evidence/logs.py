# SPDX-License-Identifier: Apache-2.0
"""The record's logs, and which of their entries go into a file.

A file that holds entries of a log and of a later one also holds where each of the logs between them ends and begins:
the last entry of the one names the keys of the next, whose entry 0 names the end. Neither says anything of a person.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..merkle import VerifierKey
from .models import Token
from .published import Published

_TOGETHER = 256


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One log of the record."""

    # How many places of the record lie before it.
    base: int
    log: Published
    # Its verifier keys, as published.
    keys: Sequence[VerifierKey]
    # The earliest stamp over a log of at least this size.
    stamped: Callable[[int], Token | None] = lambda _size: None
    # Has the newest checkpoint stamped at once; None where no authority is asked.
    stamp: Callable[[], None] | None = None
    # Whether entries still come to it: a closed one gets no cosignatures any more.
    grows: bool = True

    def raw(self, indices: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """The bytes of its entries; neighbours are read together."""
        start = 0
        for end in range(1, len(indices) + 1):
            whole = end < len(indices) and indices[end] == indices[end - 1] + 1 and end - start < _TOGETHER
            if not whole:
                found = self.log.entries_bytes(indices[start], end - start)
                yield from zip(indices[start:end], found, strict=True)
                start = end


def split(logs: Sequence[Kept], places: Sequence[int]) -> list[tuple[Kept, list[int]]]:
    """What goes into a file, log by log and by index, for ascending places of the record."""
    first, last = _holder(logs, places[0]), _holder(logs, places[-1])
    wanted = set(places)
    for later in logs[first + 1 : last + 1]:
        wanted |= {later.base - 1, later.base}
    ends = [*(log.base for log in logs[1:]), None]
    return [
        (log, sorted(place - log.base for place in wanted if place >= log.base and (end is None or place < end)))
        for log, end in list(zip(logs, ends, strict=True))[first : last + 1]
    ]


def _holder(logs: Sequence[Kept], place: int) -> int:
    return max(number for number, log in enumerate(logs) if log.base <= place)
