# SPDX-License-Identifier: Apache-2.0
"""Serial numbers: one byte names the instance, 136 bits are random; positive and never with a leading zero."""

import secrets

_RANDOM_BITS = 136


def draw(instance: int) -> int:
    """A new number (RFC 5280 section 4.1.2.2: at most 20 octets, positive)."""
    return instance << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
