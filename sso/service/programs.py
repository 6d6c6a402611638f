# SPDX-License-Identifier: Apache-2.0
"""Programs in their own name, at the directory or where documents are signed; the operator's tools register them."""

from audit import Outcome
from core.clock import Clock

from ..errors import BadClient
from ..models import Client
from ..oauth.rfc7517 import canonical
from ..store import Store
from .clients import PROGRAM_SCOPES, check_client
from .records import Records


def enter_program(
    store: Store,
    records: Records,
    *,
    name: str,
    title: str,
    title_zh: str,
    audience: str,
    jwks: str,
    scope: str = "scim",
) -> Client:
    """Register a program, or give it other keys; its tokens are for one host and bound by DPoP (RFC 9449).

    Raises:
        BadClient: no such name, no key that verifies anything, or something else is called so.
        RecordUnavailable: no record; it is not registered.
    """
    known = store.clients.find(name)
    if known is not None and known.scopes != {scope}:
        raise BadClient(why="another client is called so")
    client = Client(
        id=name,
        name=title,
        name_zh=title_zh,
        redirect_uris=(),
        post_logout_uris=(),
        scopes=frozenset({scope}),
        grants=frozenset({"client_credentials"}),
        audience=audience,
        method="private_key_jwt",
        jwks=canonical(jwks),
        requires=frozenset({"dpop"}),
        sector=name,
    )
    check_client(client)
    records.write(records.client(client, "sso.client.intended", Outcome.INTENDED))
    store.clients.put(client)
    records.write(records.client(client, "sso.client.registered", Outcome.SUCCESS))
    return client


def remove_program(store: Store, records: Records, *, name: str, clock: Clock) -> None:
    """Remove a program; its tokens are over within a second.

    Raises:
        BadClient: there is no such program.
    """
    client = store.clients.find(name)
    if client is None or not PROGRAM_SCOPES & client.scopes:
        raise BadClient(why="there is no such program")
    record = records.client(client, "sso.client.removed", Outcome.SUCCESS)
    store.invitations.remove(
        client,
        int(clock.now().timestamp()),
        record,
        lambda grant: records.tokens_revoked(grant, reason="client removed"),
    )
