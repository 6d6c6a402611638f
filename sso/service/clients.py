# SPDX-License-Identifier: Apache-2.0
"""Registering applications; done by the operator's tools, never over the network."""

import re
from collections.abc import Callable

from ..errors import BadClient
from ..models import AuthMethod, Client, Requirement, SubjectType
from ..oauth.fapi2 import REQUIREMENTS, Profile, check_registration
from ..oauth.rfc6749 import SCOPES, check_address, host_of, is_loopback
from ..oauth.rfc6749.tokens import DEVICE_CODE, REQUIRED
from ..oauth.rfc7517 import ClientKeys, canonical
from ..store import Store, digest

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_DETAIL_TYPE = re.compile(r"[a-z][a-z0-9_.:/-]{0,99}")
_GRANTS = frozenset(REQUIRED)
PROGRAM_SCOPES = frozenset({"scim", "documents"})
"""What programs in their own name may ask for, one of them each: the directory, or documents."""
# 32 random bytes in base64url.
_SHORTEST_SECRET = 43


def register_client(
    store: Store,
    *,
    name: str,
    title: str,
    title_zh: str,
    redirect_uris: tuple[str, ...] = (),
    post_logout_uris: tuple[str, ...] = (),
    scopes: frozenset[str] = frozenset({"openid"}),
    grants: frozenset[str] = frozenset({"authorization_code"}),
    audience: str,
    secret: str = "",
    trusted: bool = False,
    method: AuthMethod | None = None,
    jwks: str = "",
    certificate_subject: str = "",
    requires: frozenset[Requirement] = frozenset(),
    resources: frozenset[str] = frozenset(),
    detail_types: frozenset[str] = frozenset(),
    request_uris: tuple[str, ...] = (),
    profile: Profile = "",
    subject_type: SubjectType | None = None,
    sector: str = "",
    userinfo_signed: bool = False,
    userinfo_encrypted: bool = False,
    id_token_encrypted: bool = False,
    introspection_encrypted: bool = False,
    jwks_uri: str = "",
    logout_uri: str = "",
) -> Client:
    """Register an application, or replace its registration; without a secret or another method it is a public client.

    It knows people by identifiers of its sector, which is the host of its addresses if none is named; the site's own
    know the directory's. ``profile`` adds to what is required of its requests, and refuses a registration that could
    not keep to it.

    Raises:
        BadClient: an address that is not plain https, a scope nobody offers, a client that could do nothing safely.
    """
    way = method or ("client_secret_basic" if secret else "none")
    client = Client(
        id=name,
        name=title,
        name_zh=title_zh,
        redirect_uris=redirect_uris,
        post_logout_uris=post_logout_uris,
        scopes=scopes,
        grants=grants,
        audience=audience,
        trusted=trusted,
        public=way == "none",
        secret_hash=digest(secret) if secret else "",
        method=way,
        jwks=canonical(jwks) if jwks else "",
        certificate_subject=certificate_subject,
        requires=requires | REQUIREMENTS[profile],
        resources=resources,
        detail_types=detail_types,
        request_uris=request_uris,
        subject_type=subject_type or ("public" if trusted else "pairwise"),
        sector=sector
        or (name if not redirect_uris or any(map(is_loopback, redirect_uris)) else host_of(redirect_uris[0])),
        userinfo_signed=userinfo_signed,
        userinfo_encrypted=userinfo_encrypted,
        id_token_encrypted=id_token_encrypted,
        introspection_encrypted=introspection_encrypted,
        jwks_uri=jwks_uri,
        logout_uri=logout_uri,
    )
    if secret and len(secret) < _SHORTEST_SECRET:
        raise BadClient(why="its secret is too short")
    check_client(client, profile)
    store.clients.put(client)
    return client


def _sector(name: str, redirect_uris: tuple[str, ...]) -> str:
    """The host of its addresses; what listens on people's own devices is nobody's neighbour there."""
    return name if not redirect_uris or any(map(is_loopback, redirect_uris)) else host_of(redirect_uris[0])


def check_client(client: Client, profile: Profile = "") -> None:
    """Whether anybody should accept a registration.

    Raises:
        BadClient: the first check that fails.
    """
    for check in CHECKS:
        check(client)
    check_registration(client, profile)


