# SPDX-License-Identifier: Apache-2.0
"""Guarded hosts: where each leads and what stands behind it; who may go there is the policies' business."""

import re
from dataclasses import dataclass, field

from .assessment import GRADES, Assessment
from .names import LARGEST_BODY, LISTENERS, METHODS, PATTERN, ROLE

_SCOPE = re.compile(r"[a-z][a-z0-9_.:-]{0,63}\Z")
_MEDIA = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+\Z")


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
    # Whether proxies of other zones prove themselves here by certificate (``peers`` of a zone in the policies), as they
    # can at every host that takes devices. Where they cannot, a request may come from each zone that such a proxy could
    # speak for at the same listener, and is let in only if it may come from each of them.
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
    def asks_certificate(self) -> bool:
        """Whether TLS asks for a certificate, for whichever reason."""
        return bool(self.device) or self.peers

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
        if not ROLE.match(self.role):
            raise ValueError(f"{self.role!r} is no role")
        if self.zone not in LISTENERS:
            raise ValueError(f"zone must be one of {', '.join(LISTENERS)}")
        if not all(_SCOPE.match(scope) for scope in self.programs.values()):
            raise ValueError("programs must name a scope for each path")
        declaring = (*self.declared, *self.undeclared)
        for path in (*self.public, *self.api, *self.programs, *self.device, *self.sockets, *declaring):
            if not PATTERN.match(path):
                raise ValueError(f"{path!r} is not a plain path")


def guarded() -> dict[str, Route]:
    """Those of a site that names none."""
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
