# SPDX-License-Identifier: Apache-2.0
"""Where networks are, by a table of the site: known places only, and no private network is a place.

What an entry says in clear of an address is its network of 24 or 48 bits, so a finer line in the table is refused.
"""

import ipaddress
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

from .errors import PlacesRefused

_FINEST = {4: 24, 6: 48}
# RFC 1918, RFC 6598, loopback, link-local, and their kin in version 6: inside a building, nowhere on a map.
_NOWHERE = tuple(
    ipaddress.ip_network(each)
    for each in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "fc00::/7", "fe80::/10", "::1/128",
    )
)  # fmt: skip
_EARTH_KM = 6371.0
_POLE = 90.0
_DATE_LINE = 180.0
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, kw_only=True)
class Place:
    """One place; degrees."""

    name: str
    latitude: float
    longitude: float

    def kilometres(self, other: "Place") -> int:
        """Along the great circle."""
        a, b = math.radians(self.latitude), math.radians(other.latitude)
        across = math.radians(other.longitude - self.longitude)
        chord = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(across / 2) ** 2
        return round(2 * _EARTH_KM * math.asin(min(1.0, math.sqrt(chord))))


class Places:
    """The table; empty where the site gives none."""

    def __init__(self, networks: Mapping[Network, Place]) -> None:
        self._networks = networks
        self._lengths = sorted({(each.version, each.prefixlen) for each in networks}, reverse=True)
        self.by_name = {place.name: place for place in networks.values()}
        self._of = lru_cache(maxsize=4096)(self._look_up)

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read TOML: ``[[place]]`` tables with name, latitude, longitude and networks.

        Raises:
            PlacesRefused: names the first place at fault.
        """
        try:
            document = tomllib.loads(content.decode())
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise PlacesRefused(why=str(error)) from error
        if set(document) - {"place"}:
            raise PlacesRefused(why=f"nobody knows {min(set(document) - {'place'})!r}")
        networks: dict[Network, Place] = {}
        names: set[str] = set()
        for table in document.get("place", []):
            place = _place(table)
            if place.name in names:
                raise PlacesRefused(why=f"{place.name!r} is there twice")
            names.add(place.name)
            for text in _texts(table, place.name):
                network = _network(text, place.name)
                if network in networks:
                    raise PlacesRefused(why=f"{text!r} belongs to two places")
                networks[network] = place
        return cls(networks)

    def of(self, text: str) -> Place | None:
        """The place of a network; the finest line that holds it counts."""
        return self._of(text) if self._networks and text else None

    def _look_up(self, text: str) -> Place | None:
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            return None
        if any(network.version == each.version and network.subnet_of(each) for each in _NOWHERE):  # type: ignore[arg-type]  # same version
            return None
        for version, length in self._lengths:
            if version == network.version and length <= network.prefixlen:
                found = self._networks.get(network.supernet(new_prefix=length))
                if found is not None:
                    return found
        return None


def _place(table: Any) -> Place:
    name = table.get("name") if isinstance(table, dict) else None
    if not isinstance(name, str) or not name or not name.isprintable():
        raise PlacesRefused(why="a place has no name")
    if strange := set(table) - {"name", "latitude", "longitude", "networks"}:
        raise PlacesRefused(why=f"{name!r}: nobody knows {min(strange)!r}")
    degrees = []
    for field, most in (("latitude", _POLE), ("longitude", _DATE_LINE)):
        value = table.get(field)
        if not isinstance(value, int | float) or isinstance(value, bool) or not -most <= value <= most:
            raise PlacesRefused(why=f"{name!r}: {field} must be degrees")
        degrees.append(float(value))
    return Place(name=name, latitude=degrees[0], longitude=degrees[1])


def _texts(table: Mapping[str, Any], name: str) -> Sequence[str]:
    found = table.get("networks")
    if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
        raise PlacesRefused(why=f"{name!r}: networks must be a list of networks")
    return found


def _network(text: str, name: str) -> Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise PlacesRefused(why=f"{name!r}: {error}") from error
    if network.prefixlen > _FINEST[network.version]:
        raise PlacesRefused(why=f"{name!r}: {text} is finer than what is recorded, /{_FINEST[network.version]}")
    if any(network.version == each.version and network.overlaps(each) for each in _NOWHERE):
        raise PlacesRefused(why=f"{name!r}: {text} is private, and no place")
    return network
