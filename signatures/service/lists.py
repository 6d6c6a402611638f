# SPDX-License-Identifier: Apache-2.0
"""The newest lists of revoked certificates, asked from our own authority.

The authority makes a new list whenever something changed.
"""

from collections.abc import Callable, Iterable, Sequence

from cryptography import x509

from core.calls import Peer
from core.errors import TallygateError
from core.log import logger

_log = logger(__name__)


def asked_from(peer: Peer) -> Callable[[str], tuple[bytes, ...]]:
    """Asks the authority's public address for one issuer's list, and for its delta if it has one.

    The delta says nothing that the list does not, for both are made with every change; but a validator that reads of
    one wants to see it (RFC 5280 section 6.3.3).
    """

    def ask(issuer: str) -> tuple[bytes, ...]:
        whole = peer.call("GET", f"/crl/{issuer}.crl").body
        return (whole, peer.call("GET", f"/crl/{issuer}-delta.crl").body) if _has_delta(whole) else (whole,)

    return ask


class IssuerLists:
    """The lists of several issuers; ``ask`` answers for one."""

    def __init__(self, ask: Callable[[str], Sequence[bytes]], *, issuers: Callable[[], Iterable[str]]) -> None:
        self._ask = ask
        self._issuers = issuers

    def __call__(self) -> list[bytes]:
        """Every list that can be had; one that cannot makes its issuer's certificates "cannot tell", never good."""
        found: list[bytes] = []
        for issuer in sorted(self._issuers()):
            try:
                found.extend(self._ask(issuer))
            except TallygateError as error:
                # Also an authority that is broken: the public is told "cannot tell", not an error of somebody else's.
                _log.warning("revocation_list_unavailable", issuer=issuer, cause=type(error).__name__)
        return found


def _has_delta(der: bytes) -> bool:
    try:
        return any(isinstance(each.value, x509.FreshestCRL) for each in x509.load_der_x509_crl(der).extensions)
    except (ValueError, x509.DuplicateExtension):
        # As good as no list; whoever judges by it says so.
        return False
