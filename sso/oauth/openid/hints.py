# SPDX-License-Identifier: Apache-2.0
"""``id_token_hint``: an ID token of ours, old ones too, that says whose session somebody means to end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import InvalidToken


@dataclass(frozen=True, kw_only=True)
class Hint:
    """The claims of an ID token whose signature, issuer and type were verified; its dates do not matter."""

    subject: str
    client_id: str
    sid: str


def hint_of(claims: Mapping[str, Any]) -> Hint:
    """Read the three claims that matter.

    Raises:
        InvalidToken: not as we write them.
    """
    found = [claims.get(name) for name in ("sub", "aud", "sid")]
    if not all(isinstance(value, str) and value for value in found):
        raise InvalidToken
    subject, client_id, sid = (str(value) for value in found)
    return Hint(subject=subject, client_id=client_id, sid=sid)
