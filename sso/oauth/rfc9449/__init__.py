# SPDX-License-Identifier: Apache-2.0
"""DPoP on our side of it: which scheme a token is presented by, and how we ask for a proof (section 7.1, 9).

The proof itself is checked by ``core.proofs``, which the gateway shares.
"""

from core.proofs import Asked as Asked
from core.proofs import Proof as Proof
from core.proofs import proof_of as proof_of

from ...errors import InvalidToken
from ..rfc7515 import ALGORITHMS


def presented(header: str | None) -> tuple[str, str]:
    """Scheme, in lower case, and token of one request.

    Raises:
        InvalidToken: none, or in a way that is not taken.
    """
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() not in ("bearer", "dpop") or not token or not token.isascii() or " " in token:
        raise InvalidToken
    return scheme.lower(), token


def challenge(error: str) -> str:
    """The WWW-Authenticate header that asks for a proof."""
    return f'DPoP error="{error}", algs="{" ".join(ALGORITHMS)}"'
