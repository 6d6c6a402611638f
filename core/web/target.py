# SPDX-License-Identifier: Apache-2.0
"""The raw request target, which WSGI shows only decoded and the signed identity is bound to."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def raw_target(application: Application) -> Application:
    """Offer the target as ``REQUEST_URI``, as nginx vouches for it, where the server itself does not.

    It is believed only if decoding it gives the very request that is being served: whoever else reaches the socket
    cannot present an identity that was signed for another page.
    """

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        raw = environ.get("HTTP_X_ORIGINAL_URI", "")
        path, _, query = raw.partition("?")
        decoded = unquote_to_bytes(path).decode("latin-1")
        # A server that knows the target puts it there itself; granian does not.
        if "REQUEST_URI" in environ:
            return application(environ, start_response)
        if raw.startswith("/") and decoded == environ["PATH_INFO"] and query == environ.get("QUERY_STRING", ""):
            environ["REQUEST_URI"] = raw
        return application(environ, start_response)

    return wrapped
