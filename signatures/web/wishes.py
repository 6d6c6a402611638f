# SPDX-License-Identifier: Apache-2.0
"""Where a picture goes and what a signature permits, as a query or a form says it."""

import re

from werkzeug.datastructures import MultiDict

from core.web.inputs import Malformed, text_of

from ..looks import Certification, Locking, Permits, Placement

_NUMBER = re.compile(r"-?[0-9]{1,5}(?:\.[0-9]{1,3})?")
_PAGE = re.compile(r"[0-9]{1,5}")
_MOST_FIELDS = 50


def placement(values: MultiDict[str, str]) -> Placement:
    """From ``page``, ``x``, ``y`` or ``field``.

    Raises:
        Malformed: one is no number, half a place is given, or a field and a place.
    """
    page = text_of(values, "page", longest=5, optional=True)
    if page and not _PAGE.fullmatch(page):
        raise Malformed(field="page")
    try:
        return Placement(
            page=int(page or 0),
            x=_coordinate(values, "x"),
            y=_coordinate(values, "y"),
            field=text_of(values, "field", longest=200, optional=True),
        )
    except ValueError as error:
        raise Malformed(field="x") from error


def permits(values: MultiDict[str, str]) -> Permits:
    """From ``certify``, ``lock`` and as many ``locked`` as fields are named.

    Raises:
        Malformed: an unknown word, or fields where none belong.
    """
    certify = text_of(values, "certify", longest=20, optional=True)
    lock = text_of(values, "lock", longest=20, optional=True)
    if certify not in set(Certification):
        raise Malformed(field="certify")
    if lock not in set(Locking):
        raise Malformed(field="lock")
    fields = values.getlist("locked")
    if len(fields) > _MOST_FIELDS or any(not 0 < len(each) <= 200 or not each.isprintable() for each in fields):  # noqa: PLR2004 - as other names
        raise Malformed(field="locked")
    try:
        return Permits(certification=Certification(certify), locking=Locking(lock), fields=tuple(fields))
    except ValueError as error:
        raise Malformed(field="locked") from error


def _coordinate(values: MultiDict[str, str], name: str) -> float | None:
    said = text_of(values, name, longest=10, optional=True)
    if not said:
        return None
    if not _NUMBER.fullmatch(said):
        raise Malformed(field=name)
    return float(said)
