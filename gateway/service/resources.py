# SPDX-License-Identifier: Apache-2.0
"""What guarded hosts tell everybody about the tokens they take (RFC 9728), signed by the gateway's own key.

A resource is a host, or what lies below one of the paths where it takes tokens. A token that is for such a path opens
nothing beside it.
"""

from collections.abc import Iterator
from typing import Any

from core.clock import Clock
from core.identity import IdentityIssuer
from core.jose import ALGORITHMS
from core.site import SiteSettings

from ..config import WELL_KNOWN, GatewaySettings, Route
from ..errors import NoSuchResource
from ..request import matches

TYPE = "tallygate-resource+jwt"
"""Of the signed metadata, so that it never passes for an identity."""


class Resources:
    """Asked by host and listener, as a proxy vouches for them."""

    def __init__(
        self, *, site: SiteSettings, settings: GatewaySettings, identities: IdentityIssuer, clock: Clock
    ) -> None:
        self._site = site
        self._routes = {site.host(label): (label, route) for label, route in settings.routes.items()}
        self._identities = identities
        self._clock = clock

    def address(self, *, host: str, listener: str) -> str:
        """Where a host tells about itself; empty if it takes no tokens here."""
        label, route = self._routes.get(host, ("", None))
        # Tokens are for the host as it is reached in its own zone; elsewhere the document would name another address
        # than the client used, which must not believe it then (section 3.3).
        if route is None or not route.resources or route.zone != listener:
            return ""
        return self._site.origin(label, listener) + WELL_KNOWN

    def document(self, *, host: str, listener: str, path: str) -> dict[str, Any]:
        """The metadata of a host, or of a path of it where it takes tokens (section 3.1), with its signature.

        Raises:
            NoSuchResource: there is none.
        """
        label, route = self._routes.get(host, ("", None))
        if route is None or not self.address(host=host, listener=listener) or path not in route.resources:
            raise NoSuchResource
        origin = self._site.origin(label, listener)
        said = _metadata(route, origin=origin, path=path, issuer=self._site.origin("sso"))
        signed = {**said, "iss": origin, "iat": int(self._clock.now().timestamp())}
        return {**said, "signed_metadata": self._identities.attest(signed, typ=TYPE)}


def audiences(route: Route, origin: str, path: str) -> tuple[str, ...]:
    """Whom a token may be for that is presented at a path: the host, or what of it the path lies below."""
    narrow = (f"{origin}{prefix}" for pattern, prefix in _prefixes(route) if prefix and matches(path, (pattern,)))
    return (origin, *narrow)


def _metadata(route: Route, *, origin: str, path: str, issuer: str) -> dict[str, Any]:
    """Section 2."""
    return {
        "resource": f"{origin}{path}",
        "authorization_servers": [issuer],
        "jwks_uri": f"{origin}/.tallygate/keys",
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": [*ALGORITHMS],
        "dpop_bound_access_tokens_required": False,
        # Only hosts that ask for certificates can see one that a token is bound to (RFC 8705 section 3).
        "tls_client_certificate_bound_access_tokens": route.asks_certificate,
    }


def _prefixes(route: Route) -> Iterator[tuple[str, str]]:
    """Each pattern where tokens are taken, and the path that stands for it; the empty one is the whole host."""
    for pattern in route.api:
        yield pattern, pattern.removesuffix("*").removesuffix("/")
