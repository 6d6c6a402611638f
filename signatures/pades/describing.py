# SPDX-License-Identifier: Apache-2.0
"""What a PDF says of itself: its title, its pages, and whether it carries signatures. Needs no key."""

import io
from typing import Any

from pyhanko.pdf_utils.decode_limits import DecodeLimits
from pyhanko.pdf_utils.generic import TextStringObject
from pyhanko.pdf_utils.reader import PdfFileReader

from ..models import Description
from .gate import marks
from .placing import NotSealable

_LONGEST_TITLE, _MOST_PAGES = 200, 10_000


def describe(document: bytes) -> Description:
    """Look at one file.

    Raises:
        NotSealable: it is locked by a password, or has no page or too many. Other exceptions come from malformed files.
    """
    reader = PdfFileReader(io.BytesIO(document), decode_limits=DecodeLimits.for_untrusted_input())
    if reader.encrypted:
        raise NotSealable("encrypted")
    pages = int(reader.root["/Pages"]["/Count"])
    if not 1 <= pages <= _MOST_PAGES:
        # It may say anything; whoever shows a document by its pages must be able to.
        raise NotSealable("malformed")
    return Description(title=_title(reader), pages=pages, signed=marks(document) > 0)


def keywords(document: bytes) -> str:
    """The keywords in the information dictionary of a file that was read before.

    Raises almost anything for malformed files, as the library does.
    """
    view: Any = PdfFileReader(io.BytesIO(document), decode_limits=DecodeLimits.for_untrusted_input()).trailer_view
    said = view["/Info"].get("/Keywords") if "/Info" in view else None
    return str(said) if isinstance(said, TextStringObject) else ""


def _title(reader: Any) -> str:
    """The title in the information dictionary; what cannot be shown on one line is left out."""
    said = reader.trailer_view["/Info"].get("/Title") if "/Info" in reader.trailer_view else None
    text = str(said) if isinstance(said, TextStringObject) else ""
    return "".join(each for each in text if each.isprintable()).strip()[:_LONGEST_TITLE]
