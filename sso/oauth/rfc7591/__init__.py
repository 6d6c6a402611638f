# SPDX-License-Identifier: Apache-2.0
"""Dynamic registration and its management (RFC 7591, 7592): what a program may say of itself, and nothing beside it.

Members that nobody here knows are ignored (section 2). So are those that only the site decides about: whether a client
is trusted, whom its tokens are for, whose certificate it shows.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import InvalidClientMetadata, InvalidRedirectURI
from ...models import Client, Requirement
from ..rfc6749.addresses import check_address, host_of, is_loopback
from ..rfc6749.scopes import scope_text
from ..rfc6749.tokens import DEVICE_CODE
from ..rfc7515 import ALGORITHMS
from ..rfc7517 import ALGORITHM

Metadata = Mapping[str, Any]
ENCRYPTION = ("ECDH-ES", "A256GCM")
"""Key agreement and content encryption of what is encrypted to a client."""
ENCRYPTED = ("id_token", "userinfo", "introspection")
"""What a client may have encrypted to it."""
METHODS = ("private_key_jwt", "client_secret_basic", "none")
"""How a client that registers itself may prove who it is; whose certificate counts, an officer says."""
GRANTS = frozenset({"authorization_code", "refresh_token", "client_credentials", DEVICE_CODE})

_MOST = 20
_LONGEST = 200
# A flag, and what it requires of every request from then on.
_FLAGS: dict[str, Requirement] = {
    "dpop_bound_access_tokens": "dpop",
    "require_pushed_authorization_requests": "par",
    "require_signed_request_object": "signed_request",
}
# An algorithm that is ours anyhow, and what asking for it requires.
_SIGNED: dict[str, Requirement] = {
    "authorization_signed_response_alg": "signed_response",
    "introspection_signed_response_alg": "signed_introspection",
}
_CLIENTS = ("token_endpoint_auth_signing_alg", "request_object_signing_alg")


def check_texts(given: Metadata) -> None:
    """Names are short and can be shown."""
    for name in (
        "client_name",
        "client_name#zh",
        "scope",
        "jwks_uri",
        "sector_identifier_uri",
        "backchannel_logout_uri",
    ):
        value = given.get(name, "")
        if (
            not isinstance(value, str)
            or not value.isprintable()
            or len(value) > (2000 if name == "scope" else _LONGEST)
        ):
            raise InvalidClientMetadata(why=name)


def check_lists(given: Metadata) -> None:
    """Lists are short lists of texts."""
    for name in ("grant_types", "response_types"):
        _texts(given, name, InvalidClientMetadata)


def check_addresses(given: Metadata) -> None:
    """Every address is plain https: no scheme but that, no user part, no fragment, no second reading."""
    for name in ("redirect_uris", "post_logout_redirect_uris", "request_uris"):
        kind = InvalidRedirectURI if name == "redirect_uris" else InvalidClientMetadata
        native = name == "redirect_uris" and given.get("token_endpoint_auth_method") == "none"
        for uri in _texts(given, name, kind):
            if not (native and is_loopback(uri)):
                _plain(uri, kind, name)
    for name in ("jwks_uri", "sector_identifier_uri", "backchannel_logout_uri"):
        if given.get(name):
            _plain(given[name], InvalidClientMetadata, name)


def check_method(given: Metadata) -> None:
    """RFC 7591 section 2: a method that is offered to whoever registers alone."""
    if given.get("token_endpoint_auth_method", METHODS[0]) not in METHODS:
        raise InvalidClientMetadata(why="token_endpoint_auth_method")


def check_grants(given: Metadata) -> None:
    """Grant and response types that are offered to them."""
    grants = frozenset(_grants(given))
    if not grants <= GRANTS or ("refresh_token" in grants and not grants & {"authorization_code", DEVICE_CODE}):
        raise InvalidClientMetadata(why="grant_types")
    wanted = ["code"] if "authorization_code" in grants else []
    if given.get("response_types", wanted) != wanted:
        raise InvalidClientMetadata(why="response_types")


def check_keys(given: Metadata) -> None:
    """Keys by value or by address, never both (section 2)."""
    if "jwks" in given and "jwks_uri" in given:
        raise InvalidClientMetadata(why="jwks and jwks_uri")
    if "jwks" in given and not isinstance(given["jwks"], dict):
        raise InvalidClientMetadata(why="jwks")


def check_algorithms(given: Metadata) -> None:
    """What we sign is signed in one way, what clients sign in three, what is encrypted in one."""
    ours = ("id_token_signed_response_alg", "userinfo_signed_response_alg", *_SIGNED)
    if any(given.get(name, ALGORITHM) != ALGORITHM for name in ours):
        raise InvalidClientMetadata(why="a signing algorithm that is not offered")
    if any(given.get(name, ALGORITHM) not in ALGORITHMS for name in _CLIENTS):
        raise InvalidClientMetadata(why="a signing algorithm that is not taken")
    for what in ENCRYPTED:
        found = (given.get(f"{what}_encrypted_response_alg"), given.get(f"{what}_encrypted_response_enc"))
        if found not in ((None, None), ENCRYPTION):
            raise InvalidClientMetadata(why=f"{what}_encrypted_response_alg")


def check_flags(given: Metadata) -> None:
    """Flags are flags."""
    names = (*_FLAGS, "tls_client_certificate_bound_access_tokens", "backchannel_logout_session_required")
    if not all(isinstance(given.get(name, False), bool) for name in names):
        raise InvalidClientMetadata(why="a flag that is none")
    if given.get("tls_client_certificate_bound_access_tokens"):
        # Nothing but dpop can be promised to a client nobody gave a certificate to.
        raise InvalidClientMetadata(why="tls_client_certificate_bound_access_tokens")


def check_subject_type(given: Metadata) -> None:
    """Who registers alone knows people by identifiers of its own."""
    if given.get("subject_type", "pairwise") != "pairwise":
        raise InvalidClientMetadata(why="subject_type")


CHECKS: tuple[Callable[[Metadata], None], ...] = (
    check_texts,
    check_lists,
    check_addresses,
    check_method,
    check_grants,
    check_keys,
    check_algorithms,
    check_flags,
    check_subject_type,
)


def check_metadata(given: Metadata) -> None:
    """Everything that a program says of itself.

    Raises:
        InvalidRedirectURI, InvalidClientMetadata: the first check that fails.
    """
    for check in CHECKS:
        check(given)


def client_of(
    given: Metadata, *, client_id: str, ceiling: frozenset[str], sector: str, secret_hash: str, manage_hash: str
) -> Client:
    """The registration that a program asks for.

    ``ceiling`` are the scopes it may have, ``sector`` whose applications know a person by the same identifier.

    Raises:
        InvalidRedirectURI, InvalidClientMetadata: the first check that fails.
    """
    check_metadata(given)
    name = given.get("client_name") or client_id
    scopes = frozenset(given["scope"].split()) if given.get("scope") else ceiling
    if not scopes <= ceiling:
        raise InvalidClientMetadata(why="scope")
    method = given.get("token_endpoint_auth_method", METHODS[0])
    return Client(
        id=client_id,
        name=name,
        name_zh=given.get("client_name#zh") or name,
        redirect_uris=tuple(given.get("redirect_uris", ())),
        post_logout_uris=tuple(given.get("post_logout_redirect_uris", ())),
        scopes=scopes,
        grants=frozenset(_grants(given)),
        # Nobody else's: what it may ask tokens for is itself.
        audience=f"urn:tallygate:client:{client_id}",
        public=method == "none",
        secret_hash=secret_hash if method == "client_secret_basic" else "",
        method=method,
        jwks=json.dumps(given["jwks"], separators=(",", ":"), sort_keys=True) if "jwks" in given else "",
        jwks_uri=given.get("jwks_uri", ""),
        requires=_requires(given),
        request_uris=tuple(given.get("request_uris", ())),
        subject_type="pairwise",
        sector=sector,
        userinfo_signed="userinfo_signed_response_alg" in given,
        userinfo_encrypted="userinfo_encrypted_response_alg" in given,
        id_token_encrypted="id_token_encrypted_response_alg" in given,
        introspection_encrypted="introspection_encrypted_response_alg" in given,
        logout_uri=given.get("backchannel_logout_uri", ""),
        manage_hash=manage_hash,
        ceiling=ceiling,
    )


def sector_of(given: Metadata) -> str:
    """The sector that follows from what is said: the one host of all addresses an answer goes to (Core section 8.1).

    Empty if there is none: who gets tokens in another way than at its address could pose as its neighbour.

    Raises:
        InvalidClientMetadata: several hosts, and no list of them (``sector_identifier_uri``).
    """
    if not frozenset(_grants(given)) <= {"authorization_code", "refresh_token"}:
        return ""
    if any(map(is_loopback, given.get("redirect_uris", ()))):
        return ""
    hosts = {host_of(uri) for uri in given.get("redirect_uris", ())}
    if len(hosts) > 1:
        raise InvalidClientMetadata(why="several hosts, and no sector_identifier_uri")
    return next(iter(hosts), "")


def check_sector(given: Metadata, document: str) -> None:
    """The list at ``sector_identifier_uri`` names every address of the client (Core section 8.1).

    Raises:
        InvalidClientMetadata: it does not, or cannot be read.
    """
    try:
        listed = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise InvalidClientMetadata(why="sector_identifier_uri") from error
    if not isinstance(listed, list) or not all(uri in listed for uri in given.get("redirect_uris", ())):
        raise InvalidClientMetadata(why="sector_identifier_uri")


def metadata_of(client: Client) -> dict[str, Any]:
    """A registration as its client reads it (RFC 7591 section 3.2.1)."""
    said: dict[str, Any] = {
        "client_id": client.id,
        "client_name": client.name,
        "client_name#zh": client.name_zh,
        "redirect_uris": [*client.redirect_uris],
        "post_logout_redirect_uris": [*client.post_logout_uris],
        "request_uris": [*client.request_uris],
        "grant_types": sorted(client.grants),
        "response_types": ["code"] if "authorization_code" in client.grants else [],
        "scope": scope_text(client.scopes),
        "token_endpoint_auth_method": client.method,
        "subject_type": client.subject_type,
        "id_token_signed_response_alg": ALGORITHM,
        **{name: need in client.requires for name, need in _FLAGS.items()},
        **{name: ALGORITHM for name, need in _SIGNED.items() if need in client.requires},
        **({"jwks": json.loads(client.jwks)} if client.jwks else {}),
        **({"jwks_uri": client.jwks_uri} if client.jwks_uri else {}),
        **({"userinfo_signed_response_alg": ALGORITHM} if client.userinfo_signed else {}),
    }
    wishes = (client.id_token_encrypted, client.userinfo_encrypted, client.introspection_encrypted)
    for what, wanted in zip(ENCRYPTED, wishes, strict=True):
        if wanted:
            said |= dict(
                zip((f"{what}_encrypted_response_alg", f"{what}_encrypted_response_enc"), ENCRYPTION, strict=True)
            )
    if client.logout_uri:
        said |= {"backchannel_logout_uri": client.logout_uri, "backchannel_logout_session_required": True}
    return said


def _grants(given: Metadata) -> tuple[str, ...]:
    found: tuple[str, ...] = tuple(given.get("grant_types", ("authorization_code",)))
    return found


def _requires(given: Metadata) -> frozenset[Requirement]:
    flags = {need for name, need in _FLAGS.items() if given.get(name, False)}
    return frozenset(flags | {need for name, need in _SIGNED.items() if name in given})


def _texts(given: Metadata, name: str, kind: type[InvalidRedirectURI] | type[InvalidClientMetadata]) -> tuple[str, ...]:
    values = given.get(name, [])
    if not isinstance(values, list) or len(values) > _MOST or len({*map(str, values)}) != len(values):
        raise kind(why=name)
    if not all(isinstance(value, str) and 0 < len(value) <= _LONGEST for value in values):
        raise kind(why=name)
    return tuple(values)


def _plain(uri: str, kind: type[InvalidRedirectURI] | type[InvalidClientMetadata], name: str) -> None:
    try:
        check_address(uri)
    except Exception as error:
        raise kind(why=name) from error
