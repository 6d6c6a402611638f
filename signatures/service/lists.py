# SPDX-License-Identifier: Apache-2.0
"""The newest lists of revoked certificates, asked from our own authority.

The authority makes a new list whenever something changed.
"""

from collections.abc import Callable, Sequence

from core.calls import Peer
from core.errors import TallygateError
from core.log import logger

_log = logger(__name__)


def asked_from(peer: Peer) -> Callable[[str], bytes]:
    """Asks the authority's public address for one issuer's list."""
    return lambda issuer: peer.call("GET", f"/crl/{issuer}.crl").body


class IssuerLists:
    """The lists of several issuers; ``ask`` answers for one."""

    def __init__(self, ask: Callable[[str], bytes], *, issuers: Sequence[str]) -> None:
        self._ask = ask
        self._issuers = tuple(issuers)

    def __call__(self) -> list[bytes]:
        """Every list that can be had; one that cannot makes its issuer's certificates "cannot tell", never good."""
        found = []
        for issuer in self._issuers:
            try:
                found.append(self._ask(issuer))
            except TallygateError as error:
                # Also an authority that is broken: the public is told "cannot tell", not an error of somebody else's.
                _log.warning("revocation_list_unavailable", issuer=issuer, cause=type(error).__name__)
        return found
