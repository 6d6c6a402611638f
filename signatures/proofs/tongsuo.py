# SPDX-License-Identifier: Apache-2.0
"""SM2 by the library Tongsuo (the extra ``sm2``), about three times as fast as our own; only ``fast`` asks for it."""

from typing import Any

from tongsuopy.crypto import hashes  # type: ignore[import-untyped]  # ships no types
from tongsuopy.crypto.asymciphers import ec  # type: ignore[import-untyped]  # as above
from tongsuopy.crypto.exceptions import InvalidSignature  # type: ignore[import-untyped]  # as above

_SM3_WITH_SM2: Any = ec.ECDSA(hashes.SM3())
_CURVE: Any = ec.SM2()


def verifies(signature: bytes, data: bytes, public: tuple[int, int]) -> bool:
    """Whether it does, for the identity that signs where nobody agreed on another; see ``sm2.verifies``."""
    try:
        key: Any = ec.EllipticCurvePublicNumbers(*public, _CURVE).public_key()
        key.verify(signature, data, _SM3_WITH_SM2)
    except (InvalidSignature, ValueError):
        return False
    return True
