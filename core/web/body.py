# SPDX-License-Identifier: Apache-2.0
"""Bodies: files in forms stay in memory, and what nobody read is taken in all the same.

So the sender of what is refused early hears the refusal.
"""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import IO, Any

from flask import Request
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import get_input_stream

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
MOST = 64 << 20
"""Bytes taken in and dropped; nginx lets no larger body through, and whoever else sends more is cut off."""
_PIECE = 1 << 16


class InMemory(Request):
    """A request whose files never touch a disk: somebody's document would lie there readable, whoever asked for it."""

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002 - the framework's signature; the body has its own bound
        content_type: str | None,  # noqa: ARG002 - as above
        filename: str | None = None,  # noqa: ARG002 - as above
        content_length: int | None = None,  # noqa: ARG002 - as above
    ) -> IO[bytes]:
        return BytesIO()


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
