# SPDX-License-Identifier: Apache-2.0
"""What a request brings, read strictly: who asks, which parameters, which entry; and how files go back."""

from flask import Response, request

from core.web import identity
from core.web.inputs import Malformed

from ..errors import NoSuchEntry
from ..models import Reader
from ..search import BadFilter

FOREVER = "public, max-age=31536000, immutable"
SECONDS = "public, max-age=1"
_DIGITS = 16


def officer() -> Reader:
    """The officer who asks, as the guard verified them."""
    who = identity()
    return Reader(subject=who.subject, session=who.session, zone=who.zone, decision=who.decision, roles=who.roles)


def parameters(*, only: tuple[str, ...] | None = None) -> dict[str, list[str]]:
    """The parameters of the address; with ``only``, no others.

    Raises:
        BadFilter: another one is there.
    """
    given = request.args.to_dict(flat=False)
    for name in given:
        if only is not None and name not in only:
            raise BadFilter(field=name[:40] if name.isprintable() else "?")
    return given


def long_text(name: str, most: int) -> str:
    """A field of several lines, which its reader judges.

    Raises:
        Malformed: missing, given twice, or far longer than ``most``.
    """
    found = request.form.getlist(name)
    if len(found) != 1 or len(found[0]) > 4 * most:
        raise Malformed(field=name)
    return found[0]


def place(text: str) -> int:
    """An index in an address, in its one spelling.

    Raises:
        NoSuchEntry: it is none.
    """
    if not (text.isascii() and text.isdecimal()) or len(text) > _DIGITS or (text != "0" and text[0] == "0"):
        raise NoSuchEntry
    return int(text)


def file(content: bytes, kind: str, name: str) -> Response:
    """Something to keep, under a name."""
    response = Response(content, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def note(content: bytes) -> Response:
    """A signed note, which may be another one soon."""
    response = Response(content, content_type="text/plain; charset=utf-8")
    response.headers["Cache-Control"] = SECONDS
    return response


def octets(content: bytes, caching: str) -> Response:
    """Bytes that programs read."""
    response = Response(content, content_type="application/octet-stream")
    response.headers["Cache-Control"] = caching
    return response
