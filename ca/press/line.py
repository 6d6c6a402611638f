# SPDX-License-Identifier: Apache-2.0
"""What the authority and a helper say to each other.

A question is drafts, each after its length; the answer is JSON, for each draft its findings as code and text.
"""

import json
import struct
from collections.abc import Sequence

from ..x509.lint import Finding

_LENGTH = struct.Struct(">I")


def asked(drafts: Sequence[bytes]) -> bytes:
    """The question."""
    return b"".join(_LENGTH.pack(len(each)) + each for each in drafts)


def read_asked(question: bytes) -> list[bytes]:
    """The reverse."""
    drafts, position = [], 0
    while position < len(question):
        start = position + _LENGTH.size
        position = start + _LENGTH.unpack_from(question, position)[0]
        drafts.append(question[start:position])
    return drafts


def told(findings: Sequence[Sequence[Finding]]) -> bytes:
    """The answer."""
    return json.dumps(findings).encode()


def read_told(answer: bytes, count: int) -> list[list[Finding]]:
    """The reverse.

    Raises:
        ValueError: the answer is not about so many drafts.
    """
    found = [[(code, text) for code, text in each] for each in json.loads(answer)]
    if len(found) != count:
        raise ValueError("the helper answered about other drafts")
    return found
