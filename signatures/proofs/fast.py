# SPDX-License-Identifier: Apache-2.0
"""Has SM2 verified by Tongsuo where it is installed; our own arithmetic stays where it is not, or fails its test.

Which of them verifies changes no verdict: both get signatures and keys that were taken apart and checked before, and
tests ask both. Chosen once for a process, before it locks itself in.
"""

from . import sm2

OWN, TONGSUO = "own", "tongsuo"
# GB/T 32918.5, annex A.2.
_KEY = (
    0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020,
    0xCCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13,
)
_SIGNATURE = bytes.fromhex(
    "3046022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)


def prefer() -> str:
    """Take the faster one; says which it is."""
    try:
        from . import tongsuo  # noqa: PLC0415 - an extra, which may be missing; nobody else pays for loading it
    except ImportError:
        return OWN
    return TONGSUO if trusted(tongsuo.verifies) else OWN


def trusted(engine: sm2.Engine) -> bool:
    """Whether it knows a published signature from others; then it is used from now on."""
    good = engine(_SIGNATURE, b"message digest", _KEY)
    bad = engine(_SIGNATURE, b"message digesT", _KEY) or engine(_SIGNATURE, b"message digest", sm2.G)
    if good and not bad:
        sm2.use(engine)
        return True
    return False
