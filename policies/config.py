# SPDX-License-Identifier: Apache-2.0
"""The ``[policies]`` section."""

from dataclasses import dataclass, field
from pathlib import Path

SHIPPED = Path(__file__).parent / "shipped"
"""The policies that come with Tallygate."""


@dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """Where the policies of this site are written before they are released."""

    # Folder with *.cedar, schema.cedarschema, zones.toml, cases.toml and cases.csv; the shipped one by default.
    source: Path = SHIPPED
    # Security administrators who sign releases: identifier to Ed25519 public key (32 bytes, base64; see ``policies
    # sign --help``). With any named here, every role refuses a bundle that fewer than two of them signed; release one
    # they signed before you restart. With none, the operator releases alone.
    administrators: dict[str, str] = field(default_factory=dict)
    # Decisions that each process remembers for the release in force; 0 asks the policies every time.
    remembered: int = 20_000
