# SPDX-License-Identifier: Apache-2.0
"""What a request must be whoever makes it: nothing that only a proxy may say, and what its host takes."""

from ..config import Route
from ..errors import Reason, Refused
from ..models import Caller, Question, Target
from ..request import matches


def unforged(question: Question) -> None:
    """Nothing came that only a proxy may say."""
    if question.forwarded:
        raise Refused(Reason.FORWARDED)


def same_site(question: Question, caller: Caller, own: str) -> None:
    """A browser sends its cookies with a WebSocket whoever's page asks for it (RFC 6455 section 10.2)."""
    if not question.upgrade:
        return
    if caller.kind == "anonymous":
        raise Refused(Reason.LOGIN)
    if question.origin != own and (question.origin or caller.credential == "session"):
        raise Refused(Reason.ORIGIN)


def acceptable(question: Question, route: Route, target: Target) -> None:
    """Method, body and protocol are such as the host takes."""
    # A path is for sockets or for requests, never for both: what is no upgrade would be answered as one.
    socket = matches(target.path, route.sockets)
    plain = target.method == "GET" and not question.length
    if socket != bool(question.upgrade) or (socket and not (plain and question.upgrade == "websocket")):
        raise Refused(Reason.UNACCEPTED)
    largest = route.largest * 1024 * 1024
    if (
        (route.methods and target.method not in route.methods)
        or (largest and not 0 <= question.length <= largest)
        or (question.length and route.media and question.media not in route.media)
    ):
        raise Refused(Reason.UNACCEPTED)
