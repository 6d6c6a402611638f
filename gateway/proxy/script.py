# SPDX-License-Identifier: Apache-2.0
"""The script that HAProxy runs, and the table above it: what becomes of the requests to each host of the site."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.site import SiteSettings

from ..config import COOKIES, LISTENERS, WELL_KNOWN, GatewaySettings
from ..models import TIES

_LITERAL = re.compile(r"[^\"\\\x00-\x1f\x7f]*\Z")
_KEPT = ("accept", "accept-language", "sec-fetch-dest", "sec-fetch-mode")
"""What the refusing page may read of the client's headers."""
_PLAIN = ("accept", "content-type", "if-modified-since", "if-none-match")


@dataclass(frozen=True, kw_only=True)
class Host:
    """What becomes of the requests to one host."""

    role: str
    guarded: bool
    certificate: bool
    # At these listeners.
    listeners: tuple[str, ...]
    passes_token: bool = False
    sockets: tuple[str, ...] = ()
    asked: bool = False
    decides: bool = False
    paths: tuple[str, ...] = ()
    limited: tuple[str, ...] = ()
    # Whether proxies of other zones prove themselves there, which the role behind an open host is not told of.
    peers: bool = False

    def told(self) -> dict[str, object]:
        """As the script reads it."""
        return {
            "role": self.role,
            "to": backend(self.role),
            "guarded": self.guarded,
            "certificate": self.certificate,
            "passes_token": self.passes_token,
            "sockets": list(self.sockets),
            "asked": self.asked,
            "decides": self.decides,
            "paths": list(self.paths),
            "limited": list(self.limited),
        }


def script(
    site: SiteSettings,
    settings: GatewaySettings,
    hosts: Mapping[str, Host],
    *,
    caller: str,
    secrets: Mapping[str, bytes],
    whole: bool,
) -> str:
    """The whole script; ``whole`` where this is the only proxy of the site."""
    facts = [
        site.host(label) + WELL_KNOWN + path
        for label, route in settings.routes.items()
        for path in sorted(route.resources)
    ]
    told = {
        "caller": caller,
        "socket": f"unix@{site.socket('gateway')}",
        "whole": whole,
        "ties": TIES.lower(),
        "ports": {listener: str(getattr(site.ports, listener)) for listener in LISTENERS}
        | {"plain": str(site.ports.plain)},
        "secrets": {role: base64.b64encode(secret).decode() for role, secret in secrets.items()},
        "hosts": {host: known.told() for host, known in hosts.items()},
        "headers": dict.fromkeys((name.lower() for name in settings.headers), True),
        "page": dict.fromkeys(_KEPT, True),
        "plain": dict.fromkeys(_PLAIN, True),
        "told_to_all": dict.fromkeys(facts, True),
        "cookies": [name.lower() for name in COOKIES],
    }
    return f"local told = {_lua(told)}\n" + (Path(__file__).parent / "tallygate.lua").read_text("utf-8")


def _lua(value: object) -> str:
    """A value as Lua writes it.

    Raises:
        ValueError: a text holds what Lua would read otherwise.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        if not _LITERAL.match(value):
            raise ValueError(f"{value!r} cannot stand in a script")
        return f'"{value}"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"[{_lua(name)}] = {_lua(each)}" for name, each in value.items()) + "}"
    if isinstance(value, Sequence):
        return "{" + ", ".join(map(_lua, value)) + "}"
    raise TypeError(type(value))


def backend(role: str) -> str:
    """How the configuration calls who serves a role."""
    return f"role_{role.replace(':', '_')}"
