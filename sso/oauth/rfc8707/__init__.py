# SPDX-License-Identifier: Apache-2.0
"""Resource indicators: for whom a token is. Every token is for exactly one, so that none can be passed on."""

from collections.abc import Collection

from ...errors import InvalidTarget
from ...models import Client, Grant


def check_resources(wanted: Collection[str], client: Client) -> frozenset[str]:
    """Those a request names (section 2.1), by equality with what the client is registered for.

    Raises:
        InvalidTarget: one it is not registered for.
    """
    if not set(wanted) <= {client.audience, *client.resources}:
        raise InvalidTarget
    return frozenset(wanted)


def audience_of(grant: Grant, client: Client, wanted: str) -> str:
    """For whom the token of one request is (section 2.2).

    Raises:
        InvalidTarget: not what was granted, or several were and none is named.
    """
    granted = grant.resources or {client.audience}
    if wanted:
        if wanted not in granted or wanted not in {client.audience, *client.resources}:
            raise InvalidTarget
        return wanted
    if client.audience in granted:
        return client.audience
    if len(granted) != 1:
        raise InvalidTarget
    return next(iter(granted))
