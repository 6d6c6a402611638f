# SPDX-License-Identifier: Apache-2.0
"""The zone matrix: what may pass from each zone to each other one.

It is asked beside Cedar and both must allow, so that a mistake in one policy cannot join two networks. What has no row
does not pass. A pair that is joined by ferry, or declared apart, has no live route, neither directly nor through a
third zone.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from core.config import ConfigurationError, decode

from ..errors import PoliciesUnusable
from ..models import Action, Code, DecisionRequest
from .places import Places, Zone

ALWAYS_APART = ("internal", "external")
"""Physically isolated by law (document 2002/17 of the central offices); no released data can join them live.

These are listeners as well as zones: whatever a zone is called, what comes in by the listener of the one network is of
that network.
"""
HIGHEST = 3
"""The highest classification, and the highest assurance."""

PROTOCOLS = frozenset({"https", "websocket", "connect"})
"""What a row can speak of: ordinary requests, sockets that stay open, and ways out through the forward proxy."""
LAST_PORT = 65_535


class Kind(StrEnum):
    """How two zones are joined, in one direction."""

    LIVE = "live"
    FERRY = "ferry"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Ferry:
    """Two networks between which only sealed bundles are carried, in this direction."""

    origin: str
    destination: str


@dataclass(frozen=True, kw_only=True)
class Apart:
    """Two zones that nothing may ever join live, in either direction: written down, so that a later row is refused."""

    between: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Live:
    """What may pass from one zone to another as it is."""

    id: str
    origin: str
    destination: str
    # Classes of resources that may be asked for, and what may be done with them.
    classes: tuple[str, ...]
    actions: tuple[str, ...]
    # Lowest assurance; public paths and logging in come before anybody can be sure of anybody.
    assurance: int = 0
    # A device certificate must accompany the request.
    device: bool = False
    # States of that device in the directory, one of which it must have; any if empty.
    device_states: tuple[str, ...] = ()
    # Highest classification of what may pass, 0 to 3.
    classification: int = 3
    # Classes of records that may be asked for; any if empty.
    records: tuple[str, ...] = ()
    # Ports of our listeners, and what may be spoken there ("https", "websocket", "connect"); any if empty.
    ports: tuple[int, ...] = ()
    protocols: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Passage:
    """The matrix's answer; ``code`` is None where it lets pass."""

    code: Code | None
    row: str


