# SPDX-License-Identifier: Apache-2.0
"""Recovery codes: on paper, each good for one login in place of a code of the app.

Sixteen characters of an alphabet without look-alikes are 80 bits, so that a plain digest of one is enough to keep.
"""

from collections.abc import Sequence

COUNT = 10
RANDOM_BYTES = 10
"""Of each code."""
# Crockford's base32: no I, L, O, U.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 16
_ALIKE = str.maketrans("OIL", "011", " -")


def recovery_codes(random: Sequence[bytes]) -> list[str]:
    """As they are printed, in groups of four."""
    return [_printed(int.from_bytes(one)) for one in random]


def normalized(typed: str) -> str:
    """What was meant by what was typed; empty if it cannot be a recovery code."""
    text = typed.upper().translate(_ALIKE)
    return text if len(text) == _LENGTH and set(text) <= set(_ALPHABET) else ""


def _printed(number: int) -> str:
    text = "".join(_ALPHABET[number >> 5 * place & 31] for place in range(_LENGTH))
    return "-".join(text[i : i + 4] for i in range(0, _LENGTH, 4))
