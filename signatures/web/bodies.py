# SPDX-License-Identifier: Apache-2.0
"""Documents as requests bring them, and who asks about them."""

import ipaddress
from dataclasses import dataclass

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from ..errors import NothingSent, WrongMediaType
from ..openapi import TAKEN
from ..service.verification import Asker

ANY = TAKEN | {"text/plain", "text/csv", "application/json", "image/png", "image/jpeg"}
"""Media types of files beside which a signature can stand; any other file is sent as application/octet-stream."""
_MULTIPART = "multipart/form-data"


@dataclass(frozen=True, kw_only=True)
class Question:
    """What somebody wants a verdict on."""

    document: bytes
    # What a detached signature is over.
    content: bytes | None = None
    # Time-stamps that came beside a PDF.
    beside: tuple[bytes, ...] = ()


def upload(name: str, largest: int) -> bytes:
    """The one file of this name; nothing where there is none, or several."""
    uploads = request.files.getlist(name)
    found = uploads[0].read(largest + 1) if len(uploads) == 1 else b""
    if len(found) > largest:
        raise RequestEntityTooLarge
    return found


def uploads(name: str, largest: int) -> list[bytes]:
    """All files of this name, none of them empty; a form sends an empty one where none was chosen."""
    found = [each.read(largest + 1) for each in request.files.getlist(name)]
    if sum(map(len, found)) > largest:
        raise RequestEntityTooLarge
    return [each for each in found if each]


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


def question(largest: int) -> Question:
    """A body is the signed file; a form has it as ``document``, and beside it ``content`` and any number of ``beside``.

    Raises:
        WrongMediaType: it is declared as something else.
        NothingSent: there is no document.
    """
    if request.mimetype != _MULTIPART:
        return Question(document=body(largest, taken=TAKEN))
    document, content = upload("document", largest), upload("content", largest) or None
    if not document:
        raise NothingSent
    return Question(document=document, content=content, beside=tuple(uploads("beside", largest)))


def asker() -> Asker:
    """Who wants to know; called by nobody that knows more."""
    # Of an anonymous request the record keeps the network, never the address.
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return Asker()
    prefix = 24 if address.version == 4 else 48  # noqa: PLR2004 - the protocol's number
    return Asker(network=str(ipaddress.ip_network(f"{address}/{prefix}", strict=False)))
