# SPDX-License-Identifier: Apache-2.0
"""Signed requests: what counts stands in one object under the client's own key, and nothing beside it does."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import BadClient, InvalidRequestObject
from ...models import Client
from ..rfc7515 import Unverified
from ..rfc7517 import ClientKeys

LONGEST_LIFE = 3600
"""Seconds between ``nbf`` and ``exp``, and how long ago ``nbf`` may be (FAPI 2.0 Message Signing 5.3.1)."""
_LEEWAY = 10
_TYPES = frozenset({"oauth-authz-req+jwt"})
_ABOUT_ITSELF = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti"})
_JSON = frozenset({"authorization_details", "claims"})

Parameters = Mapping[str, Sequence[str]]


def request_of(client: Client, unverified_object: str, *, issuer: str, at: int) -> Parameters:
    """The parameters of a request object (section 6.1), as if each had come by itself.

    Raises:
        InvalidRequestObject: not this client's, not for us, not now, or not in one reading.
    """
    try:
        claims = ClientKeys.read(client.jwks).verify(unverified_object, types=_TYPES)
    except (Unverified, BadClient) as error:
        raise InvalidRequestObject(why="its signature") from error
    for check in CHECKS:
        check(claims, client, issuer, at)
    return {name: _texts(name, value) for name, value in claims.items() if name not in _ABOUT_ITSELF}


def check_parties(claims: Mapping[str, Any], client: Client, issuer: str, _at: int) -> None:
    """From this client, to us and nobody else."""
    if claims.get("iss") != client.id or claims.get("client_id") != client.id:
        raise InvalidRequestObject(why="iss or client_id")
    if not isinstance(claims.get("aud"), str) or claims["aud"] != issuer:
        raise InvalidRequestObject(why="aud")


def check_dates(claims: Mapping[str, Any], _client: Client, _issuer: str, at: int) -> None:
    """Now, and for an hour at most."""
    begins, ends = claims.get("nbf"), claims.get("exp")
    if type(begins) is not int or type(ends) is not int:
        raise InvalidRequestObject(why="nbf or exp is missing")
    if not at - LONGEST_LIFE <= begins <= at + _LEEWAY or not at < ends <= begins + LONGEST_LIFE:
        raise InvalidRequestObject(why="nbf or exp")


def check_alone(claims: Mapping[str, Any], _client: Client, _issuer: str, _at: int) -> None:
    """No object within the object (section 4), and nothing that would make an assertion of it (section 10.8)."""
    if {"request", "request_uri", "sub"} & set(claims):
        raise InvalidRequestObject(why="a request within a request, or sub")


CHECKS: tuple[Callable[[Mapping[str, Any], Client, str, int], None], ...] = (check_parties, check_dates, check_alone)


def _texts(name: str, value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if type(value) is int:
        return [str(value)]
    if name == "resource" and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return list(value)
    if name in _JSON and isinstance(value, list | dict):
        return [json.dumps(value, ensure_ascii=False, separators=(",", ":"))]
    raise InvalidRequestObject(why="a member that is no parameter")
