# SPDX-License-Identifier: Apache-2.0
"""How a signature is to look, where it goes, and what it lets happen to the document afterwards."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where the picture goes; where nothing is said, the lower right corner of the last page."""

    # Counted from 1; 0 is the last page.
    page: int = 0
    # Lower left corner of the picture, in points (1/72 inch) from the lower left corner of the page as a reader sees
    # it: turned upright and cut to its crop box.
    x: float | None = None
    y: float | None = None
    # Name of an empty signature field in the document; the picture then fills it, and nothing else may be said.
    field: str = ""

    def __post_init__(self) -> None:
        if (self.x is None) != (self.y is None):
            raise ValueError("x and y come together")
        if self.field and (self.page or self.x is not None):
            raise ValueError("a field has its own place")
        if self.page < 0:
            raise ValueError("pages are counted from 1")


class Certification(StrEnum):
    """What the first signer lets happen to the whole document afterwards (ISO 32000-2, 12.8.2.2, DocMDP 1 to 3)."""

    # An approval signature: it says nothing about that.
    NONE = ""
    NOTHING = "nothing"
    # Fill in forms and sign.
    FORM = "form"
    # That, and write notes.
    NOTES = "notes"


class Locking(StrEnum):
    """Which form fields nobody may change after this signature (ISO 32000-2, 12.8.2.4, FieldMDP)."""

    NONE = ""
    ALL = "all"
    INCLUDE = "include"
    EXCLUDE = "exclude"


@dataclass(frozen=True, kw_only=True)
class Permits:
    """What a signature permits after it."""

    certification: Certification = Certification.NONE
    locking: Locking = Locking.NONE
    # Names of the fields that are locked (include) or stay open (exclude).
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        named = self.locking in {Locking.INCLUDE, Locking.EXCLUDE}
        if named != bool(self.fields):
            raise ValueError("fields are named where some are locked or left open, and only there")


@dataclass(frozen=True, kw_only=True)
class EmptyField:
    """A signature field that waits for its signature, where a reader sees it."""

    name: str
    # Counted from 1.
    page: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One page as a reader sees it."""

    png: bytes
    # In picture elements.
    width: int
    height: int
    # In points, turned upright and cut to the crop box.
    wide: float
    high: float
    # Which page, counted from 1, of how many.
    page: int
    pages: int


@dataclass(frozen=True, kw_only=True)
class Block:
    """What a person's signature block shows."""

    name: str
    name_zh: str
    agency: str
    agency_zh: str
    # Local time of the site, as it is to be read.
    at: str
    # The last digits of the certificate's number.
    serial: str
    # Where the code leads; empty for no code.
    address: str = ""


class PageState(StrEnum):
    """What became of one page since the document was signed."""

    SAME = "same"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One page as it was signed and as it is now."""

    # Counted from 1.
    page: int
    state: PageState
    # PNG; empty where there is no such page, where nothing differs, or beyond the first few that do.
    then: bytes
    now: bytes


@dataclass(frozen=True, kw_only=True)
class Revisions:
    """The signed revision of a document beside the present one."""

    pages_then: int
    pages_now: int
    # As many of the first pages as were compared.
    pages: tuple[Compared, ...]

    @property
    def whole(self) -> bool:
        """Whether every page was compared."""
        return len(self.pages) == max(self.pages_then, self.pages_now)
