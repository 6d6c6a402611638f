# SPDX-License-Identifier: Apache-2.0
"""The request target, with exactly one reading (RFC 3986, RFC 9110 section 4.2.3).

nginx forwards the raw target; the application decodes it. A target is accepted only if decoding it once, or twice, or
merging slashes, or resolving dots, or dropping path parameters changes nothing that matters, so it does not matter
which of these the application does.
"""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote_to_bytes

from ..config import METHODS
from ..errors import BadReturn, BadTarget
from ..models import Target

LONGEST = 4096
# RFC 3986 section 3.3 for the path; browsers leave more unescaped in a query, but never these three.
_PATH = re.compile(r"[A-Za-z0-9/%._~!$&'()*+,;=:@-]+\Z")
_QUERY = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x7e]*\Z")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_DOTS = frozenset((".", ".."))
# Characters that mean something to somebody between here and the application, or that need no escape at all.
_NEVER_ESCAPED = frozenset(b"/\\.%;?#ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~")


def target(method: str, raw: str) -> Target:
    """Read method and target.

    Raises:
        BadTarget: there is a second way to read it.
    """
    if method not in METHODS:
        raise BadTarget("method")
    if len(raw) > LONGEST:
        raise BadTarget("length")
    if not raw.startswith("/"):
        raise BadTarget("not a path")
    if "#" in raw or "\\" in raw:
        raise BadTarget("fragment or backslash")
    path, _, query = raw.partition("?")
    if not _PATH.match(path) or not _QUERY.match(query):
        raise BadTarget("characters")
    return Target(method=method, raw=raw, path=_path(path, query))


def return_path(raw: str) -> str:
    """A page of the same host to return to after login.

    Raises:
        BadReturn: it leads elsewhere, or back into the gateway's own pages.
    """
    try:
        found = target("GET", raw)
    except BadTarget as error:
        raise BadReturn from error
    if found.path.startswith("/.tallygate"):
        raise BadReturn
    return raw


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether a path is one of the patterns: exact, or beneath one with a final star."""
    for pattern in patterns:  # noqa: SIM110 - a generator costs every decision as much as the looking itself
        if path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern:
            return True
    return False


def _path(path: str, query: str) -> str:
    _escapes(query)
    if "//" in path:
        raise BadTarget("empty segment")
    if ";" in path:
        raise BadTarget("path parameter")
    if not _DOTS.isdisjoint(path.split("/")):
        raise BadTarget("dot segment")
    for value in _escapes(path):
        if value in _NEVER_ESCAPED or value < 0x21 or value == 0x7F:  # noqa: PLR2004 - controls, space, DEL
            if value == 0x20:  # noqa: PLR2004 - a space has no other spelling
                continue
            raise BadTarget("escaped character")
    try:
        return unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadTarget("not UTF-8") from error


def _escapes(text: str) -> Sequence[int]:
    if "%" not in text:
        return ()
    values = []
    for found in _ESCAPE.finditer(text):
        if found[1] is None:
            raise BadTarget("broken escape")
        values.append(int(found[1], 16))
    return values
