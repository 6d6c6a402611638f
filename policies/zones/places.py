# SPDX-License-Identifier: Apache-2.0
"""Which zone a request comes from: a property of its path (listener, peer certificate, network), never of a header.

A listener may serve several zones, told apart by their networks or by who stands before it. An address of another
zone's network has no business at a listener: whoever brought it there joined two networks, and gets no zone at all.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from ..errors import PoliciesUnusable

NOWHERE = ""
"""The zone of what comes from nowhere allowed; no row of any matrix begins there."""
_PEER = re.compile(r"[0-9a-f]{64}\Z")
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, kw_only=True)
class Zone:
    """One network."""

    # What it is, for whoever reads the file.
    says: str
    # Address ranges (CIDR). With none, everything belongs to it that arrives by its listeners and to no other zone.
    networks: tuple[str, ...] = ()
    # Listeners of the gateway by which it may come in; the one of its own name if empty.
    listeners: tuple[str, ...] = ()
    # SHA-256 of certificates (DER, hexadecimal) of proxies and gateways that stand in it and speak for it.
    peers: tuple[str, ...] = ()


class Places:
    """All zones of one release, ready to place a request."""

    def __init__(self, zones: Mapping[str, Zone]) -> None:
        """Check them together.

        Raises:
            PoliciesUnusable: a network or certificate that is none, networks that overlap, a peer of two zones, or a
                listener of two zones that nothing tells apart.
        """
        self._networks = _networks(zones)
        self._peers: dict[str, str] = {}
        self._served: dict[str, set[str]] = {}
        self._rest: dict[str, str] = {}
        for name, zone in zones.items():
            for peer in zone.peers:
                if not _PEER.match(peer) or peer in self._peers:
                    raise PoliciesUnusable(why=f"zones: {name}: {peer} is no certificate of this zone alone")
                self._peers[peer] = name
            for listener in zone.listeners or (name,):
                self._served.setdefault(listener, set()).add(name)
                if not zone.networks and not zone.peers and self._rest.setdefault(listener, name) != name:
                    raise PoliciesUnusable(
                        why=f"zones: nothing tells {self._rest[listener]} and {name} apart at listener {listener}"
                    )
        spoken = frozenset(self._peers.values())
        self._spoken_for = {listener: spoken & served for listener, served in self._served.items()}

    def speaks(self, peer: str) -> bool:
        """Whether a certificate, by its digest, is one of a proxy that speaks for some zone."""
        return peer in self._peers

    def spoken_for(self, listener: str) -> frozenset[str]:
        """Zones that somebody may speak for at a listener, by certificate."""
        return self._spoken_for.get(listener, frozenset())

    def listeners(self, zone: str) -> frozenset[str]:
        """By which listeners what comes from a zone may come in."""
        return frozenset(listener for listener, served in self._served.items() if zone in served)

    def served(self, listener: str) -> frozenset[str]:
        """From which zones something may come in by a listener."""
        return frozenset(self._served.get(listener, ()))

    def place(self, *, listener: str, address: str, peer: str = "") -> str:
        """The zone; ``NOWHERE`` if the address or peer belongs to a zone that has no business at this listener.

        ``peer`` is the digest of the certificate that the connection itself proved, empty if it showed none.
        """
        served = self._served.get(listener, set())
        owner = self._peers.get(peer) or self._owner(address)
        if owner is not None:
            return owner if owner in served else NOWHERE
        return self._rest.get(listener, NOWHERE)

    def _owner(self, address: str) -> str | None:
        if not self._networks:
            return None
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            # Of an address that is none nobody can say that it is not another zone's.
            return NOWHERE
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return next((name for network, name in self._networks if found in network), None)


def _networks(zones: Mapping[str, Zone]) -> tuple[tuple[_Network, str], ...]:
    found: list[tuple[_Network, str]] = []
    for name, zone in zones.items():
        for text in zone.networks:
            try:
                network = ipaddress.ip_network(text)
            except ValueError as error:
                raise PoliciesUnusable(why=f"zones: {name}: {error}") from error
            if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None:
                raise PoliciesUnusable(why=f"zones: {name}: write {text} as the IPv4 network it is")
            found.append((network, name))
    # Sorted by first address, two networks overlap only if two neighbours do.
    found.sort(key=lambda each: (each[0].version, int(each[0].network_address), each[0].prefixlen))
    for (one, here), (other, there) in pairwise(found):
        if one.version == other.version and int(other.network_address) <= int(one.broadcast_address):
            raise PoliciesUnusable(why=f"zones: {one} of {here} and {other} of {there} overlap")
    return tuple(found)
