# SPDX-License-Identifier: Apache-2.0
"""The body nobody read: what is refused early is still taken in whole, so that its sender hears the refusal."""

from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import get_input_stream

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
MOST = 64 << 20
"""Bytes taken in and dropped; nginx lets no larger body through, and whoever else sends more is cut off."""
_PIECE = 1 << 16


def taken_in(application: Application) -> Application:
    """Read what the application left of the body before its answer goes out.

    The server closes a connection with unread bytes on it. nginx, still sending, would then tell the visitor that the
    service is down instead of what the service said.
    """

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # Servers differ in where they end the stream; this one ends with the body.
        body = environ["wsgi.input"] = get_input_stream(environ)
        answer = application(environ, start_response)
        _drop(body)
        return answer

    return wrapped


def _drop(body: Any) -> None:
    left = MOST
    try:
        while left > 0 and (piece := body.read(min(left, _PIECE))):
            left -= len(piece)
    except (OSError, HTTPException):
        # The sender went away; the answer has nobody to reach.
        return
