# SPDX-License-Identifier: Apache-2.0
"""Rows out of the index for one page: several questions answered as one, and what no filter can say sorted out here."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from ..search import Query, Row
from ..search.query import LARGEST_PAGE
from ..store import IndexStore

Sees = Callable[[Row], bool]
MOST_LOOKED_AT = 2_000
"""Rows one page looks through; where little matches, the next page goes on from there."""


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Newest first."""

    rows: Sequence[Row]
    # Where the next page begins; None on the last one.
    next: int | None


def everything(_row: Row) -> bool:
    """Sort nothing out."""
    return True


def gather(
    index: IndexStore,
    queries: Sequence[Query],
    *,
    persons: AbstractSet[str] = frozenset(),
    sees: Sees = everything,
    after: int | None = None,
    limit: int,
) -> Gathered:
    """The newest rows that answer one of the questions; no row twice, at most ``limit``."""
    found: list[Row] = []
    looked, size = 0, min(LARGEST_PAGE, 2 * limit) if sees is not everything else limit
    while True:
        batch = _batch(index, queries, persons, after, size)
        for row in batch[:size]:
            looked, after = looked + 1, row.index
            if sees(row):
                found.append(row)
            if len(found) == limit or looked == MOST_LOOKED_AT:
                more = len(batch) > size or row is not batch[:size][-1]
                return Gathered(rows=found, next=after if more else None)
        if len(batch) <= size:
            return Gathered(rows=found, next=None)


def _batch(
    index: IndexStore, queries: Sequence[Query], persons: AbstractSet[str], after: int | None, size: int
) -> list[Row]:
    rows = {
        row.index: row for query in queries for row in index.search(replace(query, after=after, limit=size), persons)
    }
    return [rows[place] for place in sorted(rows, reverse=True)][: size + 1]
