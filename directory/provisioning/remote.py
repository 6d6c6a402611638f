# SPDX-License-Identifier: Apache-2.0
"""A portal's SCIM service as a client meets it; every answer is held to what it may be before any of it is used."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from core.calls import Reply
from core.errors import Unavailable

_TYPE = "application/scim+json"
_GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_LONGEST_ID = 200
_LONGEST_WAIT = 3600
_PAGE = 100
_MOST_PAGES = 1000
UNREACHABLE, UNAUTHORISED, TAKEN, REFUSED, BUSY = "unreachable", "unauthorised", "taken", "refused", "busy"
UNREADABLE, GONE, CHANGED = "unreadable", "gone", "changed"
_CODES = {401: UNAUTHORISED, 403: UNAUTHORISED, 404: GONE, 409: TAKEN, 412: CHANGED, 429: BUSY, 503: BUSY}
_SERVER = 500


class RemoteFailed(Exception):
    """A portal did not do what it was asked; ``code`` says why, ``wait`` for how many seconds it asked to be left."""

    def __init__(self, code: str, *, wait: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.wait = wait


class Asking(Protocol):
    """The guarded way out."""

    def __call__(self, method: str, url: str, *, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        """One request; raises Unavailable."""
        ...


class Remote:
    """One portal's service; ``authorization`` is the header that proves us, empty if a certificate does."""

    def __init__(self, url: str, *, ask: Asking, authorization: str, pace: Callable[[], object] = lambda: None) -> None:
        """``pace`` is called before each request, and returns when it may be sent."""
        self._url = url
        self._ask = ask
        self._authorization = authorization
        self._pace = pace

    def create(self, document: Mapping[str, Any]) -> str:
        """Make an account; what the portal calls it.

        Raises:
            RemoteFailed: TAKEN if it has one of that name.
        """
        return _identifier(self._call("POST", "/Users", document))

    def find(self, attribute: str, value: str) -> dict[str, Any] | None:
        """The one account with this value.

        Raises:
            RemoteFailed: no answer, or not one that says so.
        """
        return self._one("/Users", attribute, value)

    def replace(self, remote: str, document: Mapping[str, Any]) -> None:
        """Let an account be as the document says, in the version that it has now.

        Raises:
            RemoteFailed: GONE if it is not there any more, CHANGED if somebody was faster.
        """
        path = f"/Users/{quote(remote, safe='')}"
        _, held = self._exchange("GET", path, None, {})
        self._exchange("PUT", path, {**document, "id": remote}, _if_match(held))

    def deactivate(self, remote: str) -> None:
        """Shut an account.

        Raises:
            RemoteFailed: GONE if it is not there any more.
        """
        change = {"op": "replace", "path": "active", "value": False}
        self._call("PATCH", f"/Users/{quote(remote, safe='')}", {"schemas": [_PATCH], "Operations": [change]})

    def group(self, name: str, title: str) -> str:
        """What the portal calls the group of a role, which is made if there is none.

        Raises:
            RemoteFailed: as it says.
        """
        held = self._one("/Groups", "externalId", name) or self._one("/Groups", "displayName", title)
        if held is not None:
            return _identifier(held)
        return _identifier(
            self._call("POST", "/Groups", {"schemas": [_GROUP], "externalId": name, "displayName": title})
        )

    def regroup(self, group: str, remote: str, *, joins: bool) -> None:
        """Let an account join or leave a group.

        Raises:
            RemoteFailed: as it says.
        """
        change: dict[str, Any] = {"op": "add", "path": "members", "value": [{"value": remote}]}
        if not joins:
            change = {"op": "remove", "path": f"members[value eq {json.dumps(remote)}]"}
        self._call("PATCH", f"/Groups/{quote(group, safe='')}", {"schemas": [_PATCH], "Operations": [change]})

    def all(self) -> Iterator[dict[str, Any]]:
        """Every account with its names and whether it is active, by index.

        Raises:
            RemoteFailed: as it says.
        """
        start = 1
        for _ in range(_MOST_PAGES):
            asked = {"startIndex": start, "count": _PAGE, "attributes": "externalId,userName,active"}
            found, total = _listed(self._call("GET", f"/Users?{urlencode(asked)}", None))
            yield from found
            start += len(found)
            if not found or start > total:
                return

    def _one(self, path: str, attribute: str, value: str) -> dict[str, Any] | None:
        # A JSON string is what a filter wants (RFC 7644 section 3.4.2.2), so that no value says more than itself.
        asked = urlencode({"filter": f"{attribute} eq {json.dumps(value, ensure_ascii=False)}", "count": 2})
        found, _ = _listed(self._call("GET", f"{path}?{asked}", None))
        # Who cannot filter answers with everybody: only what says so is taken.
        fitting = [each for each in found if str(each.get(attribute, "")).casefold() == value.casefold()]
        if len(fitting) > 1:
            raise RemoteFailed(UNREADABLE)
        return fitting[0] if fitting else None

    def _call(self, method: str, path: str, document: Mapping[str, Any] | None) -> dict[str, Any]:
        return self._exchange(method, path, document, {})[0]

    def _exchange(
        self, method: str, path: str, document: Mapping[str, Any] | None, more: Mapping[str, str]
    ) -> tuple[dict[str, Any], Reply]:
        headers = {"Accept": _TYPE, "User-Agent": "tallygate", **more}
        if self._authorization:
            headers["Authorization"] = self._authorization
        body = None
        if document is not None:
            headers["Content-Type"] = _TYPE
            body = json.dumps(document, ensure_ascii=False).encode()
        self._pace()
        try:
            reply = self._ask(method, f"{self._url}{path}", body=body, headers=headers)
        except Unavailable as error:
            raise RemoteFailed(UNREACHABLE) from error
        if not 200 <= reply.status < 300:  # noqa: PLR2004 - what HTTP calls success
            code = _CODES.get(reply.status, UNREACHABLE if reply.status >= _SERVER else REFUSED)
            raise RemoteFailed(code, wait=_wait(reply))
        if not reply.body:
            return {}, reply
        try:
            found = json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            raise RemoteFailed(UNREADABLE) from error
        if not isinstance(found, dict):
            raise RemoteFailed(UNREADABLE)
        return found, reply


def _identifier(document: Mapping[str, Any]) -> str:
    found = document.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= _LONGEST_ID or not found.isprintable():
        raise RemoteFailed(UNREADABLE)
    return found


def identifier(document: Mapping[str, Any]) -> str:
    """What the portal calls what it told.

    Raises:
        RemoteFailed: it does not say.
    """
    return _identifier(document)


def _listed(document: Mapping[str, Any]) -> tuple[list[dict[str, Any]], int]:
    found, total = document.get("Resources", []), document.get("totalResults")
    if not isinstance(found, list) or type(total) is not int or not all(isinstance(each, dict) for each in found):
        raise RemoteFailed(UNREADABLE)
    return found, total


def _if_match(reply: Reply) -> dict[str, str]:
    tag = reply.headers.get("etag", "")
    return {"If-Match": tag} if tag and tag.isprintable() else {}


def _wait(reply: Reply) -> int:
    said = reply.headers.get("retry-after", "")
    return min(int(said), _LONGEST_WAIT) if said.isdecimal() and len(said) < 9 else 0  # noqa: PLR2004 - decades
