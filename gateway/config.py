# SPDX-License-Identifier: Apache-2.0
"""Settings of the gateway: which hosts stand behind it, and the limits it puts on everybody.

Who may reach a host is not said here: that is the policies' business. A route says only where a host leads and what
the resource behind it is.
"""

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

_LABEL = re.compile(r"[a-z][a-z0-9-]{0,30}\Z")
_ROLE = re.compile(r"[a-z]+(:[a-z]+)?\Z")
_PATTERN = re.compile(r"/(?:[A-Za-z0-9._~-]+/?)*\*?\Z")
_SCOPE = re.compile(r"[a-z][a-z0-9_.:-]{0,63}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}\Z")
_AWAY = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*\Z|\[[0-9a-f:.]+\]\Z")
_FIGURES = re.compile(r"\[|[0-9.]+\Z")
_LAST_PORT = 65_535
_MEDIA = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+\Z")
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
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What the boundary lets through at all."""
SITE_EDGES = ("nginx", "haproxy")
"""Programs that can be a site's only proxy."""
READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""
LARGEST_BODY = 1024
"""Mebibytes; a larger setting is a mistake."""
SESSION_COOKIE = "__Host-tallygate"
"""Cookie of a session: of one host over TLS, for all paths (RFC 6265bis section 4.1.3.2)."""
COOKIES = (SESSION_COOKIE, "__Host-gateway")
"""Every cookie the gateway sets at the hosts it guards; the second holds logins that were begun (``core.web``)."""
ASK = ("ask-1", "ask-2")
"""The sockets at which nginx asks for decisions: one for each worker, who holds it as long as it lives."""
LIVE = "live"
"""Name of the gateway's socket that keeps WebSockets."""
WELL_KNOWN = "/.well-known/oauth-protected-resource"
"""Where hosts that take tokens say which (RFC 9728); what follows it is a path of the host."""
EGRESS = "egress"
"""Name of the way out: its label, its listener in the zones, and its class in the policies."""
LISTENERS = ("external", "internal", "management")
"""The TLS listeners; each is the zone of what arrives by it."""


@dataclass(frozen=True, kw_only=True)
class Grade:
    """What a grade of assessment demands of a route."""

    assurance: int
    zones: tuple[str, ...]
    # Days after which the assessment is due again.
    days: int
    # Days for which records of access are kept at least (``retention.access`` of the record).
    kept: int


GRADES = {
    1: Grade(assurance=0, zones=LISTENERS, days=1095, kept=180),
    2: Grade(assurance=1, zones=LISTENERS, days=730, kept=180),
    3: Grade(assurance=2, zones=LISTENERS, days=365, kept=366),
    4: Grade(assurance=3, zones=("internal", "management"), days=180, kept=1098),
}
"""By grade of protection (GB/T 22240); a fifth is beyond what this software is for."""


class Lapsed(StrEnum):
    """What an assessment that has run out means for its host."""

    OPEN = "open"
    READ_ONLY = "read-only"
    SHUT = "shut"


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """The security assessment with which a host was registered."""

    # 1 to 4; what it demands of the route is checked at start.
    grade: int
    # Who assessed, and the number of the report.
    by: str
    report: str
    # When, as 2026-11-29; how long it holds follows from the grade.
    on: str

    def __post_init__(self) -> None:
        if self.grade not in GRADES:
            raise ValueError("grade must be 1 to 4")
        if not self.by or not self.report:
            raise ValueError("by and report must say something")
        date.fromisoformat(self.on)

    @property
    def due(self) -> date:
        """When the host must be assessed again."""
        return date.fromisoformat(self.on) + timedelta(days=GRADES[self.grade].days)


