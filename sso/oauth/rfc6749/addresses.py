# SPDX-License-Identifier: Apache-2.0
"""Registered addresses: strict when registered, compared by equality and nothing else when presented."""

import hmac
import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from authlib.common.urls import add_params_to_uri

from ...errors import BadClient

# Scheme, host, optional port, optional path and query of plain characters; no user part, no fragment, no backslash,
# no percent-encoding that could be read in two ways.
_ADDRESS = re.compile(r"https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~/-]*)?")

# Apps on people's own devices listen there (RFC 8252 section 7.3). No name: "localhost" may be somebody else's.
_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::([1-9][0-9]{0,4}))?((?:/[A-Za-z0-9._~/-]*)?)")
_LAST_PORT = 65_535


def is_loopback(uri: str) -> bool:
    """Whether an address is on the device of whoever calls it, in the one way that can be registered."""
    return _loopback(uri) is not None


def is_registered(uri: str, known: Iterable[str]) -> bool:
    """Whether an address is one of those registered: equal, but for the port of a loopback address."""
    given = _loopback(uri)
    return any(
        hmac.compare_digest(uri.encode(), each.encode()) or (given is not None and given == _loopback(each))
        for each in known
    )


def _loopback(uri: str) -> tuple[str, str] | None:
    """Host and path, without the port."""
    found = _LOOPBACK.fullmatch(uri)
    if found is None or int(found[2] or 1) > _LAST_PORT or "/../" in f"{uri}/" or "/./" in f"{uri}/":
        return None
    return found[1], found[3]


def check_address(uri: str) -> None:
    """Refuse an address that nobody should register.

    Raises:
        BadClient: not https, or with anything in it that two programs could read differently.
    """
    if not _ADDRESS.fullmatch(uri) or "/../" in f"{uri}/" or "/./" in f"{uri}/":
        raise BadClient(why=f"not a plain https address: {uri[:200]}")


def origin_of(uri: str) -> str:
    """Scheme, host and port of a registered address."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"


def host_of(uri: str) -> str:
    """Host name of a registered address, without its port."""
    return urlsplit(uri).hostname or ""


def with_parameters(uri: str, parameters: Mapping[str, str]) -> str:
    """The address with a query (RFC 6749 section 4.1.2)."""
    joined: str = add_params_to_uri(uri, list(parameters.items()))
    return joined