class ZoneMatrix:
    """All zones and rows of one release."""

    def __init__(
        self,
        *,
        zones: Iterable[str] | Mapping[str, Zone],
        live: Sequence[Live],
        ferry: Sequence[Ferry] = (),
        apart: Sequence[Apart] = (),
    ) -> None:
        """Check the whole.

        Raises:
            PoliciesUnusable: a stranger, a double row, networks that overlap, or a live route where none may be.
        """
        known = zones if isinstance(zones, Mapping) else {name: Zone(says=name) for name in zones}
        self.zones = frozenset(known)
        self.places = Places(known)
        self._rows: dict[tuple[str, str, str, str], Live] = {}
        for row in live:
            self._add(row)
        self.rows = tuple(live)
        self._joined = {(row.origin, row.destination): Kind.LIVE for row in live}
        sailed = {(pair.origin, pair.destination) for pair in ferry}
        divided = {pair.between for pair in apart}
        for origin, destination in {*sailed, *divided, *self._joined}:
            if not {origin, destination} <= self.zones:
                raise PoliciesUnusable(why=f"zones: {origin} to {destination} names no zone")
        self._joined |= dict.fromkeys(sailed, Kind.FERRY)
        ways = [(row.origin, row.destination) for row in live]
        for origin, destination in sorted({*sailed, *divided}):
            if destination in _connected(origin, ways):
                raise PoliciesUnusable(why=f"zones: a live route joins {origin} and {destination}")
        doors = [(zone, door) for door in ALWAYS_APART for zone in self.places.served(door)]
        if ALWAYS_APART[1] in _connected(ALWAYS_APART[0], [*ways, *doors]):
            raise PoliciesUnusable(why=f"zones: a live route or a zone joins {' and '.join(ALWAYS_APART)}")

    @classmethod
    def read(cls, content: bytes) -> "ZoneMatrix":
        """Parse ``zones.toml``.

        Raises:
            PoliciesUnusable: not TOML, unknown keys, or as in the constructor.
        """
        try:
            table = tomllib.loads(content.decode("utf-8"))
            document = decode(_Document, table, where="zones.toml", folder=Path())
        except (ValueError, ConfigurationError) as error:
            raise PoliciesUnusable(why=f"zones.toml: {error}") from error
        return cls(zones=document.zones, live=document.live, ferry=document.ferry, apart=document.apart)

    def kind(self, origin: str, destination: str) -> Kind:
        """How one zone is joined to another."""
        return self._joined.get((origin, destination), Kind.NONE)

    def passage(self, request: DecisionRequest) -> Passage:
        """Whether the request may go from its zone to the resource's."""
        row = self._rows.get((request.from_zone, request.to_zone, request.resource_class, request.action))
        if row is None:
            return Passage(code=Code.ZONE, row=f"no-row:{request.from_zone}>{request.to_zone}")
        if request.classification > row.classification or (row.records and request.record_class not in row.records):
            return Passage(code=Code.ZONE, row=row.id)
        if (row.ports and request.port not in row.ports) or (row.protocols and request.protocol not in row.protocols):
            return Passage(code=Code.ZONE, row=row.id)
        if (row.device or row.device_states) and not request.device:
            return Passage(code=Code.DEVICE, row=row.id)
        if row.device_states and request.device_state not in row.device_states:
            return Passage(code=Code.DEVICE, row=row.id)
        before_login = request.path_public or request.action == Action.LOGIN
        if request.assurance < row.assurance and not before_login:
            return Passage(code=Code.ASSURANCE, row=row.id)
        return Passage(code=None, row=row.id)

    def state(self, request: DecisionRequest) -> str:
        """A state of the device that the row asks for; the device's own where it asks for none."""
        row = self._rows.get((request.from_zone, request.to_zone, request.resource_class, request.action))
        return row.device_states[0] if row and row.device_states else request.device_state

    def origins(self, *, destination: str, resource_class: str, action: str) -> tuple[str, ...]:
        """From which zones such a resource can be reached at all."""
        return tuple(
            sorted(
                zone for zone, to, of, doing in self._rows if (to, of, doing) == (destination, resource_class, action)
            )
        )

    def _add(self, row: Live) -> None:
        if not 0 <= row.classification <= HIGHEST or not 0 <= row.assurance <= HIGHEST:
            raise PoliciesUnusable(why=f"zones: row {row.id}: classification and assurance go from 0 to {HIGHEST}")
        if not all(0 < port <= LAST_PORT for port in row.ports) or not set(row.protocols) <= PROTOCOLS:
            raise PoliciesUnusable(why=f"zones: row {row.id} names a port or protocol that is none")
        for resource_class in row.classes:
            for action in row.actions:
                if action not in set(Action):
                    raise PoliciesUnusable(why=f"zones: row {row.id} names no action: {action}")
                key = (row.origin, row.destination, resource_class, action)
                if key in self._rows:
                    raise PoliciesUnusable(
                        why=f"zones: rows {self._rows[key].id} and {row.id} answer the same question"
                    )
                self._rows[key] = row


@dataclass(frozen=True, kw_only=True)
class _Document:
    zones: dict[str, Zone]
    live: tuple[Live, ...] = ()
    ferry: tuple[Ferry, ...] = ()
    apart: tuple[Apart, ...] = ()


def _connected(start: str, ways: Sequence[tuple[str, str]]) -> set[str]:
    # Direction does not matter: an answer travels back along every route.
    found = {start}
    while True:
        reached = {zone for way in ways if found & {*way} for zone in way if zone not in found}
        if not reached:
            return found
        found |= reached
