# SPDX-License-Identifier: Apache-2.0
"""Hosts that are not behind the decision, each with the reason."""

from dataclasses import dataclass

from .names import LISTENERS

_SWITCHING = ("sso", "audit", "gateway")


@dataclass(frozen=True, kw_only=True)
class OpenHost:
    """One host that identifies its callers itself or serves public facts; not behind the decision."""

    # Role whose socket the requests go to.
    role: str
    # Why no decision is needed; part of the configuration so that a reader can disagree.
    why: str
    # Whether TLS asks for a client certificate and passes it on.
    client_certificate: bool = False
    # Only these paths are forwarded, exact or with a final star; everything if empty.
    paths: tuple[str, ...] = ()
    # Only at these listeners; at every one if empty.
    listeners: tuple[str, ...] = ()
    # Zone it stands in, so that an emergency switch can close the way to it; that of every listener it has if empty.
    zone: str = ""
    # Whether the role decides on every access itself and records it as the gateway would.
    decides: bool = False
    # Paths, written alike, where a stranger costs the role work: the stricter limit ``stranger_rate`` holds there.
    limited: tuple[str, ...] = ()
    # Whether proxies of other zones prove themselves here by certificate (``peers`` of a zone in the policies). Where
    # they cannot, every zone that such a proxy could speak for at the same listener counts as where a request may come
    # from, so that a way that is closed to one of them is closed to all who come in there.
    peers: bool = False

    @property
    def asks_certificate(self) -> bool:
        """Whether TLS asks for a certificate, for whichever reason."""
        return self.client_certificate or self.peers

    @property
    def asked(self) -> bool:
        """Whether emergency switches hold here.

        They do not where they are taken back, which needs the sign-on, the record and an officer's direct way in; nor
        at the decision point, which reads them itself.
        """
        return self.role not in _SWITCHING and not self.decides

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones it stands in: a way to any of them that is closed is closed to it."""
        return (self.zone,) if self.zone else self.listeners or LISTENERS


def opened() -> dict[str, OpenHost]:
    """Those of a site that names none."""
    return {
        "sso": OpenHost(
            role="sso", why="the sign-on authenticates people and clients itself", limited=("/authorize", "/par")
        ),
        "card": OpenHost(role="sso", why="the sign-on checks the client certificate itself", client_certificate=True),
        "sso-tls": OpenHost(
            role="sso",
            why="clients of the sign-on show their own certificates, which it checks itself",
            client_certificate=True,
            paths=("/token", "/userinfo", "/introspect", "/revoke", "/par"),
        ),
        "ca-direct": OpenHost(
            role="ca",
            why="an officer's own certificate repairs a broken sign-on; the authority decides and records",
            client_certificate=True,
            paths=("/direct/*", "/static/*"),
            listeners=("management",),
            decides=True,
        ),
        "acme": OpenHost(
            role="ca",
            why="machines sign every request with a key that an officer granted; the authority decides and records",
            # What is told of incidents, which clients are led to, stands beside.
            paths=("/acme/*", "/acme/new-account", "/acme/revoke-cert", "/notices/*", "/static/*"),
            zone="external",
            # A key of one's own is enough to be heard there.
            limited=("/acme/new-account", "/acme/revoke-cert"),
        ),
        "est": OpenHost(
            role="ca",
            why="devices show their own certificate or an enrolment's secret; the authority checks and records",
            client_certificate=True,
            paths=("/.well-known/est/*",),
            zone="external",
            # Anybody may ask there, and a request can make the authority look at a signature.
            limited=("/.well-known/est/*",),
        ),
        "office-accounts": OpenHost(
            role="portal:documents",
            why="the directory tells the portal who has an account there, with a token that the portal checks",
            paths=("/scim/v2/*",),
            listeners=("internal",),
            zone="internal",
        ),
        "verify": OpenHost(role="signatures", why="anybody may ask whether a document can be trusted", zone="external"),
        "pdp": OpenHost(
            role="gateway",
            why="enforcement points show a key or a certificate, and each answer is recorded",
            client_certificate=True,
            paths=("/access/v1/*", "/.well-known/authzen-configuration"),
            limited=("/access/v1/*",),
        ),
        "log": OpenHost(
            role="audit",
            why="checkpoints and hash tiles are public facts",
            paths=(
                "/checkpoint",
                "/tile/*",
                "/logs.txt",
                "/pruned",
                "/logs/*",
                "/mirror/*",
                "/witnessed",
                "/witness/*",
                "/api/v1/openapi.json",
                "/log/*",
                "/static/*",
            ),
        ),
    }
