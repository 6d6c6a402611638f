# SPDX-License-Identifier: Apache-2.0
"""How one entry of the directory was changed, for the directory's desk: the role reads again what it told itself.

Nothing that another role told is ever opened here. Whoever asks at the desk is named in the record before the answer
is given; so is how many personal parts were opened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import LogDamaged, NoSuchEntry
from ..models import Attribute, Reader
from ..search import Entered, LogView, Row, proof_text
from ..store import IndexStore
from .console import Console

_VIEW = "history"


@dataclass(frozen=True)
class Changed:
    """One change; ``sealed`` is None if its key was destroyed or its bytes are damaged, and empty if not opened."""

    row: Row
    sealed: Mapping[str, str] | None


class Histories:
    """For one role alone, which judges by itself who may see which entry."""

    def __init__(self, console: Console, *, index: IndexStore, log: LogView) -> None:
        self._console = console
        self._index = index
        self._log = log

    def of(
        self, reader: Reader, entry: Entered, *, after: int | None, limit: int, opens: bool
    ) -> tuple[Sequence[Changed], int | None]:
        """The newest changes, and where the next page begins; None where none is left.

        Raises:
            SearchTooLong: it took longer than patience lasts.
            RecordUnavailable: the reading could not be recorded.
        """
        self._console.catch_up()
        rows = self._index.history(entry, after=after, limit=limit + 1)
        shown = rows[:limit]
        found = [Changed(row, self._sealed(row) if opens else {}) for row in shown]
        opened = sum(1 for each in found if each.sealed)
        told: dict[str, Attribute] = {"view": _VIEW, "hits": len(shown)}
        self._console.record(
            "audit.read",
            reader,
            subject=entry.identifier if entry.kind == "subject" else "",
            attributes=told | ({"opened": opened} if opened else {}),
        )
        return found, shown[-1].index if len(rows) > limit else None

    def proof(self, reader: Reader, entry: Entered, index: int) -> tuple[bytes, str]:
        """The bytes of one change and its proof as a C2SP file, checked before they are given.

        Raises:
            NoSuchEntry: the log is not that long, or the entry is no change of this one.
            LogDamaged: the entry's bytes do not lead to the signed root.
            RecordUnavailable: the reading could not be recorded.
        """
        row, raw = self._console.one(reader, index)
        if not entry.holds(row):
            raise NoSuchEntry
        return raw, proof_text(self._log.prove(index))

    def _sealed(self, row: Row) -> Mapping[str, str] | None:
        try:
            return self._log.unseal(self._log.read(row.index, 1)[0])
        except LogDamaged:
            return None
