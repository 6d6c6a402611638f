# SPDX-License-Identifier: Apache-2.0
"""Writing nginx's language: quoting that refuses what cannot be quoted, and nested blocks.

Two rules of nginx shape everything here. ``proxy_set_header``, ``add_header`` and ``error_page`` are inherited only by
levels that name none of their kind, so each location writes its whole list. And a value is interpolated at ``$``, so
nothing that comes from settings may hold one.
"""

import re
from collections.abc import Iterable
from pathlib import Path

_SAFE = re.compile(r"[^\"\\$\x00-\x1f\x7f]*\Z")


def quoted(value: str | Path) -> str:
    """One literal argument.

    Raises:
        ValueError: it holds a quotation mark, a backslash, a dollar sign or a control character.
    """
    text = str(value)
    if not _SAFE.match(text):
        raise ValueError(f"{text!r} cannot stand in an nginx configuration")
    return f'"{text}"'


def block(head: str, lines: Iterable[str]) -> list[str]:
    """A block with its lines indented."""
    return [f"{head} {{", *(f"    {line}" for line in lines), "}"]


def pattern_location(pattern: str) -> str:
    """The location that matches one path pattern of the settings: exact, or a prefix with a final star."""
    if pattern.endswith("*"):
        return f"location ^~ {pattern[:-1]}"
    return f"location = {pattern}"
