# SPDX-License-Identifier: Apache-2.0
"""The stamps of all logs of a site as one row: each covers the places up to the end of its checkpoint.

Every log has its tokens in a file of its own, so that the tokens of a closed log never change again; whoever looks
sees them one after the other and need not know where one log ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .store import Outage, Stamp, StampStore


@dataclass(frozen=True, kw_only=True)
class LogStamps:
    """The tokens of one log: the last part of its origin, and how many places lie before it."""

    name: str
    base: int
    store: StampStore


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A stamp among those of all logs."""

    stamp: Stamp
    log: str
    # Places that the record had when this was stamped.
    covers: int


class StampSeries:
    """The stamps of all logs, oldest log first, the present one last."""

    def __init__(self, logs: Sequence[LogStamps]) -> None:
        self.logs = tuple(logs)

    @property
    def present(self) -> StampStore:
        """The tokens of the log that is written."""
        return self.logs[-1].store

    def newest(self, limit: int, *, below: int | None = None) -> list[Placed]:
        """The last ones, newest first; ``below`` leaves out those that cover as many places or more."""
        found: list[Placed] = []
        for log in reversed(self.logs):
            own = None if below is None else below - log.base
            if own is None or own > 0:
                stamps = log.store.newest(limit - len(found), below=own)
                found += [_placed(log, stamp) for stamp in stamps]
            if len(found) >= limit:
                break
        return found

    def last(self) -> Placed | None:
        """The one that covers most."""
        return next(iter(self.newest(1)), None)

    def at(self, covers: int) -> Placed | None:
        """The one that covers exactly so many places."""
        return next((each for each in self.newest(1, below=covers + 1) if each.covers == covers), None)

    def outage(self) -> Outage | None:
        """Why no stamp can be had now, or why the end of a closed log has none; None while all is well."""
        return next((found for log in reversed(self.logs) if (found := log.store.outage()) is not None), None)


def _placed(log: LogStamps, stamp: Stamp) -> Placed:
    return Placed(stamp=stamp, log=log.name, covers=log.base + stamp.size)
