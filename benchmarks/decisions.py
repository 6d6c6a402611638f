# SPDX-License-Identifier: Apache-2.0
"""Gateway decisions: nginx asks before every request; no decision is reused, each is recorded before it bites.

``bare`` is the same host, headers and trivial upstream without the decision; ``page`` a portal's real page behind it.
"""

import time
from dataclasses import dataclass

from .measure import Figure, wrk
from .place import Place, Visitor

CONNECTIONS = 16
PATH = "/me"
_TRIES = 5


@dataclass(frozen=True)
class Decisions:
    """The same request under three conditions, and the latency of one request at a time."""

    decided: Figure
    bare: Figure
    page: Figure
    decided_alone: Figure
    bare_alone: Figure


def measured(place: Place, username: str) -> Decisions:
    """One person's session, asked about as often as possible."""
    site = place.context.site
    cookie = _entered(place, username)
    headers = {"Host": site.host("tax"), "Cookie": f"__Host-tallygate={cookie}"}

    def run(listener: str, seconds: int, connections: int) -> Figure:
        return wrk(place.url(listener, PATH), seconds=seconds, connections=connections, headers=headers)

    short = max(2, place.seconds // 3)
    run("decided", 2, CONNECTIONS)
    return Decisions(
        decided=run("decided", place.seconds, CONNECTIONS),
        bare=run("bare", short, CONNECTIONS),
        page=run("external", short, CONNECTIONS),
        decided_alone=run("decided", short, 1),
        bare_alone=run("bare", short, 1),
    )


def _entered(place: Place, username: str) -> str:
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
