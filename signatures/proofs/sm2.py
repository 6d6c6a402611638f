# SPDX-License-Identifier: Apache-2.0
"""Verifies SM2 signatures (GB/T 32918.2, recommended curve of 32918.5). Verification only: no secret ever enters here.

The OpenSSL in ``cryptography`` has SM3 but refuses SM2 keys (docs/decisions/0031). Plain arithmetic, two milliseconds a
signature, or another engine where a process chose one (``fast``); the published vectors are tests.
"""

from collections.abc import Callable

from asn1crypto import core
from cryptography.hazmat.primitives import hashes

_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_A = _P - 3
_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
SIGNER = b"1234567812345678"
"""The identity that signs where nobody agreed on another (GM/T 0009)."""
_UNCOMPRESSED, _SIZE = 4, 32
_Point = tuple[int, int]
# Signature in DER, data, key: taken apart and found sound before; signed by ``SIGNER``.
Engine = Callable[[bytes, bytes, _Point], bool]
# Jacobian: x/z^2, y/z^3; z = 0 is the point at infinity.
_Wide = tuple[int, int, int]


class _Pair(core.Sequence):  # type: ignore[misc]  # asn1crypto is not annotated
    _fields = [("r", core.Integer), ("s", core.Integer)]  # noqa: RUF012 - asn1crypto's own way


def sm3(data: bytes) -> bytes:
    """The digest (GB/T 32905)."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


_IN_PLACE: list[Engine] = []


def use(engine: Engine | None) -> None:
    """Verify by this engine from now on; None: by our own arithmetic."""
    _IN_PLACE[:] = [] if engine is None else [engine]


def verifies(signature: bytes, data: bytes, point: bytes, *, signer: bytes = SIGNER) -> bool:
    """Whether ``signature`` (DER) over ``data`` is that of the key with this uncompressed point."""
    try:
        public = _read(point)
        pair = _Pair.load(signature, strict=True)
        r, s = int(pair["r"].native), int(pair["s"].native)
    except (ValueError, TypeError):
        return False
    if _Pair({"r": r, "s": s}).dump() != signature or not (0 < r < _N and 0 < s < _N):
        return False
    if _IN_PLACE and signer == SIGNER:
        return _IN_PLACE[0](signature, data, public)
    return _verifies(r, s, sm3(identity(public, signer) + data), public)


def identity(public: _Point, signer: bytes) -> bytes:
    """Z of the signer: the digest of the name, the curve and the key (GB/T 32918.2, 5.5)."""
    numbers = (_A, _B, *G, *public)
    head = (8 * len(signer)).to_bytes(2, "big") + signer
    return sm3(head + b"".join(number.to_bytes(_SIZE, "big") for number in numbers))


def _verifies(r: int, s: int, digest: bytes, public: _Point) -> bool:
    t = (r + s) % _N
    if t == 0:
        return False
    found = affine(both(s, t, public))
    return found is not None and (int.from_bytes(digest, "big") + found[0]) % _N == r


def _read(point: bytes) -> _Point:
    if len(point) != 1 + 2 * _SIZE or point[0] != _UNCOMPRESSED:
        raise ValueError("not an uncompressed point")
    x, y = int.from_bytes(point[1 : 1 + _SIZE], "big"), int.from_bytes(point[1 + _SIZE :], "big")
    if not (x < _P and y < _P) or (y * y - (x * x * x + _A * x + _B)) % _P:
        raise ValueError("not on the curve")
    return x, y


def both(u: int, v: int, public: _Point) -> _Wide:
    """U times the base point plus v times the key, in one pass over the bits."""
    base, key = (*G, 1), (*public, 1)
    table = {1: base, 2: key, 3: _add(base, key)}
    total: _Wide = (1, 1, 0)
    for bit in range(max(u.bit_length(), v.bit_length()) - 1, -1, -1):
        total = _double(total)
        which = (u >> bit & 1) | (v >> bit & 1) << 1
        if which:
            total = _add(total, table[which])
    return total


def _double(p: _Wide) -> _Wide:
    x, y, z = p
    if not z or not y:
        return (1, 1, 0)
    square = y * y % _P
    s = 4 * x * square % _P
    # The curve's a is minus three.
    m = 3 * (x - z * z) * (x + z * z) % _P
    x3 = (m * m - 2 * s) % _P
    return x3, (m * (s - x3) - 8 * square * square) % _P, 2 * y * z % _P


def _add(p: _Wide, q: _Wide) -> _Wide:
    if not p[2]:
        return q
    if not q[2]:
        return p
    (x1, y1, z1), (x2, y2, z2) = p, q
    zz1, zz2 = z1 * z1 % _P, z2 * z2 % _P
    u1, u2 = x1 * zz2 % _P, x2 * zz1 % _P
    s1, s2 = y1 * zz2 * z2 % _P, y2 * zz1 * z1 % _P
    if u1 == u2:
        return _double(p) if s1 == s2 else (1, 1, 0)
    h, r = u2 - u1, s2 - s1
    hh = h * h % _P
    hhh, v = h * hh % _P, u1 * hh % _P
    x3 = (r * r - hhh - 2 * v) % _P
    return x3, (r * (v - x3) - s1 * hhh) % _P, z1 * z2 * h % _P


def affine(p: _Wide) -> _Point | None:
    """The point itself; nothing at infinity."""
    if not p[2]:
        return None
    inverse = pow(p[2], -1, _P)
    square = inverse * inverse % _P
    return p[0] * square % _P, p[1] * square * inverse % _P
