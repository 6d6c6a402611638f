# SPDX-License-Identifier: Apache-2.0
"""Evidence by trial: what the policies in force and the site's own door answer at this moment."""

import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

from audit.web import Finding
from core.site import SiteSettings
from directory.models import APART
from policies.models import Action, Code, Decision, DecisionRequest

from .complying_doors import answered_to, bound, no_handshake, stranger

_PATIENCE = 5.0
_MODERN = ("TLSv1.2", "TLSv1.3")
_SHIPPED_NAMES = ("root", "admin", "Manager")
_SHIPPED_PASSWORDS = ("", "admin", "secret")
"""What directory servers, and books about them, begin with."""


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """Where devices come in by certificate."""

    label: str
    # Listener, by its name.
    listener: str
    path: str


class Engine(Protocol):
    """The policies in force, as trials ask them."""

    @property
    def version(self) -> str:
        """Of the release."""
        ...

    @property
    def sequence(self) -> int:
        """Number of the release."""
        ...

    @property
    def zones(self) -> frozenset[str]:
        """All it knows."""
        ...

    @property
    def needless(self) -> Sequence[str]:
        """Policies that others make superfluous, in words."""
        ...

    def decide(self, request: DecisionRequest) -> Decision:
        """Answer."""
        ...


class Trials:
    """Asks what must be refused, and shows the answers; ``engine`` is read when the first trial needs it."""

    def __init__(
        self,
        *,
        site: SiteSettings,
        engine: Callable[[], Engine],
        empty: Engine,
        now: datetime,
        entrance: Entrance | None = None,
        suffix: str = "",
    ) -> None:
        """``entrance`` is the devices', if the site has one; ``suffix`` that of its own directory server, if any."""
        self._site = site
        self._entrance = entrance
        self._suffix = suffix
        self._engine = engine
        # Without any policies: what it answers is the default.
        self._empty = empty
        self._now = now

    def transport(self) -> Finding:
        """Plain HTTP is refused at the management listener, and TLS is of this age."""
        return self._transport

    @cached_property
    def _transport(self) -> Finding:
        where, host = self._door()
        plain = _answer(where, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        with self._secured(where, host) as secured:
            version, cipher = secured.version() or "", (secured.cipher() or ("",))[0]
        return Finding(
            met=not plain.startswith((b"HTTP/1.1 2", b"HTTP/1.1 3")) and version in _MODERN,
            shown=(f"plain HTTP: {plain[:12].decode('latin-1')}", f"{version} {cipher}"),
        )

    def validated(self) -> Finding:
        """A request that can be read in two ways is refused before anybody is asked who it is."""
        where, host = self._door()
        status = b""
        with self._secured(where, host) as secured:
            secured.sendall(f"GET /a/..%2f..%2fme HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            while len(status) < len(b"HTTP/1.1 000") and (piece := secured.recv(64)):
                status += piece
        return Finding(
            met=status[9:12] in (b"400", b"403"),
            shown=(f"/a/..%2f..%2fme: {status[:12].decode('latin-1')}",),
        )

    def refused(self) -> Finding:
        """What no rule names is refused, by these policies and by none."""
        stranger, nothing = self._decided(self._stranger()), self._empty.decide(self._stranger())
        return Finding(
            met=stranger.allowed is not True and nothing.allowed is not True,
            shown=(_told(stranger), f"without policies: {nothing.code}"),
        )

    def unlisted(self) -> Finding:
        """Whoever has no entry in the directory has no roles, and is let in nowhere."""
        asked = replace(self._known(), roles=frozenset(), resource="tax", classification=0)
        decision = self._decided(asked)
        return Finding(met=decision.allowed is not True, shown=(f"no entry in the directory: {_told(decision)}",))

    def stranger_device(self) -> Finding:
        """At the devices' own entrance a device is refused without a certificate, and with one that nobody vouches for.

        Whoever asks there for a name that is none of the site's hosts is given no handshake.
        """
        asked = replace(self._stranger(), resource="devices", resource_class="device-api", required_assurance=0)
        decision = self._decided(asked)
        shown = [f"unknown device → devices: {_told(decision)}"]
        met = decision.allowed is not True
        if self._entrance is None:
            return Finding(met=met, shown=(*shown, "no host takes certificates of devices"))
        host = self._site.host(self._entrance.label)
        where = self._site.ports.address, getattr(self._site.ports, self._entrance.listener)
        with stranger(self._now) as certificate, self._secured(where, host, certificate) as secured:
            status, code = answered_to(secured, host, self._entrance.path)
        none = no_handshake(self._modern(), where, self._site.host("a-host-of-nobody"), patience=_PATIENCE)
        shown += [f"certificate of a stranger → {host}: {status} {code}", f"a name of no host: {none or 'handshake'}"]
        return Finding(met=met and (status, code) == (401, "credential") and bool(none), shown=tuple(shown))

    def no_defaults(self) -> Finding:
        """Nobody enters the directory by a name and a password that software ships with, nor without a password."""
        if not self._suffix:
            return Finding(met=False, shown=())
        where = self._site.ports.address, self._site.ports.ldaps
        names = (*(f"cn={each},{self._suffix}" for each in _SHIPPED_NAMES), "cn=config")
        entered, shown = 0, []
        with self._secured(where, self._site.host("ldap")) as secured:
            for name in names:
                codes = [bound(secured, name, password) for password in _SHIPPED_PASSWORDS]
                entered += codes.count(0)
                shown.append(f"{name}: {len(codes) - codes.count(0)} of {len(codes)} passwords refused")
        return Finding(met=not entered, shown=tuple(shown))

    def outward(self) -> Finding:
        """From the internal network no row leads out."""
        asked = replace(self._known(), from_zone="internal", to_zone="internet")
        decision = self._decided(asked)
        return Finding(met=decision.allowed is not True, shown=(f"internal → internet: {_told(decision)}",))

    def needless(self) -> Finding:
        """No policy is superfluous."""
        engine = self._engine()
        return Finding(
            met=not engine.needless,
            shown=(f"policies {engine.version}: {len(engine.needless)} superfluous", *engine.needless[:5]),
        )

    def signed(self) -> Finding:
        """The bundle's signature was verified and its own cases were run for this page."""
        engine = self._engine()
        return Finding(
            met=engine.sequence > 0,
            shown=(f"policies {engine.version}, release {engine.sequence}: signature verified",),
        )

    def labels(self) -> Finding:
        """Clearance below classification is refused, whoever asks."""
        above = self._decided(replace(self._known(), classification=3))
        return Finding(met=above.allowed is not True and above.code == "clearance", shown=(_told(above),))

    def apart(self) -> Finding:
        """Who holds two roles of administrators is refused for just that, and nobody is who holds one of them."""
        pairs = sorted(sorted(each) for each in APART)
        alone = {role: self._console((role,)).code for role in sorted({role for pair in pairs for role in pair})}
        found = {" + ".join(pair): self._console(pair) for pair in pairs}
        return Finding(
            met=bool(found)
            and all(each.allowed is not True and each.code == Code.SEPARATION for each in found.values())
            and Code.SEPARATION not in alone.values(),
            shown=(
                *(f"{role} alone: {code}" for role, code in alone.items()),
                *(f"{name}: {_told(each)}" for name, each in found.items()),
            ),
        )

    def _console(self, roles: Sequence[str]) -> Decision:
        asked = replace(self._known(), roles=frozenset(roles), resource="audit", resource_class="console")
        return self._decided(replace(asked, from_zone="management", to_zone="management"))

    def management(self) -> Finding:
        """Consoles are reached from the management network alone."""
        asked = replace(self._known(), resource="audit", resource_class="console", to_zone="management")
        decision = self._decided(asked)
        return Finding(met=decision.allowed is not True, shown=(f"external → management: {_told(decision)}",))

    def weak(self) -> Finding:
        """A console refuses whoever showed a password alone."""
        asked = replace(
            self._known(), roles=frozenset({"security-officer"}), assurance=1, resource="audit",
            resource_class="console", from_zone="management", to_zone="management", required_assurance=2,
        )  # fmt: skip
        decision = self._decided(asked)
        return Finding(met=decision.allowed is not True, shown=(f"assurance 1 → audit: {_told(decision)}",))

    def _door(self) -> tuple[tuple[str, int], str]:
        ports = self._site.ports
        return (ports.address, ports.management), self._site.host("audit")

    def _modern(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self._site.anchors))

    def _secured(self, where: tuple[str, int], host: str, certificate: Path | None = None) -> ssl.SSLSocket:
        modern = self._modern()
        if certificate is not None:
            modern.load_cert_chain(certificate)
        line = socket.create_connection(where, timeout=_PATIENCE)
        try:
            return modern.wrap_socket(line, server_hostname=host)
        except BaseException:
            line.close()
            raise

    def _decided(self, asked: DecisionRequest) -> Decision:
        return self._engine().decide(asked)

    def _stranger(self) -> DecisionRequest:
        return DecisionRequest(
            principal_kind="anonymous",
            action=Action.ACCESS,
            method="GET",
            resource="nothing-of-this-name",
            resource_class="portal",
            classification=0,
            from_zone="external",
            to_zone="external",
            required_assurance=1,
            at=self._now,
        )

    def _known(self) -> DecisionRequest:
        return replace(
            self._stranger(),
            principal_kind="person",
            subject="a-person-who-is-asked-about",
            roles=frozenset({"civil-servant"}),
            enabled=True,
            proofing=3,
            assurance=3,
            methods=("pwd",),
        )


def _told(decision: Decision) -> str:
    return f"policies {decision.version or '-'}: {decision.code}"


def _answer(where: tuple[str, int], content: bytes) -> bytes:
    with socket.create_connection(where, timeout=_PATIENCE) as line:
        line.sendall(content)
        return line.recv(1024)
