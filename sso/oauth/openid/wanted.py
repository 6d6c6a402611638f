# SPDX-License-Identifier: Apache-2.0
"""The claims parameter (OpenID Connect Core 5.5): single claims instead of whole scopes.

A claim belongs to a scope: who is not registered for that one does not get the claim, and the person who keeps the
scope to themselves keeps the claim. A claim that is asked for with values is told if it has one of them, and not
otherwise; of a list those members are told that were asked for. That a claim is essential changes nothing but what the
person is told (section 5.5.1): they may still keep it.
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

    # Canonical JSON of wishes by name, by place; empty if none.
    claims: str = ""
    # The one person the answer may be about, as the client knows them; empty if that is not said.
    subject: str = ""
    # Lowest assurance; 0 if none.
    assurance: int = 0


def wanted_of(text: str) -> Wanted:
    """Read a claims parameter; names that nobody here knows are ignored (section 5.5.1).

    Raises:
        Redirectable: unreadable, or about more than one person.
    """
    if not text:
        return Wanted()
    places = _places(text)
    about = places.get("id_token", {})
    subjects = {each for place in _PLACES for each in _values(places.get(place, {}).get("sub"))}
    if len(subjects) > 1:
        raise Redirectable(why="claims names several persons")
    return Wanted(
        claims=_canonical(
            {
                place: {name: wish for name, wish in places.get(place, {}).items() if name in SCOPE_OF}
                for place in _PLACES
            }
        ),
        subject=next(iter(subjects), ""),
        assurance=min((int(level) for level in _values(about.get("acr")) if level in _LEVELS), default=0),
    )


def _offered(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {name: wish for name, wish in asked.items() if name in SCOPE_OF}


def names_at(claims: str, place: str) -> frozenset[str]:
    """The names at one place."""
    return frozenset(_wishes(claims, place))


def fitting(claims: str, place: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """What is told at one place, without what was asked for with other values."""
    found = {name: _fitting(wish, told[name]) for name, wish in _wishes(claims, place).items() if name in told}
    return {name: value for name, value in {**told, **found}.items() if value is not None}


def essential(claims: str) -> frozenset[str]:
    """The scopes of claims without which, the client says, it cannot do what the person wants."""
    wishes = [(name, wish) for place in _PLACES for name, wish in _wishes(claims, place).items()]
    return frozenset(SCOPE_OF[name] for name, wish in wishes if wish and wish.get("essential"))


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
        {
            place: {name: wish for name, wish in _wishes(claims, place).items() if SCOPE_OF[name] not in kept}
            for place in _PLACES
        }
    )


def _wishes(claims: str, place: str) -> Mapping[str, Mapping[str, Any] | None]:
    found = json.loads(claims).get(place, {}) if claims else {}
    # Families of an older release hold the names alone.
    return found if isinstance(found, dict) else dict.fromkeys(found)


def _fitting(wish: Mapping[str, Any] | None, value: Any) -> Any:
    """The value as it was asked for; None if it is another."""
    wanted = _values(wish)
    if not wanted:
        return value
    if isinstance(value, list):
        return [each for each in value if each in wanted] or None
    return value if value in wanted else None


def _canonical(wishes: Mapping[str, Mapping[str, Any]]) -> str:
    return json.dumps(wishes, separators=(",", ":"), sort_keys=True) if any(wishes.values()) else ""


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
    if wish is None:
        return True
    if not isinstance(wish, dict) or not set(wish) <= _MEMBERS or {"value", "values"} <= set(wish):
        return False
    values = wish.get("values", [wish["value"]] if "value" in wish else ["any"])
    plain = isinstance(values, list) and 0 < len(values) <= _MOST and all(isinstance(each, str) for each in values)
    return plain and isinstance(wish.get("essential", False), bool)


def _values(wish: Mapping[str, Any] | None) -> tuple[str, ...]:
    if not wish:
        return ()
    return tuple(wish.get("values", [wish["value"]] if "value" in wish else []))
