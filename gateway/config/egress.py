# SPDX-License-Identifier: Apache-2.0
"""Ways out to other networks, as data."""

import re
from dataclasses import dataclass, field
from datetime import timedelta

from .names import LABEL

_AWAY = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*\Z|\[[0-9a-f:.]+\]\Z")
_FIGURES = re.compile(r"\[|[0-9.]+\Z")
_LAST_PORT = 65_535


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
        if not all(LABEL.match(name) for name in self.destinations):
            raise ValueError("a destination is named by a label")
        if self.tunnels < 1 or self.idle <= timedelta() or self.longest <= timedelta():
            raise ValueError("a limit is out of range")
