# SPDX-License-Identifier: Apache-2.0
"""Answers about certificates, kept for the next document that asks the same at a moment that makes no difference.

What a certificate is worth depends on the moment only by which of a few instants lie before it: the ends of its own
validity and of those above it, when a list was made and is overdue, when a certificate was revoked. Between two of
them every moment has the same answer. So an answer is kept with the instants next to its moments, and given again only
for moments well within the same bounds; at an instant itself, and close to one, it is always found anew.

The key names everything else that the answer hangs on. Who holds these answers lets go of them with the lists and the
trust that they stand on.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

V = TypeVar("V")
# The library takes moments that differ by a second for one.
_CLOSE = timedelta(seconds=2)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

_Bounds = tuple[tuple[datetime, datetime], ...]


class Remembered(Generic[V]):
    """The newest answer to each of so many questions; any thread may ask."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, tuple[_Bounds, V]] = OrderedDict()

    def find(self, key: Hashable, moments: Sequence[datetime]) -> V | None:
        """The answer to the same question at moments that make no difference, if there is one."""
        with self._lock:
            kept = self._answers.get(key)
            if kept is None or not _within(moments, kept[0]):
                return None
            self._answers.move_to_end(key)
            return kept[1]

    def keep(self, key: Hashable, moments: Sequence[datetime], answer: V, *, instants: Iterable[datetime]) -> None:
        """Keep an answer that hangs on its moments only by which of ``instants`` lie before them."""
        all_ = sorted(set(instants))
        bounds = tuple(_around(moment, all_) for moment in moments)
        if not _within(moments, bounds):
            return
        with self._lock:
            self._answers[key] = (bounds, answer)
            self._answers.move_to_end(key)
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)


def _around(moment: datetime, instants: Sequence[datetime]) -> tuple[datetime, datetime]:
    before = max((each for each in instants if each <= moment), default=None)
    after = min((each for each in instants if each > moment), default=None)
    return (
        _FIRST if before is None or _LAST - before < _CLOSE else before + _CLOSE,
        _LAST if after is None or after - _FIRST < _CLOSE else after - _CLOSE,
    )


def _within(moments: Sequence[datetime], bounds: _Bounds) -> bool:
    return len(moments) == len(bounds) and all(
        first < moment < last for moment, (first, last) in zip(moments, bounds, strict=True)
    )
