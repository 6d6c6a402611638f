# SPDX-License-Identifier: Apache-2.0
"""What another provider says (OpenID Connect Core 3.1.3.7, Back-Channel Logout 1.0 section 2.6), checked as a client.

Keys and algorithms are pinned by the set that lies at the provider's own address; nothing of a token chooses them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import BadClient, UpstreamRefused
from ..rfc7515 import Unverified, strict_object
from ..rfc7517 import ClientKeys

LEEWAY = 10
_LONGEST_LIFE = 3600
_LONGEST = 255
_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_ID_TYPES = frozenset({"", "JWT"})
_LOGOUT_TYPES = frozenset({"logout+jwt"})


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Where the other provider answers, as it says itself."""

    authorization: str
    token: str
    keys: str


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What an ID token must say to be the answer to one question of ours."""

    issuer: str
    client_id: str
    nonce: str
    # The login it speaks of was made since then.
    since: int
    at: int
    # The claim whose value was agreed on as identifier, and what the provider calls the levels, lowest first.
    claim: str
    levels: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Vouched:
    """Somebody of another provider, and how surely it says they proved who they are."""

    identifier: str
    subject: str
    level: int


def endpoints_of(document: str, *, issuer: str) -> Endpoints:
    """From the provider's metadata (RFC 8414), which must be that very provider's.

    Raises:
        UpstreamRefused: it names another issuer, or no https address.
    """
    try:
        said = strict_object(document.encode())
    except Unverified as error:
        raise UpstreamRefused from error
    found = [said.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    if said.get("issuer") != issuer or not all(isinstance(each, str) and each.startswith("https://") for each in found):
        raise UpstreamRefused
    authorization, token, keys = map(str, found)
    return Endpoints(authorization=authorization, token=token, keys=keys)


def id_token_of(document: str) -> str:
    """From the answer of the token endpoint.

    Raises:
        UpstreamRefused: there is none.
    """
    try:
        token = strict_object(document.encode()).get("id_token")
    except Unverified as error:
        raise UpstreamRefused from error
    if not isinstance(token, str):
        raise UpstreamRefused
    return token


def vouched(keys: str, token: str, expected: Expected) -> Vouched:
    """Verify an ID token.

    Raises:
        UpstreamRefused: for every reason alike.
    """
    claims = _verified(keys, token, _ID_TYPES)
    for check in CHECKS:
        check(claims, expected)
    level = expected.levels.index(claims["acr"]) + 1
    return Vouched(identifier=claims[expected.claim], subject=claims["sub"], level=level)


def ended(keys: str, token: str, *, issuer: str, client_id: str, at: int) -> tuple[str, str, int]:
    """Verify a logout token: whose sessions are over, its number, and until when it could come again.

    Raises:
        UpstreamRefused: for every reason alike; one that names a session alone, which we do not keep, too.
    """
    claims = _verified(keys, token, _LOGOUT_TYPES)
    texts = [claims.get(name) for name in ("sub", "jti")]
    events, expires = claims.get("events"), claims.get("exp")
    right = claims.get("iss") == issuer and claims.get("aud") in (client_id, [client_id]) and "nonce" not in claims
    if not right or not all(isinstance(each, str) and 0 < len(each) <= _LONGEST for each in texts):
        raise UpstreamRefused
    if not isinstance(events, dict) or not isinstance(events.get(_EVENT), dict):
        raise UpstreamRefused
    if type(claims.get("iat")) is not int or type(expires) is not int:
        raise UpstreamRefused
    if not claims["iat"] - LEEWAY <= at < expires <= claims["iat"] + _LONGEST_LIFE:
        raise UpstreamRefused
    return claims["sub"], claims["jti"], expires


def check_parties(claims: Mapping[str, Any], it: Expected) -> None:
    """That provider, to us alone, each as one exact text."""
    if claims.get("iss") != it.issuer or claims.get("aud") not in (it.client_id, [it.client_id]):
        raise UpstreamRefused
    if claims.get("azp", it.client_id) != it.client_id:
        raise UpstreamRefused


def check_dates(claims: Mapping[str, Any], it: Expected) -> None:
    """Now, for a short while, about a login that was made for this question."""
    numbers = [claims.get(name) for name in ("iat", "exp", "auth_time")]
    if not all(type(each) is int for each in numbers):
        raise UpstreamRefused
    issued, expires, logged_in = (int(claims[name]) for name in ("iat", "exp", "auth_time"))
    if not issued - LEEWAY <= it.at < expires <= issued + _LONGEST_LIFE or issued < it.since - LEEWAY:
        raise UpstreamRefused
    if not it.since - LEEWAY <= logged_in <= it.at + LEEWAY:
        raise UpstreamRefused


def check_nonce(claims: Mapping[str, Any], it: Expected) -> None:
    """To this very question."""
    if not it.nonce or claims.get("nonce") != it.nonce:
        raise UpstreamRefused


def check_names(claims: Mapping[str, Any], it: Expected) -> None:
    """Somebody, by the claim agreed on, at a level agreed on."""
    for name in ("sub", it.claim):
        if not isinstance(claims.get(name), str) or not 0 < len(claims[name]) <= _LONGEST:
            raise UpstreamRefused
    if claims.get("acr") not in it.levels:
        raise UpstreamRefused


CHECKS: tuple[Callable[[Mapping[str, Any], Expected], None], ...] = (
    check_parties,
    check_dates,
    check_nonce,
    check_names,
)


def signing_keys(document: str) -> str:
    """The keys that a provider signs with, of all that lie at its address.

    Raises:
        BadClient: not a set of public signing keys with identifiers.
    """
    try:
        listed = strict_object(document.encode())["keys"]
        chosen = [each for each in listed if each.get("use", "sig") == "sig"]
        text = json.dumps({"keys": chosen})
    except (Unverified, KeyError, TypeError, AttributeError) as error:
        raise BadClient(why="its keys are not a set of public signing keys with identifiers") from error
    ClientKeys.read(text)
    return text


def _verified(keys: str, token: str, types: frozenset[str]) -> dict[str, Any]:
    try:
        return ClientKeys.read(keys).verify(token, types=types)
    except (Unverified, BadClient) as error:
        raise UpstreamRefused from error
