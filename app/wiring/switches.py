# SPDX-License-Identifier: Apache-2.0
"""What emergency switches can name at this site: its networks by the policies in force, its hosts, its clients."""

import json
from collections.abc import Iterable, Sequence
from itertools import product

from audit.search import parse
from audit.store import IndexStore
from audit.warrants import Shut, WarrantStore
from audit.warrants.store import SwitchRows
from core.site import PORTALS
from gateway import GatewaySettings
from gateway.config import LISTENERS, OpenHost
from policies.bundle import read_files, read_manifest
from policies.keys import read_policy_key
from policies.zones import Kind, ZoneMatrix

from ..context import Context
from ..users import Users

_LISTED = 200


class Switchable:
    """What is there to be shut; asked anew each time, for policies are released and clients registered."""

    def __init__(self, context: Context, index: IndexStore) -> None:
        self._context = context
        self._index = index

    def exists(self, name: str) -> bool:
        """Whether the site has this and may shut it: what takes a switch back stays open."""
        kind, _, value = name.partition("=")
        if kind == "client":
            return value in PORTALS or bool(self._registered(value))
        return name in self._fixed()

    def choices(self) -> Sequence[str]:
        """Everything that could be shut, for a form to offer."""
        clients = dict.fromkeys((*PORTALS, *self._registered("")))
        return [*self._fixed(), *(f"client={name}" for name in clients)]

    def _fixed(self) -> list[str]:
        settings = self._context.settings("gateway", GatewaySettings)
        public = self._context.site.public
        folder, key = public / "policies", read_policy_key(public / "policy-key.pem")
        matrix = ZoneMatrix.read(read_files(folder, read_manifest(folder, key))["zones.toml"])
        return [
            "writing",
            *(f"portal={name}" for name in closable(settings)),
            *(f"zones={origin}:{zone}" for origin, zone in ways(matrix, settings.open_hosts.values())),
        ]

    def _registered(self, name: str) -> list[str]:
        """Clients that the record knows to have been registered, or the one of this name."""
        asked = {"type": ["sso.client.registered"], "outcome": ["success"], "limit": [str(_LISTED)]}
        rows = self._index.search(parse(asked | ({"object": [name]} if name else {})), frozenset())
        return list(dict.fromkeys(row.object for row in rows))


def closable(settings: GatewaySettings) -> list[str]:
    """What can be closed by its name: guarded hosts, open ones that ask, and destinations of the way out."""
    # A decision names a route by its resource, where it has one.
    hosts = [route.resource or label for label, route in settings.routes.items() if not route.unshuttable]
    hosts += [label for label, host in settings.open_hosts.items() if host.asked]
    return list(dict.fromkeys((*hosts, *settings.egress.destinations)))


def ways(matrix: ZoneMatrix, hosts: Iterable[OpenHost]) -> list[tuple[str, str]]:
    """What can be closed from where to where: each live way, and those to open hosts, which no row is asked about."""
    live = {pair for pair in product(matrix.zones, repeat=2) if matrix.kind(*pair) is Kind.LIVE}
    to_open: set[tuple[str, str]] = set()
    for host in hosts:
        doors = set(host.listeners or LISTENERS)
        came = {zone for zone in matrix.zones if host.asked and doors & matrix.places.listeners(zone)}
        to_open |= set(product(came, host.zones))
    return sorted(live | to_open)


def standing(context: Context) -> list[dict[str, str]]:
    """What is shut now, in words, read as the record's user; empty where no record was ever kept."""
    path = context.site.folder("audit") / "warrants.db"

    def read() -> bytes:
        if not path.exists():
            return b"[]"
        store = WarrantStore.open(path)
        try:
            found = SwitchRows(store.database).all()
        finally:
            store.close()
        return json.dumps([_told(each) for each in found]).encode()

    found: list[dict[str, str]] = json.loads(Users.detect().acting("audit", read))
    return found


def _told(shut: Shut) -> dict[str, str]:
    changing = "" if not shut.turning else "being opened" if shut.standing else "being shut"
    return {
        "name": shut.name,
        "since": f"{shut.since:%Y-%m-%dT%H:%M:%SZ}",
        "until": f"{shut.until:%Y-%m-%dT%H:%M:%SZ}" if shut.until else "two officers open it",
        "warrant": shut.warrant,
        "by": shut.by,
        "decider": shut.decider,
        "changing": changing,
    }
