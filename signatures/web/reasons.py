# SPDX-License-Identifier: Apache-2.0
"""What a code that was kept says in words: the sentence of the error that it belongs to."""

from collections.abc import Iterator
from functools import cache

from core.errors import TallygateError
from core.web import _


def reason(code: str) -> str:
    """The sentence, in the visitor's language; the code itself where there is none, or one with gaps."""
    message = _messages().get(code, "")
    return _(message) if message and "%(" not in message else code


@cache
def _messages() -> dict[str, str]:
    return {each.code: each.message for each in _below(TallygateError)}


def _below(kind: type[TallygateError]) -> Iterator[type[TallygateError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
