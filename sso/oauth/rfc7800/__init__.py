# SPDX-License-Identifier: Apache-2.0
"""Confirmation: which key or certificate a token works with (``cnf``; RFC 8705 section 3.1, RFC 9449 section 6.1)."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NAMES = {"jkt": "jkt", "x5t": "x5t#S256"}


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """At most one of both; none is a token for whoever bears it."""

    # Thumbprint of a DPoP key.
    jkt: str = ""
    # SHA-256 of a certificate, base64url.
    x5t: str = ""
    # The serial of that certificate, by which its issuer ends it; lower-case hexadecimal.
    serial: str = ""

    @property
    def bound(self) -> bool:
        """Whether there is anything to prove."""
        return bool(self.jkt or self.x5t)

    @property
    def token_type(self) -> str:
        """How such a token is presented (RFC 6749 section 7.1)."""
        return "DPoP" if self.jkt else "Bearer"

    def members(self) -> dict[str, Any]:
        """The claim, or nothing."""
        said = {wire: getattr(self, name) for name, wire in _NAMES.items() if getattr(self, name)}
        # Beside it, for others understand what stands within.
        return {"cnf": said, **({"x5serial": self.serial} if self.serial else {})} if said else {}

    def same(self, other: "Confirmation") -> bool:
        """In constant time."""
        mine, theirs = f"{self.jkt} {self.x5t}", f"{other.jkt} {other.x5t}"
        return hmac.compare_digest(mine.encode(), theirs.encode())


NOBODYS = Confirmation()


def confirmation_of(claims: Mapping[str, Any]) -> Confirmation:
    """Read the claim of a token of ours.

    Raises:
        ValueError: it is not as we write it.
    """
    if "cnf" not in claims:
        return NOBODYS
    said = claims["cnf"]
    if not isinstance(said, dict) or len(said) != 1 or not set(said) <= set(_NAMES.values()):
        raise ValueError("cnf")
    found = {name: said[wire] for name, wire in _NAMES.items() if wire in said}
    if not all(isinstance(value, str) and value for value in found.values()):
        raise ValueError("cnf")
    serial = claims.get("x5serial", "")
    if isinstance(serial, str):
        return Confirmation(**found, serial=serial)
    raise ValueError("x5serial")
