# SPDX-License-Identifier: Apache-2.0
"""The ``[policies]`` section."""

from dataclasses import dataclass
from pathlib import Path

SHIPPED = Path(__file__).parent / "shipped"
"""The policies that come with Tallygate."""


@dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """Where the policies of this site are written before they are released."""

    # Folder with *.cedar, schema.cedarschema, zones.toml, cases.toml and cases.csv; the shipped one by default.
    source: Path = SHIPPED
