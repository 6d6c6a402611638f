# SPDX-License-Identifier: Apache-2.0
"""Programs that ask the decision point and enforce what they hear."""

import re
from dataclasses import dataclass

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, kw_only=True)
class EnforcementPoint:
    """Another program that asks the decision point (host ``pdp``) and enforces what it hears."""

    # SHA-256 of its key, hexadecimal; the key is sent as a bearer token.
    key: str = ""
    # Device of the directory whose certificate it shows instead.
    device: str = ""
    # Zones in which it stands: it asks about requests that came in by these and no others.
    zones: tuple[str, ...] = ()
    # Whether it is believed about organisations, services and clients, whom no list of ours tells.
    vouches: bool = False

    def __post_init__(self) -> None:
        if bool(self.key) == bool(self.device):
            raise ValueError("an enforcement point has a key or a device, one of both")
        if self.key and not _DIGEST.match(self.key):
            raise ValueError("key is the SHA-256 of the key, 64 hexadecimal digits")
