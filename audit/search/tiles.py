# SPDX-License-Identifier: Apache-2.0
"""Addresses of tiles (C2SP tlog-tiles): one spelling each, and only those a published size implies."""

import re
from dataclasses import dataclass
from typing import Self

from .errors import BadTileAddress

WIDTH = 256
_HIGHEST = 63
_INDEX = re.compile(r"((?:x[0-9]{3}/){0,5})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class TileAddress:
    """One tile; level 0 also numbers the entry bundles."""

    level: int
    index: int
    width: int = WIDTH

    @classmethod
    def parse(cls, level: str, rest: str) -> Self:
        """Read ``level`` and ``x001/234.p/17``.

        Raises:
            BadTileAddress: not the one spelling.
        """
        match = _INDEX.fullmatch(rest)
        if match is None or not re.fullmatch(r"0|[1-9][0-9]?", level, re.ASCII) or int(level) > _HIGHEST:
            raise BadTileAddress
        groups, last, width = match.groups()
        if groups.startswith("x000/") or (width and int(width) >= WIDTH):
            raise BadTileAddress
        index = int(re.sub("[x/]", "", groups) + last)
        return cls(level=int(level), index=index, width=int(width) if width else WIDTH)

    @property
    def first(self) -> int:
        """Index of the first entry beneath it."""
        return self.index << (8 * (self.level + 1))

    def implied_by(self, size: int) -> bool:
        """Whether a log of this size has, or once had, this tile."""
        return (self.index * WIDTH + self.width) << (8 * self.level) <= size