def check_name(client: Client) -> None:
    """It stands in addresses and records."""
    if not _NAME.fullmatch(client.id):
        raise BadClient(why="its identifier must be a short lower-case label")


def check_addresses(client: Client) -> None:
    """Plain https, and one at least where a person is sent back."""
    optional = tuple(uri for uri in (client.jwks_uri, client.logout_uri) if uri)
    native = [uri for uri in client.redirect_uris if is_loopback(uri)]
    if native and not client.public:
        raise BadClient(why="an address on people's own devices, of a client that keeps a secret")
    if native and "." in client.sector:
        # It was registered at a host, and would go on knowing people as that host does.
        raise BadClient(why="an address on people's own devices, in the sector of a host")
    answers = [uri for uri in client.redirect_uris if uri not in native]
    for uri in (*answers, *client.post_logout_uris, *client.request_uris, *client.resources, *optional):
        check_address(uri)
    if "authorization_code" in client.grants and not client.redirect_uris:
        raise BadClient(why="no redirect address")


def check_offered(client: Client) -> None:
    """Nothing that is not offered here."""
    if not client.scopes <= SCOPES.keys() or not client.grants <= _GRANTS:
        raise BadClient(why="a scope or grant type that is not offered")


def check_method(client: Client) -> None:
    """One way to prove itself, with exactly what that way needs."""
    has = (bool(client.secret_hash), bool(client.jwks or client.jwks_uri), bool(client.certificate_subject))
    needs = {
        "client_secret_basic": (True, None, False),
        "private_key_jwt": (False, True, False),
        "tls_client_auth": (False, None, True),
        "self_signed_tls_client_auth": (False, True, False),
        "none": (False, None, False),
    }.get(client.method)
    if needs is None or any(
        wanted is not None and wanted is not given for wanted, given in zip(needs, has, strict=True)
    ):
        raise BadClient(why="its method of authentication and what it is registered with do not fit")
    if client.jwks and client.jwks_uri:
        raise BadClient(why="its keys are given both by value and by address")
    keys = ClientKeys.read(client.jwks) if client.jwks else None
    if client.method == "private_key_jwt" and keys is not None and not keys.signs:
        raise BadClient(why="none of its keys verifies anything")
    if client.method == "self_signed_tls_client_auth" and keys is not None and not keys.certificates:
        raise BadClient(why="its keys name no certificate")
    encrypted = client.id_token_encrypted or client.userinfo_encrypted or client.introspection_encrypted
    if encrypted and not client.jwks_uri and (keys is None or not keys.encryption):
        raise BadClient(why="it has no key that anything could be encrypted to")


def check_details(client: Client) -> None:
    """Types of authorization details stand in tables and on pages."""
    if not all(_DETAIL_TYPE.fullmatch(each) for each in client.detail_types):
        raise BadClient(why="a type of authorization details that is not a plain name")
    keyless = not client.jwks_uri and not (client.jwks and ClientKeys.read(client.jwks).signs)
    if ("signed_request" in client.requires or client.request_uris) and keyless:
        raise BadClient(why="its requests must be signed and it has no key")


def check_public(client: Client) -> None:
    """Who keeps no secret has no rights of its own."""
    if client.public and (client.trusted or client.grants - {"authorization_code", "refresh_token", DEVICE_CODE}):
        raise BadClient(why="a public client is neither trusted nor a machine of its own")


def check_program(client: Client) -> None:
    """Whoever keeps entries does nothing else, in nobody's name, and with tokens that are bound."""
    if not PROGRAM_SCOPES & client.scopes:
        return
    alone = len(client.scopes) == 1 and client.grants == {"client_credentials"}
    if not alone or not client.requires & {"dpop", "mtls"} or client.trusted:
        raise BadClient(why="a program has its one scope alone, its own name, and bound tokens")


def check_device(client: Client) -> None:
    """A device's request is neither pushed nor signed, and its person is asked in any case."""
    if DEVICE_CODE in client.grants and (client.trusted or client.requires & {"par", "signed_request"}):
        raise BadClient(why="a device can neither be trusted nor push or sign its requests")


CHECKS: tuple[Callable[[Client], None], ...] = (
    check_name,
    check_addresses,
    check_offered,
    check_method,
    check_details,
    check_public,
    check_device,
    check_program,
)
