# SPDX-License-Identifier: Apache-2.0
"""FAPI 2.0 as profiles of a client: what its registration must be, and what its requests must do from then on.

Most of the Security Profile holds for every client here: the code grant with PKCE S256, exact addresses, ``iss`` in
every answer, codes for a minute, assertions for our issuer alone. A profile adds what a client could otherwise leave.
"""

from collections.abc import Callable
from typing import Literal

from ...errors import BadClient
from ...models import Client, Requirement

Profile = Literal["", "fapi2", "fapi2-message-signing"]

_SECURITY: frozenset[Requirement] = frozenset({"par"})
_SIGNING: frozenset[Requirement] = frozenset({"signed_request", "signed_response", "signed_introspection"})
REQUIREMENTS: dict[Profile, frozenset[Requirement]] = {
    "": frozenset(),
    "fapi2": _SECURITY,
    "fapi2-message-signing": _SECURITY | _SIGNING,
}
_METHODS = frozenset({"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"})


def check_registration(client: Client, profile: Profile) -> None:
    """Whether a client can keep to a profile.

    Raises:
        BadClient: it cannot.
    """
    if profile:
        for check in CHECKS:
            check(client)


def check_method(client: Client) -> None:
    """Security Profile 5.3.2.1: it proves itself by a key, which nobody but itself holds."""
    if client.method not in _METHODS:
        raise BadClient(why="FAPI 2.0 wants private_key_jwt or a certificate")


def check_binding(client: Client) -> None:
    """Security Profile 5.3.2.1: its tokens work with a key or a certificate only, one of both."""
    if len(client.requires & {"dpop", "mtls"}) != 1:
        raise BadClient(why="FAPI 2.0 wants tokens bound by either dpop or mtls")


def check_grants(client: Client) -> None:
    """Security Profile 5.3.2: a code that its person's browser carries, or nobody's but its own tokens."""
    if not client.grants <= {"authorization_code", "refresh_token", "client_credentials"}:
        raise BadClient(why="a grant type that FAPI 2.0 does not know")


def check_keys(client: Client) -> None:
    """Message Signing 5.3: who signs requests has keys for it."""
    if "signed_request" in client.requires and not (client.jwks or client.jwks_uri):
        raise BadClient(why="FAPI 2.0 Message Signing wants keys for its requests")


CHECKS: tuple[Callable[[Client], None], ...] = (check_method, check_binding, check_grants, check_keys)
