# SPDX-License-Identifier: Apache-2.0
"""The claims parameter (OpenID Connect Core 5.5): single claims instead of whole scopes.

A claim belongs to a scope: who is not registered for that one does not get the claim, and the person who keeps the
scope to themselves keeps the claim.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import Redirectable
from ...models import AuthorizationRequest
from ..rfc6749.scopes import SCOPES
from ..rfc7515 import Unverified, strict_object

_LONGEST = 1500
_MOST = 20
_PLACES = ("userinfo", "id_token")
_MEMBERS = frozenset({"essential", "value", "values"})
_LEVELS = frozenset({"1", "2", "3"})
# The scope that opens a claim.
SCOPE_OF = {claim: scope for scope, claims in SCOPES.items() for claim in claims if claim != "sub"}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a claims parameter asks for."""

    # Canonical JSON of names by place; empty if none.
    claims: str = ""
    # The one person the answer may be about, as the client knows them; empty if that is not said.
    subject: str = ""
    # Lowest assurance; 0 if none.
    assurance: int = 0


def wanted_of(text: str) -> Wanted:
    """Read a claims parameter; names that nobody here knows are ignored (section 5.5.1).

    Raises:
        Redirectable: unreadable.
    """
    if not text:
        return Wanted()
    places = _places(text)
    about = places.get("id_token", {})
    return Wanted(
        claims=_canonical({place: places.get(place, {}).keys() & SCOPE_OF.keys() for place in _PLACES}),
        subject=_value(about.get("sub")),
        assurance=min((int(level) for level in _values(about.get("acr")) if level in _LEVELS), default=0),
    )


def names_at(claims: str, place: str) -> frozenset[str]:
    """The names at one place."""
    return frozenset(json.loads(claims).get(place, ())) if claims else frozenset()


def scopes_of(claims: str) -> frozenset[str]:
    """The scopes whose claims are asked for one by one; the person is asked about them."""
    return frozenset(SCOPE_OF[name] for place in _PLACES for name in names_at(claims, place))


def asked_about(request: AuthorizationRequest) -> frozenset[str]:
    """What the person is asked about: scopes, and those of single claims."""
    return request.scopes | scopes_of(request.claims)


def without(claims: str, refused: Iterable[str]) -> str:
    """What is left when the person keeps some scopes to themselves."""
    kept = set(refused)
    return _canonical(
        {place: {name for name in names_at(claims, place) if SCOPE_OF[name] not in kept} for place in _PLACES}
    )


def _canonical(names: Mapping[str, Iterable[str]]) -> str:
    listed = {place: sorted(found) for place, found in names.items()}
    return json.dumps(listed, separators=(",", ":"), sort_keys=True) if any(listed.values()) else ""


def _places(text: str) -> Mapping[str, Mapping[str, Any]]:
    if len(text) > _LONGEST:
        raise Redirectable(why="claims is too long")
    try:
        found = strict_object(text.encode())
    except Unverified as error:
        raise Redirectable(why="claims cannot be read") from error
    if not all(isinstance(asked, dict) and len(asked) <= _MOST for asked in found.values()):
        raise Redirectable(why="claims cannot be read")
    if not all(_is_wish(wish) for asked in found.values() for wish in asked.values()):
        raise Redirectable(why="claims cannot be read")
    return found


def _is_wish(wish: object) -> bool:
    return wish is None or (isinstance(wish, dict) and set(wish) <= _MEMBERS)


def _value(wish: object) -> str:
    value = wish.get("value", "") if isinstance(wish, dict) else ""
    return value if isinstance(value, str) else ""


def _values(wish: object) -> tuple[str, ...]:
    values = wish.get("values", [wish.get("value")]) if isinstance(wish, dict) else []
    return tuple(each for each in values if isinstance(each, str)) if isinstance(values, list) else ()
