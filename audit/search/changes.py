# SPDX-License-Identifier: Apache-2.0
"""What the record holds about one entry of the directory: which events are its history, and how the index is asked."""

from dataclasses import dataclass
from enum import StrEnum

from ..events import KINDS
from .errors import BadFilter
from .query import LONGEST
from .rows import Row
from .terms import clear_marks, mark, quoted

SOURCE = "directory"
READING = ("directory.person.read", "directory.people.searched", "directory.number.opened", "directory.history.read")
"""What the directory records without anything being changed."""


class EntryKind(StrEnum):
    """How events name an entry: as their subject; as the organisation they happened in too; or by a short name."""

    SUBJECT = "subject"
    ORGANISATION = "organisation"
    ROLE = "role"
    OFFER = "offer"


@dataclass(frozen=True)
class Entered:
    """One entry of the directory."""

    kind: EntryKind
    identifier: str

    @classmethod
    def parse(cls, kind: str, identifier: str) -> "Entered":
        """Read it from an address.

        Raises:
            BadFilter: there is no such kind, or this is nobody's identifier.
        """
        if kind not in set(EntryKind):
            raise BadFilter(field="kind")
        if not identifier or len(identifier) > LONGEST or not identifier.isprintable() or " " in identifier:
            raise BadFilter(field="identifier")
        return cls(EntryKind(kind), identifier)

    def match(self) -> str:
        """What the full-text index is asked; it may answer with more, and ``holds`` has the last word."""
        one = self.identifier
        if self.kind is EntryKind.SUBJECT:
            which = quoted(mark("person", one))
        elif self.kind is EntryKind.ORGANISATION:
            which = f"({quoted(mark('person', one))} OR {quoted(mark('organisation', one))})"
        else:
            which = " AND ".join(quoted(word) for word in (*clear_marks(one), *clear_marks(self.kind.value)))
        left_out = [quoted(mark("type", kind)) for kind in READING if kind in KINDS]
        left_out.append(quoted(mark("outcome", "intended")))
        return f"({which} AND {quoted(mark('source', SOURCE))}) NOT ({' OR '.join(left_out)})"

    def holds(self, row: Row) -> bool:
        """Whether an event is one of this entry's history."""
        if row.source != SOURCE or row.type in READING:
            return False
        if self.kind is EntryKind.SUBJECT:
            return row.subject == self.identifier
        if self.kind is EntryKind.ORGANISATION:
            return self.identifier in (row.subject, row.organisation)
        named = (row.attributes.get("of"), *str(row.attributes.get("names", "")).split())
        return row.attributes.get("kind") == self.kind.value and not row.subject and self.identifier in named
