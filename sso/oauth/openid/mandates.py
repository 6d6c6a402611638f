# SPDX-License-Identifier: Apache-2.0
"""On whose behalf: the claim ``on_behalf_of`` beside ``sub``, which stays the human who logged in.

Whoever does not know the claim takes nobody for a company: it sees a person, as always (docs/decisions/0030).
"""

from typing import Any


def on_behalf_of(mandate: str) -> dict[str, Any]:
    """The claim of a grant given under a mandate; nothing for a person's own."""
    if not mandate:
        return {}
    kind, identifier, service = mandate.split(":")
    return {"on_behalf_of": {"kind": kind, "id": identifier, "service": service}}
