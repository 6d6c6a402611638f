# SPDX-License-Identifier: Apache-2.0
"""Documents as requests bring them."""

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from ..errors import NothingSent, WrongMediaType


def upload(name: str, largest: int) -> bytes:
    """The one file of this name; nothing where there is none, or several."""
    uploads = request.files.getlist(name)
    found = uploads[0].read(largest + 1) if len(uploads) == 1 else b""
    if len(found) > largest:
        raise RequestEntityTooLarge
    return found


def body(largest: int, *, taken: frozenset[str] = frozenset({"application/pdf"})) -> bytes:
    """The body; ``taken`` are the media types.

    Raises:
        WrongMediaType: it is declared as something else.
        NothingSent: it is empty.
    """
    if request.mimetype not in taken:
        raise WrongMediaType
    request.max_content_length = largest
    document = request.get_data(cache=False)
    if not document:
        raise NothingSent
    return document
