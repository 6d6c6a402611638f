# SPDX-License-Identifier: Apache-2.0
"""What a proxy of the site vouches for: it alone knows which host and listener a request came in by."""

from flask import request

from core.calls import CALLER_HEADER, SECRET_HEADER, PairSecrets

from ..config import LISTENERS
from ..errors import NotThroughProxy
from ..request import ADAPTERS


def through_proxy(proxy: PairSecrets) -> None:
    """Let nobody else in.

    Raises:
        NotThroughProxy: it is none of the site's proxies, or it names no listener.
    """
    name = proxy.caller(request.headers.get(CALLER_HEADER), request.headers.get(SECRET_HEADER))
    if name not in ADAPTERS or listener() not in LISTENERS:
        raise NotThroughProxy


def host() -> str:
    """The host that was asked for."""
    return request.headers.get("X-Original-Host", "")


def listener() -> str:
    """The listener it was asked at."""
    return request.headers.get("Tallygate-Listener", "")
