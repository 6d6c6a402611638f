# SPDX-License-Identifier: Apache-2.0
"""What has run out. Pure: terms, what there is and the time come in, and a list of whole pieces goes out.

A partition of keys goes when its quarter ended as many days ago as its class is kept. Parts of the search index and
bundles of entries hold all classes, so they go when the longest term has run out.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ..events import Retention
from ..seals import Partition


class Drop(StrEnum):
    """What kind of piece it is."""

    SEALS = "seals"
    INDEX = "index"
    # Everything below an entry, which is the piece's name.
    BUNDLES = "bundles"


@dataclass(frozen=True)
class Piece:
    """Something that is dropped whole; spelled ``kind:name``."""

    kind: Drop
    name: str

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> "Piece":
        """From its spelling."""
        kind, _, name = text.partition(":")
        return cls(Drop(kind), name)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Something that may be dropped, and the time of its newest content."""

    name: str
    until: datetime
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one run would drop."""

    pieces: tuple[Piece, ...]
    # How many quarters of its class would go at once, at most.
    quarters: int = 0


def plan(
    now: datetime,
    terms: Mapping[Retention, int],
    *,
    seals: Sequence[Partition],
    index: Sequence[Kept],
    bundles: int = 0,
) -> Plan:
    """Everything whose term has run out; ``bundles`` is the entry below which all of them have, 0 for none."""
    gone = [each for each in seals if each.ends + timedelta(days=terms[each.retention]) <= now]
    longest = timedelta(days=max(terms.values()))
    pieces = [Piece(Drop.SEALS, each.name) for each in gone]
    pieces += [Piece(Drop.INDEX, each.name) for each in index if each.until + longest <= now]
    if bundles:
        pieces.append(Piece(Drop.BUNDLES, str(bundles)))
    return Plan(pieces=tuple(pieces), quarters=max(Counter(each.retention for each in gone).values(), default=0))


def next_of(terms: Mapping[Retention, int], retention: Retention, seals: Sequence[Partition]) -> datetime | None:
    """When the oldest quarter of a class runs out; None while there is none."""
    own = [each for each in seals if each.retention is retention]
    return min(own).ends + timedelta(days=terms[retention]) if own else None
