# SPDX-License-Identifier: Apache-2.0
"""The newest lists of revoked certificates, asked from our own authority at every verification.

The authority makes a new list whenever something changed, so a suspension bites in the very next verdict.
"""

from collections.abc import Sequence

from core.calls import Peer
from core.errors import TallygateError
from core.log import logger

_log = logger(__name__)


class IssuerLists:
    """Asks the authority's public addresses."""

    def __init__(self, peer: Peer, *, issuers: Sequence[str]) -> None:
        self._peer = peer
        self._issuers = tuple(issuers)

    def __call__(self) -> list[bytes]:
        """Every list that can be had; one that cannot makes its issuer's certificates "cannot tell", never good."""
        found = []
        for issuer in self._issuers:
            try:
                found.append(self._peer.call("GET", f"/crl/{issuer}.crl").body)
            except TallygateError as error:
                # Also an authority that is broken: the public is told "cannot tell", not an error of somebody else's.
                _log.warning("revocation_list_unavailable", issuer=issuer, cause=type(error).__name__)
        return found
