# SPDX-License-Identifier: Apache-2.0
"""Strict reading of what came in: one value per name, bounded, no control characters."""

import json
from typing import Any

from flask import request
from werkzeug.datastructures import MultiDict

from ..errors import N_, Invalid


class Malformed(Invalid):
    """A field is missing, doubled, too long or holds characters it cannot hold."""

    code = "malformed"
    message = N_("The field “%(field)s” is missing or cannot be read.")


def form_text(name: str, *, longest: int = 200, optional: bool = False) -> str:
    """One form field; empty if optional and absent.

    Raises:
        Malformed: absent, given twice, too long, or with control characters.
    """
    return text_of(request.form, name, longest=longest, optional=optional)


def query_text(name: str, *, longest: int = 200, optional: bool = True) -> str:
    """One query parameter, as ``form_text``."""
    return text_of(request.args, name, longest=longest, optional=optional)


def text_of(values: MultiDict[str, str], name: str, *, longest: int, optional: bool) -> str:
    """One value of a multi-dict.

    Raises:
        Malformed: see ``form_text``.
    """
    found = values.getlist(name)
    if not found and optional:
        return ""
    if len(found) != 1 or len(found[0]) > longest or not found[0].isprintable():
        raise Malformed(field=name)
    return found[0]


def json_object(*, longest: int = 1 << 20) -> dict[str, Any]:
    """The body as one JSON object with unique names (RFC 7493).

    Raises:
        Malformed: not UTF-8, not an object, a name given twice, no number or character at all, too long or too deep.
    """
    if request.mimetype != "application/json":
        raise Malformed(field="Content-Type")
    body = request.get_data(cache=False)
    if len(body) > longest:
        raise Malformed(field="body")
    try:
        document = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
        # Half a character, which JSON can spell and nothing can store (RFC 7493 section 2.1).
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Malformed(field="body") from error
    if not isinstance(document, dict):
        raise Malformed(field="body")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name is given twice")
    return document


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
