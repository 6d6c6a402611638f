# SPDX-License-Identifier: Apache-2.0
"""Names made searchable without being kept: keyed tokens that mean nothing to whoever steals the index alone.

A token is the first half of HMAC-SHA-256 over the normalised name. Whoever has both the key and the index can test
guesses, so the key lies in the audit role's folder and the tokens of an erased person are deleted with the person's
key.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from functools import lru_cache

from .terms import Words
from .terms import normalised as folded

NAMED_BY = ("name", "name_zh", "username")
"""Fields of a sealed part that name its subject."""

_SHORTEST_WORD = 2
_SIZE = 16
# Crockford's alphabet, whose letters are not taken for one another; 35 bits tell the persons of a page apart.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PSEUDONYM = 7


class NameTokens:
    """Turns names into tokens, for indexing and for asking."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.words = Words(key)

    def token(self, name: str) -> bytes:
        """The token somebody who types this name asks for."""
        return _token(self._key, normalised(name))

    def tokens(self, sealed: Mapping[str, str]) -> frozenset[bytes]:
        """Every token under which the subject of a sealed part is found: each name, and each word of it."""
        named = [_tokens(self._key, name) for field in NAMED_BY if (name := sealed.get(field))]
        return named[0] if len(named) == 1 else frozenset().union(*named)

    def pseudonym(self, subject: str) -> str:
        """How a person is called while their name is not shown; empty for nobody. Nobody can compute it backwards."""
        if not subject:
            return ""
        number = int.from_bytes(hmac.digest(self._key, b"pseudonym\0" + subject.encode(), hashlib.sha256))
        letters = "".join(_LETTERS[number >> 5 * place & 31] for place in range(_PSEUDONYM))
        return f"{letters[:3]}-{letters[3:]}"


def normalised(name: str) -> str:
    """One spelling for what people type alike: width, case and spaces do not count."""
    return re.sub(r"\s+", " ", folded(name)).strip()


@lru_cache(maxsize=10_000)
def _tokens(key: bytes, name: str) -> frozenset[bytes]:
    whole = normalised(name)
    return frozenset(_token(key, part) for part in {whole, *whole.split()} if len(part) >= _SHORTEST_WORD)


def _token(key: bytes, name: str) -> bytes:
    return hmac.digest(key, b"name\0" + name.encode("utf-8", "replace"), hashlib.sha256)[:_SIZE]
