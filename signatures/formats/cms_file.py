# SPDX-License-Identifier: Apache-2.0
"""CMS and CAdES in a file of their own, with the content inside or beside, by any number of signers."""

from ..models import Format
from ..proofs.signed_data import read, unarmoured
from .facts import Found, Setting


def read_file(document: bytes, content: bytes | None, setting: Setting) -> Found:
    """All signers.

    Raises:
        NotSignedData: it is another kind of object, or malformed.
    """
    found = Found()
    for number, signer in enumerate(read(unarmoured(document), content).signers, start=1):
        found.add(signer, setting, format=Format.CMS, name=str(number))
    return found
