# SPDX-License-Identifier: Apache-2.0
"""A secret divided among custodians (Shamir, 1979): some of them together have it, fewer have nothing at all.

Each byte of the secret is the constant of a random polynomial over GF(2^8), whose degree is one less than the number
of custodians needed; a custodian holds the values at one point. A share is written in letters and digits, with a
checksum, so that a mistyped one is told from a wrong one.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.errors import N_

from ..errors import ShareRefused

MOST = 255
"""Points of the field other than zero, where the secret lies."""

_CHECK, _MARK, _GROUP = 4, 4, 4


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one custodian holds."""

    # Which custodian, from 1.
    number: int
    # How many must come together.
    needed: int
    # Says which shares belong together; the beginning of a digest of the secret, which 32 random bytes can bear.
    mark: bytes
    values: bytes

    def __str__(self) -> str:
        payload = bytes([self.number, self.needed]) + self.mark + self.values
        text = base64.b32encode(payload + _check(payload)).decode("ascii").rstrip("=")
        return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def read_share(unverified: str) -> Share:
    """One share as a custodian typed it; blanks, dashes and small letters do not matter.

    Raises:
        ShareRefused: not a share, or mistyped.
    """
    text = "".join(unverified.split()).replace("-", "").upper()
    try:
        content = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError) as error:
        raise ShareRefused(why=N_("it is mistyped or no share")) from error
    payload, check = content[:-_CHECK], content[-_CHECK:]
    # The last letter holds bits that stand for nothing; a mistake there would be in no byte.
    if base64.b32encode(content).decode("ascii").rstrip("=") != text.rstrip("="):
        raise ShareRefused(why=N_("it is mistyped or no share"))
    if len(payload) <= 2 + _MARK or check != _check(payload) or not payload[0] or not payload[1]:
        raise ShareRefused(why=N_("it is mistyped or no share"))
    return Share(number=payload[0], needed=payload[1], mark=payload[2 : 2 + _MARK], values=payload[2 + _MARK :])


def divide(secret: bytes, *, custodians: int, needed: int, randomness: Callable[[int], bytes]) -> list[Share]:
    """A share for each custodian; ``randomness`` gives that many random bytes.

    Raises:
        ValueError: fewer custodians than are needed, or more than the field has points.
    """
    if not 1 <= needed <= custodians <= MOST:
        raise ValueError("between one and all of at most 255 custodians are needed")
    # One row of coefficients for each power from 1 on; the secret itself is the row of power 0.
    rows = [secret, *(randomness(len(secret)) for _ in range(needed - 1))]
    mark = hashlib.sha256(secret).digest()[:_MARK]
    return [
        Share(number=point, needed=needed, mark=mark, values=_evaluate(rows, point))
        for point in range(1, custodians + 1)
    ]


def combine(shares: Sequence[Share]) -> bytes:
    """The secret.

    Raises:
        ShareRefused: too few, one given twice, of different secrets, or not what they say.
    """
    if not shares or any((each.mark, each.needed) != (shares[0].mark, shares[0].needed) for each in shares):
        raise ShareRefused(why=N_("the shares do not belong together"))
    points = {each.number: each.values for each in shares}
    if len(points) < len(shares):
        raise ShareRefused(why=N_("one share was given twice"))
    if len(points) < shares[0].needed:
        raise ShareRefused(why=N_("more custodians are needed"))
    secret = _at_zero(points)
    if hashlib.sha256(secret).digest()[:_MARK] != shares[0].mark:
        raise ShareRefused(why=N_("the shares do not belong together"))
    return secret


def _check(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest()[:_CHECK]


def _evaluate(rows: Sequence[bytes], point: int) -> bytes:
    values = bytes(len(rows[0]))
    # Horner's rule, from the highest power down.
    for row in reversed(rows):
        values = bytes(_times(value, point) ^ coefficient for value, coefficient in zip(values, row, strict=True))
    return values


def _at_zero(points: Mapping[int, bytes]) -> bytes:
    """Lagrange's polynomial at zero; subtraction is addition here, so a difference is an exclusive or."""
    secret = bytes(len(next(iter(points.values()))))
    for point, values in points.items():
        weight = 1
        for other in points:
            if other != point:
                weight = _times(weight, _times(other, _inverse(other ^ point)))
        secret = bytes(known ^ _times(value, weight) for known, value in zip(secret, values, strict=True))
    return secret


def _times(left: int, right: int) -> int:
    """The product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197 section 4.2)."""
    product = 0
    while right:
        if right & 1:
            product ^= left
        left = left << 1 ^ (0x11B if left & 0x80 else 0)
        right >>= 1
    return product


def _inverse(value: int) -> int:
    # Of 255 elements that are not zero, each to the power of 255 is one.
    power = 1
    for _ in range(254):
        power = _times(power, value)
    return power
