# SPDX-License-Identifier: Apache-2.0
"""What reading answers with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..models import Entry
from ..search import Evidence, Row, Stretch, Survey
from ..warrants import Warrant


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One line of a result; ``sealed`` is None if the person was erased, and empty while it is ``hidden``."""

    row: Row
    sealed: Mapping[str, str] | None
    # Whether there is a personal part that no warrant of this officer covers.
    hidden: bool = False
    # Stands for the person while the name is hidden.
    pseudonym: str = ""


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of hits."""

    hits: Sequence[Hit]
    # How many match on all pages, counted up to MOST_COUNTED; ``more`` says that there are more than that.
    total: int
    more: bool
    # Where the next page begins; None on the last one.
    next: int | None
    # Entries that are published and not yet in the index; None if reading stopped at a damaged one, -1 if
    # the index itself cannot be written.
    lag: int | None
    # What the hits have in common.
    survey: Survey
    # Parts of the index that cannot be read, so that none of their entries is among the hits.
    damaged: Sequence[Stretch] = ()


@dataclass(frozen=True, kw_only=True)
class Opened:
    """One entry with everything that is known of it, and its evidence."""

    entry: Entry
    row: Row
    # As in a hit.
    sealed: Mapping[str, str] | None
    hidden: bool
    pseudonym: str
    # The warrant under which the personal part is shown.
    warrant: Warrant | None
    raw: bytes
    evidence: Evidence
    # The entries of the same session nearest before and after it, each oldest first.
    before: Sequence[Row] = ()
    after: Sequence[Row] = ()
