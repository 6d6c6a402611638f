# SPDX-License-Identifier: Apache-2.0
"""The whole section of the gateway: its hosts, and the limits it puts on everybody."""

import re
from dataclasses import dataclass, field
from datetime import timedelta

from .assessment import Lapsed
from .egress import EgressSettings
from .names import EGRESS, LABEL, LARGEST_BODY, LISTENERS, PATTERN, ROLE
from .open_hosts import OpenHost, opened
from .points import EnforcementPoint
from .routes import Route, guarded

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}\Z")
_SAID_BY_PROXIES = ("tallygate-", "x-original-", "x-forwarded-")
_OWN_BUSINESS = frozenset(
    {
        *("authorization", "connection", "content-length", "cookie", "expect", "forwarded", "host", "keep-alive"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "via"),
        "x-client-address",
        "x-real-ip",
    }
)
"""Headers that no setting lets through: proxies write them, end them, or take our own cookie or a token out first."""
SITE_EDGES = ("nginx", "haproxy")
"""Programs that can be a site's only proxy."""


@dataclass(frozen=True, kw_only=True)
class GatewaySettings:
    """The ``[gateway]`` section."""

    # The program that `tallygate up` starts before every host: nginx or haproxy. Caddy stands only beside nginx
    # (`tallygate edge`): it counts no requests of strangers at open hosts, and leads no WebSocket to who can end it.
    edge: str = "nginx"
    # Guarded hosts by label.
    routes: dict[str, Route] = field(default_factory=guarded)
    # Hosts that are not behind the decision, by label.
    open_hosts: dict[str, OpenHost] = field(default_factory=opened)
    # Who may ask the decision point, by name.
    enforcement_points: dict[str, EnforcementPoint] = field(default_factory=dict)
    # Ways out to other networks.
    egress: EgressSettings = field(default_factory=EgressSettings)
    # Role that answers OCSP, CRL and issuer certificates over plain HTTP.
    pki_role: str = "ca"
    # A gateway session ends so long after login, and so long after its last request.
    session_lifetime: timedelta = timedelta(hours=8)
    session_idle: timedelta = timedelta(minutes=30)
    # A login begun at the gateway must be finished within this time.
    login_lifetime: timedelta = timedelta(minutes=10)
    # How long a person read from the directory may be reused; news from the record ends it at once, and so does the
    # alarm about a change that was not made through the record.
    person_lifetime: timedelta = timedelta(minutes=5)
    # Days after which the key of the identity header changes by itself; 0: only by `tallygate gateway rotate-key`.
    key_days: int = 90
    # For how long a new key is known before it signs, and an old one counts after it did: longer than any host keeps
    # the list of keys (five minutes), and than a header lives.
    key_overlap: timedelta = timedelta(minutes=10)
    # While the authority is away: how old an OCSP answer or a revocation list may be that says what a certificate is
    # worth. What is older says nothing, and nothing means no.
    status_age: timedelta = timedelta(hours=12)
    # Largest body of a request in mebibytes.
    body_limit: int = 32
    # What happens to a host whose assessment has run out: nothing but a warning ("open"), no change of data
    # ("read-only"), or nothing passes ("shut").
    lapsed: Lapsed = Lapsed.OPEN
    # Requests per second of one address, and how many more may come at once.
    rate: int = 1000
    burst: int = 2000
    # The same where an open host says that strangers cost it work. A whole office may stand behind one address.
    stranger_rate: int = 100
    stranger_burst: int = 400
    # Requests per second of one person or device, and how many more may come at once; all workers count together.
    person_rate: int = 1000
    person_burst: int = 2000
    # The same of one client that presents tokens, for all its people together.
    client_rate: int = 5000
    client_burst: int = 10_000
    # Questions per second of one enforcement point at the decision point, and how many more may come at once; the same
    # way. Each of a batch counts, and each person whom a search looks at.
    point_rate: int = 2000
    point_burst: int = 4000
    # Forged or stale tokens and certificates of one address in a minute, after which it waits; per worker process.
    refused_credentials: int = 60
    # Simultaneous connections of one address.
    connections: int = 1000
    # WebSockets and ways out that one person or device has open, beyond which no further WebSocket opens.
    sockets: int = 256
    # Request headers that reach a host; all others end at the boundary.
    headers: tuple[str, ...] = (
        "Accept",
        "Accept-Language",
        "Content-Type",
        "DPoP",
        "Idempotency-Key",
        "If-Match",
        "If-Modified-Since",
        "If-None-Match",
        "If-Range",
        "If-Unmodified-Since",
        "Origin",
        "Range",
        "Referer",
        "Sec-Fetch-Dest",
        "Sec-Fetch-Mode",
        "Sec-Fetch-Site",
        "Sec-Fetch-User",
        "User-Agent",
        "X-CSRFToken",
        "X-Request-ID",
        "X-Requested-With",
    )

    def __post_init__(self) -> None:
        _startable(self.edge)
        labels = [*self.routes, *self.open_hosts]
        if len(set(labels)) != len(labels) or {"pki", EGRESS} & set(labels):
            raise ValueError("a label is used twice")
        for label in labels:
            if not LABEL.match(label):
                raise ValueError(f"{label!r} is no label")
        for header in self.headers:
            low = header.lower()
            if not _HEADER.match(header) or low in _OWN_BUSINESS or low.startswith(_SAID_BY_PROXIES):
                raise ValueError(f"header {header!r} cannot be let through")
        for host in self.open_hosts.values():
            if not ROLE.match(host.role) or not all(PATTERN.match(path) for path in (*host.paths, *host.limited)):
                raise ValueError(f"{host.role!r} cannot be an open host")
            if host.paths and not set(host.limited) <= set(host.paths):
                raise ValueError(f"limited must be some of {', '.join(host.paths)}")
            if not set(host.listeners) <= set(LISTENERS):
                raise ValueError(f"listeners must be some of {', '.join(LISTENERS)}")
            if host.zone not in ("", *LISTENERS):
                raise ValueError(f"zone must be one of {', '.join(LISTENERS)}")
        if not (
            1 <= self.body_limit <= LARGEST_BODY
            and self.rate >= 1
            and self.burst >= 1
            and self.stranger_rate >= 1
            and self.stranger_burst >= 1
            and self.connections >= 1
            and self.sockets >= 1
            and min(self.person_rate, self.person_burst, self.client_rate, self.client_burst) >= 1
            and min(self.point_rate, self.point_burst) >= 1
            and self.refused_credentials >= 1
            and self.key_days >= 0
            and self.key_overlap >= timedelta(minutes=2)
        ):
            raise ValueError("a limit is out of range")


def _startable(edge: str) -> None:
    if edge == "caddy":
        raise ValueError(
            "edge cannot be caddy: it limits no strangers at open hosts and leads no WebSocket to the gateway;"
            " before guarded hosts it can stand beside nginx (tallygate edge caddy)"
        )
    if edge not in SITE_EDGES:
        raise ValueError(f"edge must be one of {', '.join(SITE_EDGES)}")
