# SPDX-License-Identifier: Apache-2.0
"""CMS and CAdES in a file of their own, with the content inside or beside, by any number of signers."""

from ..models import Format
from ..pades.gate import looks_like_pdf
from ..proofs.signed_data import NotSignedData, places, read, unarmoured
from .facts import Found, Setting
from .posing import poses


def read_file(document: bytes, content: bytes | None, setting: Setting) -> Found:
    """All signers.

    Raises:
        NotSignedData: it is another kind of object, or malformed.
    """
    found = Found()
    signed = read(unarmoured(document), content)
    if looks_like_pdf(document) and poses(document, places(document, signed.content) if signed.content else ()):
        raise NotSignedData("another document for another viewer")
    for number, signer in enumerate(signed.signers, start=1):
        found.add(signer, setting, format=Format.CMS, name=str(number))
    found.enclose(signed.content)
    return found
