# SPDX-License-Identifier: Apache-2.0
"""Where things lie on one machine: names, folders, sockets and pair secrets of a site.

Each role owns ``state/<role>/`` (0700), ``state/run/<role>/`` for its sockets, and nothing else; what is public lies in
``state/public``. A pair secret is kept twice, once in each partner's folder, so that no file has two readers.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from .config import secret

_HTTP, _HTTPS = 80, 443

ROLES = ("audit", "directory", "ca", "sso", "signatures", "gateway")
"""Every role that runs as its own process, in starting order; portals follow as ``portal:NAME``."""

PORTALS = ("tax", "social", "documents")
"""The sample relying parties."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Loopback ports of the listeners; each network has its own."""

    # Public portals and sign-on.
    external: int
    # What only the internal network may reach.
    internal: int
    # Consoles and desks of administrators and officers.
    management: int
    # Plain HTTP for what must be reachable before trust exists: CRL, OCSP, issuer certificates.
    plain: int
    # The directory over TLS.
    ldaps: int
    # The way out to other networks (CONNECT over TLS); 0 if the site has none.
    egress: int = 0
    # IPv4 address to listen on; loopback unless each role has a network of its own.
    address: str = "127.0.0.1"

    def __post_init__(self) -> None:
        ipaddress.IPv4Address(self.address)


@dataclass(frozen=True, kw_only=True)
class SiteSettings:
    """The ``[site]`` section."""

    # Short name of the installation; part of key names and process titles.
    name: str
    # DNS name under which every service has its own label: sso.<domain>, tax.<domain>.
    domain: str
    # Shown in the head of every page, in English and Chinese.
    title: str
    title_zh: str
    # Folder for everything the site keeps.
    state: Path
    # Where the listeners are; a table of its own.
    ports: Ports
    # Arc under which certificate policies are numbered; 2.999 is the example arc (ITU-T X.660).
    oid_base: str = "2.999"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", self.name):
            raise ValueError("name must be a short lower-case label")
        if not re.fullmatch(r"([a-z0-9-]+\.)+[a-z]+", self.domain):
            raise ValueError("domain must be a lower-case DNS name")

    def host(self, label: str) -> str:
        """The DNS name of one service."""
        return f"{label}.{self.domain}"

    def origin(self, label: str, listener: str = "external") -> str:
        """Scheme, host and port of one service at one listener, without a final slash."""
        port = getattr(self.ports, listener)
        if listener == "plain":
            return f"http://{self.host(label)}" + ("" if port == _HTTP else f":{port}")
        return f"https://{self.host(label)}" + ("" if port == _HTTPS else f":{port}")

    def folder(self, role: str) -> Path:
        """The private folder of one role."""
        return self.state / role.replace(":", "-")

    @property
    def run(self) -> Path:
        """Holds one folder for each role's sockets, and nothing else."""
        return self.state / "run"

    def socket(self, role: str, name: str = "sock") -> Path:
        """A Unix socket a role listens on: its only one, or the named one. Short, for Linux allows 107 bytes."""
        return self.run / role.replace(":", "-") / name

    @property
    def public(self) -> Path:
        """Certificates and public keys anybody may read."""
        return self.state / "public"

    @property
    def anchors(self) -> Path:
        """The roots of the site's own servers, old and new; of a site that an older release founded, its first root."""
        both = self.public / "anchors.pem"
        return both if both.exists() else self.public / "root.pem"

    def secret_path(self, *, holder: str, caller: str, callee: str) -> Path:
        """The holder's copy of the secret that the pair (caller, callee) shares."""
        return self.folder(holder) / "pairs" / f"{caller}--{callee}".replace(":", "-")

    def pair_secret(self, *, holder: str, caller: str, callee: str) -> bytes:
        """Read the holder's copy.

        Raises:
            ConfigurationError: missing or readable by others.
        """
        return secret(self.secret_path(holder=holder, caller=caller, callee=callee))
