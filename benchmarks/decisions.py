# SPDX-License-Identifier: Apache-2.0
"""Gateway decisions: nginx asks before every request; no decision is reused, each is recorded before it bites.

Three listeners: ``decided`` has a trivial upstream behind the decision, ``bare`` the same without the decision, and
``external`` is the city's own, with a portal's real page behind it.
"""

import time

from .measure import Figure, wrk
from .place import Place, Visitor

CONNECTIONS = 16
PATH = "/me"
_TRIES = 5


def measured(place: Place, cookie: str, listener: str, *, connections: int, seconds: int, path: str = PATH) -> Figure:
    """One person's session, asked about as often as possible."""
    headers = {"Host": place.context.site.host("tax"), "Cookie": f"__Host-tallygate={cookie}"}
    return wrk(place.url(listener, path), seconds=seconds, connections=connections, headers=headers)


def entered(place: Place, username: str) -> str:
    """The session's cookie; a busy machine may need a second try, which is not what is measured here."""
    for attempt in range(_TRIES):
        visitor = Visitor(place)
        try:
            return visitor.enter(f"{place.context.site.origin('tax')}{PATH}", username)
        except RuntimeError:
            if attempt == _TRIES - 1:
                raise
            time.sleep(1)
        finally:
            visitor.close()
    raise AssertionError
