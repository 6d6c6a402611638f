# SPDX-License-Identifier: Apache-2.0
"""Token requests: a portal's server refreshes, which signs two tokens (access and ID) and records intent and issue."""

import base64
import json
from urllib.parse import urlencode

from .measure import Figure, wrk
from .place import Place, Visitor, client_secret

CONNECTIONS = 16
CLIENT = "tax"


def refresh_token(place: Place, username: str) -> str:
    """What the portal got at somebody's login; it stays, for this client keeps a secret."""
    visitor = Visitor(place)
    _, form = visitor.log_in(username)
    answer = json.loads(visitor.post("/token", form, _headers(place)))
    visitor.close()
    return str(answer["refresh_token"])


def measured(place: Place, token: str) -> Figure:
    """One client refreshing as often as it can."""
    refresh = {"grant_type": "refresh_token", "refresh_token": token}
    return wrk(
        place.url("external", "/token"),
        seconds=place.seconds,
        connections=CONNECTIONS,
        headers=_headers(place),
        body=urlencode(refresh).encode(),
    )


def _headers(place: Place) -> dict[str, str]:
    basic = base64.b64encode(f"{CLIENT}:{client_secret(place, CLIENT)}".encode()).decode()
    return {
        "Host": place.context.site.host("sso"),
        "Authorization": f"Basic {basic}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