@dataclass(frozen=True, kw_only=True)
class Route:
    """One guarded host: every request to it is decided and recorded."""

    # Role whose socket the requests go to.
    role: str
    # Zone the resource stands in; also the listener by which its own origin is reached.
    zone: str
    # Class of the resource in the policies (policies.ResourceClass).
    resource_class: str
    # Name of the resource in the policies and in the record; the label if empty.
    resource: str = ""
    # Lowest assurance the resource itself asks for, 0 to 3.
    assurance: int = 1
    # Classification, 0 public to 3 secret.
    classification: int = 0
    # Paths that policies may open to anybody; exact, or with a final star for everything beneath.
    public: tuple[str, ...] = ()
    # Paths where a bearer token is taken, written alike.
    api: tuple[str, ...] = ()
    # Paths where programs are taken, written alike, each with the scope that the program's own token must name. Such a
    # token is got by client credentials and bound to a key or a certificate; a person's is refused there.
    programs: dict[str, str] = field(default_factory=dict)
    # Whether the host is sent that token as well; it can then act as its caller elsewhere until the token ends.
    passes_token: bool = False
    # Paths where a device certificate is taken, written alike; only hosts that name one ask for certificates at all.
    device: tuple[str, ...] = ()
    # Paths, written alike, where a WebSocket may be opened; it ends within a second of what allowed it. Persons and
    # devices only: whoever is nobody has nothing that could end.
    sockets: tuple[str, ...] = ()
    # Name of the role's socket that answers them.
    live: str = "sock"
    # Whether proxies of other zones prove themselves here by certificate (``peers`` of a zone in the policies).
    peers: bool = False
    # Whether emergency switches do not hold here, for it is where they are reversed.
    unshuttable: bool = False
    # The assessment it was registered with; a host without one is told of by `tallygate doctor`.
    assessment: Assessment | None = None
    # Paths, written alike, that show people's records: those that declare each access before (`POST /accesses`), and
    # those that do not, which people are told of at "My account".
    declared: tuple[str, ...] = ()
    undeclared: tuple[str, ...] = ()
    # Methods the host takes; every method that the boundary knows if empty.
    methods: tuple[str, ...] = ()
    # Largest body in mebibytes; with such a limit, a body of no announced length is refused. 0: ``body_limit`` alone.
    largest: int = 0
    # Media types of bodies the host takes, lower case, without parameters; any if empty.
    media: tuple[str, ...] = ()

    @property
    def resources(self) -> frozenset[str]:
        """What tokens may be for (RFC 9728): the host, which is the empty path, and paths where people's are taken."""
        if not (self.api or self.programs):
            return frozenset()
        return frozenset({"", *(pattern.removesuffix("*").removesuffix("/") for pattern in self.api)})

    def __post_init__(self) -> None:
        if self.assessment is not None:
            demanded = GRADES[self.assessment.grade]
            if self.assurance < demanded.assurance or self.zone not in demanded.zones:
                raise ValueError(
                    f"grade {self.assessment.grade} demands assurance {demanded.assurance} and a zone among"
                    f" {', '.join(demanded.zones)}"
                )
        if not set(self.methods) <= METHODS:
            raise ValueError(f"methods must be some of {', '.join(sorted(METHODS))}")
        if not 0 <= self.largest <= LARGEST_BODY or not all(_MEDIA.match(one) for one in self.media):
            raise ValueError("largest or media cannot be a limit")
        if not _ROLE.match(self.role):
            raise ValueError(f"{self.role!r} is no role")
        if self.zone not in LISTENERS:
            raise ValueError(f"zone must be one of {', '.join(LISTENERS)}")
        if not all(_SCOPE.match(scope) for scope in self.programs.values()):
            raise ValueError("programs must name a scope for each path")
        declaring = (*self.declared, *self.undeclared)
        for path in (*self.public, *self.api, *self.programs, *self.device, *self.sockets, *declaring):
            if not _PATTERN.match(path):
                raise ValueError(f"{path!r} is not a plain path")


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


def _guarded() -> dict[str, Route]:
    return {
        "tax": Route(
            role="portal:tax",
            zone="external",
            resource_class="portal",
            public=("/", "/callback"),
            api=("/api/*",),
            sockets=("/queue/live",),
            live="live",
            declared=("/me", "/api/v1/me"),
        ),
        "social": Route(
            role="portal:social",
            zone="external",
            resource_class="portal",
            public=("/", "/callback"),
            api=("/api/*",),
            declared=("/me", "/api/v1/me"),
        ),
        "documents": Route(
            role="portal:documents",
            zone="internal",
            resource_class="office",
            assurance=2,
            public=("/callback",),
            declared=("/me", "/api/v1/me"),
            undeclared=("/documents/*",),
        ),
        "audit": Route(role="audit", zone="management", resource_class="console", assurance=2, unshuttable=True),
        "ca": Route(role="ca", zone="management", resource_class="console", assurance=2),
        # Where holders ask for certificates and look after their own.
        "certificates": Route(role="ca", zone="external", resource_class="portal", undeclared=("/my/*",)),
        # Where people have documents signed with keys that are kept for them.
        "sign": Route(
            role="signatures",
            zone="external",
            resource_class="portal",
            assurance=2,
            programs={"/agencies/v1/*": "documents"},
        ),
        "directory": Route(
            role="directory", zone="management", resource_class="console", assurance=2, programs={"/scim/v2/*": "scim"}
        ),
        # Where sign-on's administrators and those who register portals work.
        "accounts": Route(role="sso", zone="management", resource_class="console", assurance=2),
        "devices": Route(
            role="portal:tax", zone="external", resource_class="device-api", assurance=0, device=("/api/device/*",)
        ),
    }


