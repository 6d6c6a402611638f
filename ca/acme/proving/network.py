# SPDX-License-Identifier: Apache-2.0
"""The one way to the network: names are resolved once, and the connection goes to that very address or nowhere.

Otherwise a client could make the authority knock at what only the site itself may reach: its own roles, a cloud's
metadata, a neighbour. A name that resolves to something else a moment later changes nothing: nobody asks it again.
"""

import ipaddress
import socket
import time
from collections.abc import Sequence
from typing import Any

import dns.exception
import dns.rdatatype
import dns.resolver

from ..models import Identifier, Kind
from ..problems import Problem, Type

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
_PORT = 53


class Deadline:
    """How long one look may last in all."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds.

        Raises:
            TimeoutError: none is left.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Network:
    """Resolves and connects; ``networks`` are all that may be reached, ``resolver`` is ``ADDRESS:PORT`` or empty.

    Addresses that are special (loopback, link-local, multicast and the like) are reached only through a network that
    is special itself: whoever allows everything has not meant the machine's own doors.
    """

    def __init__(self, *, networks: Sequence[str], resolver: str) -> None:
        self._networks = [ipaddress.ip_network(each) for each in networks]
        self._resolver = resolver

    def allows(self, address: IPAddress) -> bool:
        """Whether it may be reached."""
        plain = _plain(address)
        return any(plain in each and (_special(each) or not _special(plain)) for each in self._networks)

    def find(self, identifier: Identifier, deadline: Deadline) -> IPAddress:
        """The one address to connect to.

        Raises:
            Problem: the name has none, or none that may be reached.
        """
        if identifier.kind is Kind.IP:
            found: Sequence[IPAddress] = [ipaddress.ip_address(identifier.value)]
        elif self._resolver:
            found = [
                ipaddress.ip_address(each.address)
                for kind in (dns.rdatatype.A, dns.rdatatype.AAAA)
                for each in self.records(identifier.value, kind, deadline)
            ]
        else:
            found = _by_system(identifier.value)
        if not found:
            raise Problem(Type.DNS, f"{identifier.value} has no address")
        allowed = [each for each in found if self.allows(each)]
        if not allowed:
            raise Problem(Type.CONNECTION, f"{identifier.value} has no address that this site validates at")
        return allowed[0]

    def connect(self, address: IPAddress, port: int, deadline: Deadline) -> socket.socket:
        """A connection to exactly that address.

        Raises:
            Problem: it may not be reached, or does not answer.
        """
        if not self.allows(address):
            raise Problem(Type.CONNECTION, "this site does not validate at that address")
        try:
            return socket.create_connection((str(_plain(address)), port), timeout=deadline.left)
        except OSError as error:
            raise Problem(Type.CONNECTION, f"no connection to {_plain(address)}, port {port}") from error

    def records(self, name: str, kind: dns.rdatatype.RdataType, deadline: Deadline) -> list[Any]:
        """The records of one kind; none if the name or the kind does not exist.

        Raises:
            Problem: nobody answers for the name.
        """
        try:
            answer = self._asking().resolve(f"{name}.", kind, lifetime=deadline.left, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise Problem(Type.DNS, f"the name server gave no answer about {name}") from error
        return list(answer)

    def _asking(self) -> dns.resolver.Resolver:
        asking = dns.resolver.Resolver(configure=not self._resolver)
        if self._resolver:
            host, _, port = self._resolver.rpartition(":")
            asking.nameservers = [host.strip("[]")]
            asking.port = int(port) if port else _PORT
        asking.cache = None
        return asking


def key_authorization(token: str, thumbprint: str) -> str:
    """What the holder of an account key publishes (RFC 8555 section 8.1)."""
    return f"{token}.{thumbprint}"


def _by_system(name: str) -> list[IPAddress]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Problem(Type.DNS, f"{name} has no address") from error
    return [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]


def _plain(address: IPAddress) -> IPAddress:
    """An IPv4 address stays one in whatever IPv6 spelling it comes."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _special(found: IPAddress | IPNetwork) -> bool:
    return found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified or found.is_reserved
