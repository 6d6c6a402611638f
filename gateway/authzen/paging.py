# SPDX-License-Identifier: Apache-2.0
"""Where a search goes on: a token that holds for the same question of the same caller only.

It holds the name it left off at and a digest of the question, of which search it is and of who asks. Whoever makes one
up gets what he could have asked for.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import NotAQuestion

MOST = 100
"""Results on one page, whatever was asked for."""
_USUAL = 50
_LONGEST = 1000


@dataclass(frozen=True, kw_only=True)
class Place:
    """What is asked for, and where to begin."""

    after: str
    limit: int
    # Of everything but the page.
    digest: str


def page_of(document: Mapping[str, Any], *, wanted: str, caller: str) -> Place:
    """Read the page that is asked for; ``wanted`` is what is searched, ``caller`` the enforcement point.

    Raises:
        NotAQuestion: it is none, or its token belongs to another question.
    """
    question = {key: value for key, value in document.items() if key != "page"}
    said = json.dumps([caller, wanted, question], sort_keys=True)
    digest = hashlib.sha256(said.encode()).hexdigest()[:32]
    page = document.get("page", {})
    if not isinstance(page, dict):
        raise NotAQuestion(field="page")
    limit, token = page.get("limit", _USUAL), page.get("token", "")
    if type(limit) is not int or limit < 1:
        raise NotAQuestion(field="page.limit")
    if not isinstance(token, str) or len(token) > _LONGEST:
        raise NotAQuestion(field="page.token")
    return Place(after=_read(token, digest) if token else "", limit=min(limit, MOST), digest=digest)


def token_of(place: Place, after: str) -> str:
    """The token of the page behind ``after``; empty at the end."""
    if not after:
        return ""
    return base64.urlsafe_b64encode(json.dumps([place.digest, after]).encode()).decode()


def _read(token: str, digest: str) -> str:
    try:
        found = json.loads(base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise NotAQuestion(field="page.token") from error
    match found:
        # Any name may stand there, but no text that no table could be asked about.
        case [str(of), str(after)] if of == digest and after.isprintable():
            return after
        case _:
            raise NotAQuestion(field="page.token")
