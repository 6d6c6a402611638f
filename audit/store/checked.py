# SPDX-License-Identifier: Apache-2.0
"""How far the search index was compared with the log: a small file that the duty keeps and the console reads."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

CHECKED = "index-check.json"
"""Its name, in the audit role's folder."""


@dataclass(frozen=True, kw_only=True)
class IndexChecked:
    """How far the comparison of the index with the log got; times are ISO 8601 in UTC, empty for never."""

    # The next place to be compared, and how many there were then.
    place: int = 0
    size: int = 0
    # When a round over the whole last ended.
    whole: str = ""
    # Parts that were not what the log says, since the index was made; when the last one was found, and where.
    found: int = 0
    found_at: str = ""
    first: int = 0
    end: int = 0
    # Whether that part was read again from the log.
    mended: bool = True

    @classmethod
    def read(cls, folder: Path) -> Self:
        """As it was last kept; the beginning where nothing was."""
        try:
            return cls(**json.loads((folder / CHECKED).read_bytes()))
        except (OSError, ValueError, TypeError):
            return cls()

    def keep(self, folder: Path) -> None:
        """Keep it; if it is lost, a round begins anew."""
        draft = folder / f".{CHECKED}.new"
        draft.write_text(json.dumps(asdict(self)), "utf-8")
        draft.replace(folder / CHECKED)

    def standing(self) -> dict[str, int]:
        """What a probe tells."""
        return {
            "index_compared_percent": 100 * min(self.place, self.size) // self.size if self.size else 0,
            "index_parts_mended": self.found if self.mended else max(0, self.found - 1),
            "index_part_bad": int(not self.mended),
        }
