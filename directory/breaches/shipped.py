# SPDX-License-Identifier: Apache-2.0
"""The words that everybody tries, with the digits, signs and doublings that everybody adds to them."""

from functools import cache
from pathlib import Path

_FILE = Path(__file__).parent / "common.txt"
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
)
_SWAPPED = str.maketrans("013457@$!", "oieastasi")
_SHORTEST_RUN = 4


def is_common(password: str) -> bool:
    """Whether it is a known word with nothing but digits and signs around it, doubled or not, or runs of keys."""
    folded = password.casefold()
    words = _words()
    for text in {folded, _once(folded)}:
        bare = _bare(text)
        tried = {text, bare, _bare(text.translate(_SWAPPED)), _bare(bare.translate(_SWAPPED)), _once(bare)}
        if not words.isdisjoint(tried) or _is_runs(text):
            return True
    return False


@cache
def _words() -> frozenset[str]:
    return frozenset(line for line in _FILE.read_text("utf-8").split() if line)


def _bare(text: str) -> str:
    """Without the digits and signs before and after it."""
    first = next((at for at, sign in enumerate(text) if sign.isalpha()), len(text))
    last = next((at for at in range(len(text), first, -1) if text[at - 1].isalpha()), first)
    return text[first:last]


def _once(text: str) -> str:
    """What it says again and again."""
    for size in range(1, len(text) // 2 + 1):
        if len(text) % size == 0 and text == text[:size] * (len(text) // size):
            return text[:size]
    return text


def _is_runs(text: str) -> bool:
    """Whether it is made of neighbours on a keyboard or in the alphabet alone, forward or backward."""
    at = 0
    while at < len(text):
        size = max(_run(text[at:], row) for row in (*_ROWS, *(each[::-1] for each in _ROWS)))
        if size < _SHORTEST_RUN and size < len(text) - at:
            return False
        if size == 0:
            return False
        at += size
    return bool(text)


def _run(text: str, row: str) -> int:
    size = 0
    while size < len(text) and text[: size + 1] in row:
        size += 1
    return size
