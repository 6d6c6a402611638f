# SPDX-License-Identifier: Apache-2.0
"""Rows that add nothing (GB/T 22239 8.1.3.2 b): what could be said in one row, and what no policy would permit anyhow.

The loader refuses two rows that answer the same question; here is what is sound and still too much.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .matrix import Live

Permitted = Callable[[str, str, str, str], bool]
"""Whether any policy could permit: from zone, to zone, action, class."""


@dataclass(frozen=True, kw_only=True)
class RowRemark:
    """One row, and what is to be said of it."""

    row: str
    # "mergeable" or "idle".
    kind: str
    # The other row; or the classes and actions for which no policy permits anything.
    of: str

    @property
    def told(self) -> str:
        """In words, for whoever wrote it."""
        if self.kind == "mergeable":
            return f"could be one row with {self.of}"
        return f"lets pass what no policy permits: {self.of}"


def remarks(rows: Sequence[Live], permitted: Permitted) -> tuple[RowRemark, ...]:
    """Everything that is certain, in the order of the rows."""
    found = []
    for place, row in enumerate(rows):
        found += [RowRemark(row=row.id, kind="mergeable", of=other.id) for other in rows[:place] if _alike(row, other)]
        idle = _idle(row, permitted)
        if idle:
            found.append(RowRemark(row=row.id, kind="idle", of=", ".join(idle)))
    return tuple(found)


def _idle(row: Live, permitted: Permitted) -> list[str]:
    """Classes and actions that the row could do without."""
    pairs = [(each, action) for each in row.classes for action in row.actions]
    used = [(each, action) for each, action in pairs if permitted(row.origin, row.destination, action, each)]
    classes, actions = {each for each, _ in used}, {action for _, action in used}
    return [*(each for each in row.classes if each not in classes), *(a for a in row.actions if a not in actions)]


def _alike(one: Live, other: Live) -> bool:
    """Whether one row could say what both say: the same terms, and the same classes or the same actions."""
    same = replace(one, id="", classes=(), actions=()) == replace(other, id="", classes=(), actions=())
    return same and (set(one.classes) == set(other.classes) or set(one.actions) == set(other.actions))
