# SPDX-License-Identifier: Apache-2.0
"""Time-stamps for our own seals, asked from the site's time-stamping authority."""

import secrets
from collections.abc import Callable

from core.calls import Peer
from core.errors import Unavailable

from ..proofs.stamps import answered, question

_ASKED = {"Content-Type": "application/timestamp-query"}


def stamp_by(peer: Peer, unit: str) -> Callable[[bytes], bytes]:
    """Asks one unit for a time-stamp over some bytes; raises Unavailable where it gives none."""

    def stamp(over: bytes) -> bytes:
        nonce = secrets.randbits(64)
        answer = peer.call("POST", f"/tsa/{unit}", body=question(over, nonce), headers=_ASKED).body
        try:
            return answered(answer, over, nonce)
        except ValueError as error:
            raise Unavailable from error

    return stamp
