# SPDX-License-Identifier: Apache-2.0
"""Name constraints of authorities (RFC 5280 section 4.2.1.10), for the kinds of names that certificates here have."""

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from .reading import Parsed


@dataclass(frozen=True)
class Constraints:
    """By kind of name, what is permitted and what is excluded; a kind that is not named is free."""

    permitted: dict[str, list[Any]] = field(default_factory=dict)
    excluded: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, value: Any) -> Self:
        """From the extension; None is no constraint."""
        made = cls()
        if value is not None:
            for where, name in ((made.permitted, "permitted_subtrees"), (made.excluded, "excluded_subtrees")):
                for subtree in value[name] or ():
                    base = subtree["base"]
                    where.setdefault(base.name, []).append(_base(base))
        return made

    def allow(self, parsed: Parsed) -> bool:
        """Whether every name lies inside."""
        names = parsed.alternatives
        hosts = [urlsplit(each).hostname or "" for each in names.uris if "//" in each]
        # What has no host cannot be held against a constraint on hosts.
        bare = [each for each in names.uris if "//" not in each]
        return (
            self._all("dns_name", names.hosts, _below)
            and self._all("ip_address", names.addresses, _inside)
            and self._all("uniform_resource_identifier", hosts, _host)
            and not (bare and "uniform_resource_identifier" in self.permitted)
            and self._all("directory_name", [parsed.name], _under)
        )

    def _all(self, kind: str, names: Iterable[Any], match: Callable[[Any, Any], bool]) -> bool:
        permitted, excluded = self.permitted.get(kind), self.excluded.get(kind, [])
        return all(
            (permitted is None or any(match(name, base) for base in permitted))
            and not any(match(name, base) for base in excluded)
            for name in names
        )


def _base(base: Any) -> Any:
    if base.name == "ip_address":
        packed = base.chosen.contents
        half = len(packed) // 2
        mask = int.from_bytes(packed[half:], "big")
        return ipaddress.ip_network((packed[:half], mask.bit_count()), strict=False)
    if base.name == "directory_name":
        return [(each[0]["type"].dotted, str(each[0]["value"].native)) for each in base.chosen.chosen]
    return str(base.native).lower()


def _below(name: str, base: str) -> bool:
    """A host name is the domain or below it; a star stands for a name below."""
    own = name.lower().removeprefix("*.")
    return not base or own == base.removeprefix(".") or own.endswith("." + base.removeprefix("."))


def _host(name: str, base: str) -> bool:
    """A host of an address is exactly the one named, or below a domain that begins with a dot."""
    return name.lower().endswith(base) if base.startswith(".") else name.lower() == base


def _inside(name: str, base: Any) -> bool:
    address = ipaddress.ip_address(name)
    return address.version == base.version and address in base


def _under(name: Sequence[tuple[str, str]], base: Sequence[tuple[str, str]]) -> bool:
    return list(name[: len(base)]) == list(base)
