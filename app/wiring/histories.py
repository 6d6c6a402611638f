# SPDX-License-Identifier: Apache-2.0
"""What the directory's desk asks the record about its entries, as the role that told it."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from core.calls import Answer
from core.errors import Unavailable
from directory.histories import Change


class Asked(Protocol):
    """The way to the audit role."""

    def call(self, method: str, path: str) -> Answer:
        """Make one request."""


class RecordedChanges:
    """``directory.histories.Changes`` over the audit role's door."""

    def __init__(self, audit: Asked) -> None:
        self._audit = audit

    def of(
        self, kind: str, identifier: str, *, officer: str, after: int | None, limit: int, language: str, opens: bool
    ) -> tuple[Sequence[Change], int | None]:
        """The newest changes, and where the next page begins.

        Raises:
            Unavailable: the record does not answer, or not as it should.
        """
        asked: dict[str, Any] = {"officer": officer, "limit": limit, "lang": language, "open": int(opens)}
        if after is not None:
            asked["after"] = after
        answer = self._audit.call("GET", f"{_at(kind, identifier)}?{urlencode(asked)}").json()
        try:
            found = [
                Change(
                    index=each["index"],
                    at=datetime.fromisoformat(each["time"]),
                    sealed=each["sealed"],
                    **{name: each[name] for name in _SAME},
                )
                for each in answer["changes"]
            ]
            following = answer["next"]
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable from error
        return found, following

    def proof(self, kind: str, identifier: str, index: int, *, officer: str) -> tuple[bytes, str]:
        """The bytes of one of them and its proof.

        Raises:
            NotFound: there is none of this entry.
            Unavailable: the record does not answer, or not as it should.
        """
        path = f"{_at(kind, identifier)}/{index}?{urlencode({'officer': officer})}"
        answer = self._audit.call("GET", path).json()
        try:
            return base64.b64decode(answer["entry"], validate=True), str(answer["proof"])
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable from error


_SAME = ("type", "says", "outcome", "subject", "actor", "organisation", "attributes")


def _at(kind: str, identifier: str) -> str:
    return f"/api/v1/changes/{quote(kind, safe='')}/{quote(identifier, safe='')}"
