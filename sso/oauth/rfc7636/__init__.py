# SPDX-License-Identifier: Apache-2.0
"""Proof Key for Code Exchange, S256 only: ``plain`` does not exist here."""

import hmac
import re

from authlib.oauth2.rfc7636 import create_s256_code_challenge

# 43 characters of base64url are the 32 bytes of a SHA-256 digest (RFC 7636 section 4.2).
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
# RFC 7636 section 4.1.
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def challenge_of(verifier: str) -> str:
    """What is sent ahead, where we are the client."""
    made: str = create_s256_code_challenge(verifier)
    return made


def challenge_is_well_formed(challenge: str) -> bool:
    """Whether this can be an S256 challenge at all."""
    return _CHALLENGE.fullmatch(challenge) is not None


def verifier_matches(verifier: str, challenge: str) -> bool:
    """Whether the verifier is the one the challenge was made from; constant time."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    made: str = create_s256_code_challenge(verifier)
    return hmac.compare_digest(made.encode(), challenge.encode())
