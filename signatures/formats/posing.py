# SPDX-License-Identifier: Apache-2.0
"""A file of another kind that PDF viewers open too: they look for the header alone, and then from the end.

What such a viewer shows must be a document that is signed. Anything that it would take for a part of a PDF elsewhere,
in what belongs to the container and nobody signs, makes of it another document.
"""

import re
from collections.abc import Iterable

from ..pades.gate import looks_like_pdf

_PART = re.compile(rb"startxref|(?<![0-9])[0-9]{1,10}[\s\0]+[0-9]{1,5}[\s\0]+obj(?![a-zA-Z])")


def poses(document: bytes, signed: Iterable[tuple[int, int]]) -> bool:
    """Whether a viewer would find parts of a PDF outside of these documents, each from where to where it stands."""
    if not looks_like_pdf(document):
        return False
    places = list(signed)
    at = document.index(b"%PDF-")
    return not any(start <= at < end for start, end in places) or any(
        not any(start <= found.start() < end for start, end in places) for found in _PART.finditer(document)
    )
