# SPDX-License-Identifier: Apache-2.0
"""Token requests: a portal's server refreshes, which signs two tokens (access and ID) and records intent and issue."""

import base64
import json
from urllib.parse import urlencode

from .measure import Figure, wrk
from .place import Place, Visitor, client_secret

CONNECTIONS = 16
CLIENT = "tax"


def measured(place: Place, username: str) -> Figure:
    """One client refreshing as often as it can; its refresh token stays, for it keeps a secret."""
    visitor = Visitor(place)
    _, form = visitor.log_in(username)
    basic = base64.b64encode(f"{CLIENT}:{client_secret(place, CLIENT)}".encode()).decode()
    headers = {
        "Host": place.context.site.host("sso"),
        "Authorization": f"Basic {basic}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    visitor._http.request("POST", "/token", body=urlencode(form), headers=headers)  # noqa: SLF001 - the same connection
    answer = json.loads(visitor._http.getresponse().read())  # noqa: SLF001
    visitor.close()
    refresh = {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"]}
    return wrk(
        place.url("external", "/token"),
        seconds=place.seconds,
        connections=CONNECTIONS,
        headers=headers,
        body=urlencode(refresh).encode(),
    )
