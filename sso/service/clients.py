# SPDX-License-Identifier: Apache-2.0
"""Registering applications; done by the operator's tools, never over the network."""

import re

from ..errors import BadClient
from ..models import Client
from ..oauth.rfc6749 import SCOPES, check_address
from ..store import Store, digest

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_GRANTS = frozenset({"authorization_code", "refresh_token", "client_credentials"})
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
) -> Client:
    """Register an application, or replace its registration; without a secret it is a public client.

    Raises:
        BadClient: an address that is not plain https, a scope nobody offers, a client that could do nothing safely.
    """
    if not _NAME.fullmatch(name):
        raise BadClient(why="its identifier must be a short lower-case label")
    for uri in (*redirect_uris, *post_logout_uris):
        check_address(uri)
    if not scopes <= SCOPES.keys() or not grants <= _GRANTS:
        raise BadClient(why="a scope or grant type that is not offered")
    if "authorization_code" in grants and not redirect_uris:
        raise BadClient(why="no redirect address")
    if secret and len(secret) < _SHORTEST_SECRET:
        raise BadClient(why="its secret is too short")
    if not secret and (trusted or "client_credentials" in grants):
        raise BadClient(why="a public client is neither trusted nor a machine of its own")
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
        public=not secret,
        secret_hash=digest(secret) if secret else "",
        method="client_secret_basic" if secret else "none",
    )
    store.clients.put(client)
    return client
