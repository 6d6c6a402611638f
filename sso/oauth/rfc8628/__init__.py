# SPDX-License-Identifier: Apache-2.0
"""Device authorization: a device without a browser shows a short code; its person types it where they are logged in.

The long code is the device's and counts once; the short one is for people, lasts for minutes, and whoever guesses has
to wait. No address with the short code in it is offered: such a link is what somebody who phishes would send.
"""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...errors import BadTokenRequest, InvalidScope, UnauthorizedClient
from ...models import Client, DeviceCode
from ..rfc6749.scopes import SCOPES
from ..rfc6749.tokens import DEVICE_CODE, TokenRequest, check_parameters_once
from ..rfc8707 import check_resources
from ..rfc9396 import details_without_person

INTERVAL = 5
"""Seconds between two questions of a device; each that comes too soon adds as many (section 3.5)."""
# No vowels, so that no words arise; no digits, which look like letters (section 6.1).
_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
_LENGTH = 8
_TYPED = re.compile(f"[{_ALPHABET}]{{{_LENGTH}}}")
_ASIDE = re.compile(r"[\s\-_.]")

Parameters = Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class DeviceRequest:
    """What a device asks for, every check passed."""

    scopes: frozenset[str]
    resources: frozenset[str]
    details: str


def device_request(client: Client, parameters: Parameters) -> DeviceRequest:
    """Check the request of a device (section 3.1).

    Raises:
        UnauthorizedClient: not registered for it.
        BadTokenRequest, InvalidScope, InvalidTarget, InvalidDetails: wrong in itself.
    """
    for check in CHECKS:
        check(client, parameters)
    return DeviceRequest(
        scopes=_scopes(client, parameters),
        resources=check_resources(parameters.get("resource", ()), client),
        details=details_without_person(next(iter(parameters.get("authorization_details", ())), ""), client),
    )


def check_offered(client: Client, _parameters: Parameters) -> None:
    """One that is registered for it; FAPI 2.0 clients never are."""
    if DEVICE_CODE not in client.grants:
        raise UnauthorizedClient


def check_once(client: Client, parameters: Parameters) -> None:
    """RFC 6749 section 3.2: no parameter more than once, but ``resource``."""
    check_parameters_once(client, {name: values for name, values in parameters.items() if name != "resource"})
    if not all(value.isprintable() for value in parameters.get("resource", ())):
        raise BadTokenRequest(field="resource")


def check_scope(client: Client, parameters: Parameters) -> None:
    """Only what is registered."""
    wanted = _scopes(client, parameters)
    if not wanted or not wanted <= client.scopes or not wanted <= SCOPES.keys():
        raise InvalidScope


CHECKS: tuple[Callable[[Client, Parameters], None], ...] = (check_offered, check_once, check_scope)


def new_user_code() -> str:
    """A short code; 34 bits, which is enough for minutes behind a limit (section 5.1)."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def shown(user_code: str) -> str:
    """As people read it."""
    return f"{user_code[: _LENGTH // 2]}-{user_code[_LENGTH // 2 :]}"


def typed(text: str) -> str:
    """A short code as somebody typed it; empty if it cannot be one."""
    code = _ASIDE.sub("", text).upper()
    return code if _TYPED.fullmatch(code) else ""


def check_device_client(code: DeviceCode, request: TokenRequest, _at: int) -> str:
    """A device code works for the client it was given to."""
    return "" if code.client_id == request.client.id else "another client's"


def check_device_key(code: DeviceCode, request: TokenRequest, _at: int) -> str:
    """With the key it was asked for with."""
    return "" if code.jkt in ("", request.confirmation.jkt) else "dpop_jkt"


DEVICE_CHECKS: tuple[Callable[[DeviceCode, TokenRequest, int], str], ...] = (check_device_client, check_device_key)


def why_device_refused(code: DeviceCode | None, request: TokenRequest, *, at: int) -> str:
    """The first reason, for the record only; empty if the code counts so far."""
    if code is None:
        return "unknown"
    return next((reason for check in DEVICE_CHECKS if (reason := check(code, request, at))), "")


def _scopes(client: Client, parameters: Parameters) -> frozenset[str]:
    named = next(iter(parameters.get("scope", ())), "")
    return frozenset(named.split()) or client.scopes