def _open() -> dict[str, OpenHost]:
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


@dataclass(frozen=True, kw_only=True)
class EnforcementPoint:
    """Another program that asks the decision point (host ``pdp``) and enforces what it hears."""

    # SHA-256 of its key, hexadecimal; the key is sent as a bearer token.
    key: str = ""
    # Device of the directory whose certificate it shows instead.
    device: str = ""
    # Zones in which it stands: it asks about requests that came in by these and no others.
    zones: tuple[str, ...] = ()
    # Whether it is believed about organisations, services and clients, whom no list of ours tells.
    vouches: bool = False

    def __post_init__(self) -> None:
        if bool(self.key) == bool(self.device):
            raise ValueError("an enforcement point has a key or a device, one of both")
        if self.key and not _DIGEST.match(self.key):
            raise ValueError("key is the SHA-256 of the key, 64 hexadecimal digits")


@dataclass(frozen=True, kw_only=True)
class Destination:
    """What may be reached beyond the site's networks, and as what the policies know it: class ``egress``, this name."""

    # Names: exact, or with a dot in front for everything beneath. An address in figures only as it stands here.
    hosts: tuple[str, ...]
    ports: tuple[int, ...] = (443,)
    # "tls": the tunnel begins with TLS for the very name that was asked for, or ends; "any": whatever it carries.
    protocol: str = "tls"
    # Zone it lies in, as the zone matrix names it.
    zone: str = "internet"
    # Lowest assurance, and classification of what is told there.
    assurance: int = 2
    classification: int = 0
    # Whether its names may lead to addresses that are not the whole internet's.
    private: bool = False

    def __post_init__(self) -> None:
        if not self.hosts or not all(_AWAY.match(host) for host in self.hosts):
            raise ValueError("hosts must be names in lower case")
        if not self.ports or not all(0 < port <= _LAST_PORT for port in self.ports):
            raise ValueError("ports must be ports")
        if self.protocol not in ("tls", "any"):
            raise ValueError("protocol is tls or any")
        if self.protocol == "tls" and any(_FIGURES.match(host) for host in self.hosts):
            raise ValueError("TLS says no address in figures: protocol must be any")

    def covers(self, host: str, port: int) -> bool:
        """Whether this is one of its places."""
        return port in self.ports and any(
            host == each or (each.startswith(".") and host.endswith(each)) for each in self.hosts
        )


@dataclass(frozen=True, kw_only=True)
class EgressSettings:
    """The ``[gateway.egress]`` section: the way out by CONNECT, at ``site.ports.egress``; plain forwarding is none."""

    # By name; where two cover a place, the first decides. What none covers is refused.
    destinations: dict[str, Destination] = field(default_factory=dict)
    # Tunnels of one person or device at once.
    tunnels: int = 64
    # A tunnel ends after so long without a byte, and in any case after so long.
    idle: timedelta = timedelta(minutes=5)
    longest: timedelta = timedelta(hours=8)

    def __post_init__(self) -> None:
        if not all(_LABEL.match(name) for name in self.destinations):
            raise ValueError("a destination is named by a label")
        if self.tunnels < 1 or self.idle <= timedelta() or self.longest <= timedelta():
            raise ValueError("a limit is out of range")


@dataclass(frozen=True, kw_only=True)
class GatewaySettings:
    """The ``[gateway]`` section."""

    # The program that `tallygate up` starts before every host: nginx or haproxy. Caddy stands only beside nginx
    # (`tallygate edge`): it counts no requests of strangers at open hosts, and leads no WebSocket to who can end it.
    edge: str = "nginx"
    # Guarded hosts by label.
    routes: dict[str, Route] = field(default_factory=_guarded)
    # Hosts that are not behind the decision, by label.
    open_hosts: dict[str, OpenHost] = field(default_factory=_open)
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
            if not _LABEL.match(label):
                raise ValueError(f"{label!r} is no label")
        for header in self.headers:
            low = header.lower()
            if not _HEADER.match(header) or low in _OWN_BUSINESS or low.startswith(_SAID_BY_PROXIES):
                raise ValueError(f"header {header!r} cannot be let through")
        for host in self.open_hosts.values():
            if not _ROLE.match(host.role) or not all(_PATTERN.match(path) for path in (*host.paths, *host.limited)):
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
