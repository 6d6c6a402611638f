# SPDX-License-Identifier: Apache-2.0
"""Public keys that others can find the private key of, though they have the right size.

| weakness     | how it is known                                                                         |
| ------------ | --------------------------------------------------------------------------------------- |
| small factor | a prime below 752 divides the modulus: broken or made up                                |
| close primes | Fermat's method splits the modulus within a few rounds (CVE-2022-26320)                 |
| ROCA         | modulo many small primes the modulus is a power of 65537 (CVE-2017-15361)               |
| small order  | an Ed25519 key of at most eight points, for which anybody can sign (RFC 8032 section 8) |

Debian's keys of 2008 (CVE-2008-0166) are known by a list alone: see `ca.x509.blocklist`.
"""

from math import isqrt

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.errors import N_

from ..errors import KeyRefused

_FERMAT_ROUNDS = 110
"""As Boulder: enough for primes that differ in their lower half only; two random primes never come so close."""

_SMALL_PRIMES = tuple(p for p in range(2, 752) if all(p % q for q in range(2, isqrt(p) + 1)))
_ROCA_PRIMES = tuple(p for p in _SMALL_PRIMES if 2 < p <= 167)  # noqa: PLR2004 - the primes of the published test
_ROCA_MARKS = {p: frozenset(pow(65537, power, p) for power in range(p)) for p in _ROCA_PRIMES}

_PRIME = 2**255 - 19
# y of the points whose order divides the cofactor, which have it in two spellings where that is shorter than the prime.
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _PRIME - 1,
        _PRIME,
        _PRIME + 1,
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    }
)


def check_rsa(key: rsa.RSAPublicKey) -> None:
    """Refuse a modulus that can be factored.

    Raises:
        KeyRefused: it can.
    """
    modulus = key.public_numbers().n
    if any(modulus % prime == 0 for prime in _SMALL_PRIMES):
        raise KeyRefused(why=N_("the RSA modulus has a small factor"))
    if all(modulus % prime in marks for prime, marks in _ROCA_MARKS.items()):
        raise KeyRefused(why=N_("the RSA key was made by a library whose keys can be broken"))
    if _has_close_factors(modulus):
        raise KeyRefused(why=N_("the factors of the RSA modulus are too close to each other"))


def check_ed25519(key: ed25519.Ed25519PublicKey) -> None:
    """Refuse a point for which anybody can sign.

    Raises:
        KeyRefused: it is one.
    """
    encoded = int.from_bytes(key.public_bytes(Encoding.Raw, PublicFormat.Raw), "little")
    # The highest bit is the sign of x.
    if encoded & (2**255 - 1) in _SMALL_ORDER:
        raise KeyRefused(why=N_("anybody can sign for this Ed25519 key"))


def _has_close_factors(modulus: int) -> bool:
    """Fermat: look for a square that exceeds n by a square, from the root of n upwards."""
    root = isqrt(modulus)
    if root * root < modulus:
        root += 1
    for _ in range(_FERMAT_ROUNDS):
        rest = root * root - modulus
        if isqrt(rest) ** 2 == rest:
            return True
        root += 1
    return False
