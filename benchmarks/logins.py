# SPDX-License-Identifier: Apache-2.0
"""Logins: from a portal's authorization request over the page and the password to the code in the redirect.

Four requests of one browser: the request, the page, the form, the way on. Consent was given before, as it is kept.
"""

import itertools
import threading

from .measure import Figure, repeat
from .place import Place, Visitor

BROWSERS = 8


def warmed(place: Place, usernames: list[str]) -> None:
    """One login of each, so that consent is asked for and given outside the measured time."""
    for username in usernames:
        _log_in(place, username)


def measured(place: Place, usernames: list[str]) -> Figure:
    """Logins of different people, each in a fresh browser."""
    turn, lock = itertools.cycle(usernames), threading.Lock()

    def act() -> None:
        with lock:
            username = next(turn)
        _log_in(place, username)

    return repeat(act, seconds=place.seconds, threads=BROWSERS)


def _log_in(place: Place, username: str) -> None:
    visitor = Visitor(place)
    try:
        visitor.log_in(username)
    finally:
        visitor.close()
