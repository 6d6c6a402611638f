# SPDX-License-Identifier: Apache-2.0
"""What came over one line goes on in the order in which it came, though some of it has to be read beside the loop."""

from collections import deque
from collections.abc import Callable, Hashable

Act = Callable[[], None]


class _Place:
    """One place in a line; ``act`` is what happens at its turn, once that is known."""

    def __init__(self, act: Act | None = None) -> None:
        self.act = act


class Turns:
    """Used by one loop; a line on which nothing is held costs one look."""

    def __init__(self) -> None:
        self._lines: dict[Hashable, deque[_Place]] = {}

    def after(self, line: Hashable, act: Act) -> None:
        """Do it, after everything that came before over this line."""
        if (waiting := self._lines.get(line)) is None:
            act()
        else:
            waiting.append(_Place(act))

    def hold(self, line: Hashable) -> Callable[[Act], None]:
        """Keep a place; whoever holds it must call what is returned, once: until then all that comes later waits."""
        place = _Place()
        self._lines.setdefault(line, deque()).append(place)

        def go(act: Act) -> None:
            place.act = act
            self._go_on(line)

        return go

    def _go_on(self, line: Hashable) -> None:
        waiting = self._lines[line]
        try:
            while waiting and (act := waiting[0].act) is not None:
                waiting.popleft()
                act()
        finally:
            if not waiting:
                del self._lines[line]
