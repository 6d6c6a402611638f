# SPDX-License-Identifier: Apache-2.0
"""The token request: every parameter once, and those of its grant type present."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...errors import BadTokenRequest, UnauthorizedClient, UnsupportedGrant
from ...models import Client
from ..rfc7800 import NOBODYS, Confirmation

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"

# What each grant type needs beside the client's authentication.
REQUIRED: dict[str, tuple[str, ...]] = {
    "authorization_code": ("code", "redirect_uri", "code_verifier"),
    "refresh_token": ("refresh_token",),
    "client_credentials": (),
    DEVICE_CODE: ("device_code",),
    "urn:ietf:params:oauth:grant-type:token-exchange": ("subject_token", "subject_token_type"),
}
_LONGEST = 8000


@dataclass(frozen=True, kw_only=True)
class TokenRequest:
    """A well-formed request of an authenticated client; what it presents is still to be redeemed."""

    client: Client
    grant_type: str
    unverified: Mapping[str, str]
    # What its access token will be bound to.
    confirmation: Confirmation = NOBODYS

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes asked for; empty if none were named."""
        return frozenset(self.unverified.get("scope", "").split())

    @property
    def resource(self) -> str:
        """For whom the token shall be; empty if that is not said."""
        return self.unverified.get("resource", "")

    @property
    def details(self) -> str:
        """Authorization details asked for, as they came."""
        return self.unverified.get("authorization_details", "")


def token_request(
    client: Client, parameters: Mapping[str, Sequence[str]], *, confirmation: Confirmation = NOBODYS
) -> TokenRequest:
    """Check the form of a token request.

    Raises:
        BadTokenRequest: a parameter is missing, doubled, too long or not printable.
        UnsupportedGrant: unknown grant type.
        UnauthorizedClient: not registered for it.
    """
    for check in CHECKS:
        check(client, parameters)
    given = {name: values[0] for name, values in parameters.items()}
    return TokenRequest(client=client, grant_type=given["grant_type"], unverified=given, confirmation=confirmation)


def check_parameters_once(_client: Client, parameters: Mapping[str, Sequence[str]]) -> None:
    """RFC 6749 section 3.2: no parameter more than once, none that cannot be read."""
    for name, values in parameters.items():
        if len(values) != 1 or len(values[0]) > _LONGEST or not values[0].isprintable():
            raise BadTokenRequest(field=name[:40] if name.isidentifier() and name.isascii() else "?")


def check_grant_type(client: Client, parameters: Mapping[str, Sequence[str]]) -> None:
    """One that is offered, and that the client is registered for."""
    kind = parameters.get("grant_type", ("",))[0]
    if not kind:
        raise BadTokenRequest(field="grant_type")
    if kind not in REQUIRED:
        raise UnsupportedGrant
    if kind not in client.grants:
        raise UnauthorizedClient


def check_complete(_client: Client, parameters: Mapping[str, Sequence[str]]) -> None:
    """Everything its grant type needs."""
    for name in REQUIRED[parameters["grant_type"][0]]:
        if not parameters.get(name, ("",))[0]:
            raise BadTokenRequest(field=name)


CHECKS: tuple[Callable[[Client, Mapping[str, Sequence[str]]], None], ...] = (
    check_parameters_once,
    check_grant_type,
    check_complete,
)
