# SPDX-License-Identifier: Apache-2.0
"""The accounts a portal was told of: a small SCIM 2.0 service (RFC 7644) for the directory, and for nobody else.

Takes what an outbound client needs: users and groups, made, replaced, changed in part and found by one attribute;
entity tags; one account for each external identifier and user name. Kept in one file, replaced whole under a lock.
"""

import fcntl
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request

from core.web import Guard

PREFIX = "/scim/v2"
_TYPE = "application/scim+json"
_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
_LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_LONGEST = 1 << 18
_MOST_IN_LIST = 200
_EQUALS = re.compile(r'(externalId|userName|displayName) eq ("(?:[^"\\]|\\.)*")\Z')
_MEMBER = re.compile(r'members\[value eq ("(?:[^"\\]|\\.)*")\]\Z')
_KINDS = {"Users": "userName", "Groups": "displayName"}
_TAKEN = ("externalId", "userName")
Document = dict[str, Any]


class _Refused(Exception):
    def __init__(self, status: int, kind: str = "") -> None:
        super().__init__(kind)
        self.status = status
        self.kind = kind


class Accounts:
    """The file; every verb reads it, and writes it whole."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def all(self, kind: str) -> list[Document]:
        """Every account, or every group, in the order in which they came."""
        try:
            held = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return []
        return list(held.get(kind, {}).values())

    def held(self, external: str) -> Document | None:
        """The account of somebody, with the groups it is in; None if the directory told of none."""
        for each in self.all("Users"):
            if each.get("externalId") == external:
                groups = [
                    one["displayName"]
                    for one in self.all("Groups")
                    if any(member.get("value") == each["id"] for member in one.get("members", []))
                ]
                return {**each, "groups": groups}
        return None

    @contextmanager
    def changing(self) -> Iterator[dict[str, dict[str, Document]]]:
        """Everything, to be changed by one at a time; kept if nothing was raised."""
        with self._file.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            held: dict[str, dict[str, Document]] = {"Users": {}, "Groups": {}}
            if self._file.exists():
                held |= json.loads(self._file.read_bytes())
            yield held
            fresh = self._file.with_suffix(".new")
            fresh.touch(mode=0o600)
            fresh.write_bytes(json.dumps(held).encode())
            fresh.replace(self._file)


def accounts_service(accounts: Accounts, guard: Guard, *, token: Callable[[], str]) -> Blueprint:
    """The service; whoever asks shows ``token``."""
    service = Blueprint("accounts", __name__, url_prefix=PREFIX)

    def answer(work: Callable[[], tuple[int, Document]]) -> Response:
        try:
            _authorised(token())
            status, document = work()
        except _Refused as error:
            told: Document = {
                "schemas": [_ERROR],
                "status": str(error.status),
                "detail": HTTPStatus(error.status).phrase,
            }
            told |= {"scimType": error.kind} if error.kind else {}
            return Response(json.dumps(told), error.status, content_type=_TYPE)
        headers = {"ETag": document["meta"]["version"]} if "meta" in document else {}
        return Response(json.dumps(document), status, headers, content_type=_TYPE)

    @service.get("/<any(Users, Groups):kind>")
    @guard.own("the token that only the directory and this portal know", errors="problem")
    def listed(kind: str) -> Response:
        return answer(lambda: (200, _found(accounts.all(kind))))

    @service.post("/<any(Users, Groups):kind>")
    @guard.own("the token that only the directory and this portal know", errors="problem")
    def made(kind: str) -> Response:
        return answer(lambda: (201, _made(accounts, kind, _body())))

    @service.get("/<any(Users, Groups):kind>/<identifier>")
    @guard.own("the token that only the directory and this portal know", errors="problem")
    def one(kind: str, identifier: str) -> Response:
        return answer(lambda: (200, _one({each["id"]: each for each in accounts.all(kind)}, identifier)))

    @service.put("/<any(Users, Groups):kind>/<identifier>")
    @guard.own("the token that only the directory and this portal know", errors="problem")
    def replaced(kind: str, identifier: str) -> Response:
        return answer(lambda: (200, _changed(accounts, kind, identifier, lambda _, told: told)))

    @service.patch("/<any(Users, Groups):kind>/<identifier>")
    @guard.own("the token that only the directory and this portal know", errors="problem")
    def patched(kind: str, identifier: str) -> Response:
        return answer(lambda: (200, _changed(accounts, kind, identifier, _patched)))

    return service


def _authorised(token: str) -> None:
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token or not hmac.compare_digest(shown.encode(), token.encode()):
        raise _Refused(401)


def _body() -> Document:
    if request.mimetype not in (_TYPE, "application/json"):
        raise _Refused(415)
    request.max_content_length = _LONGEST
    try:
        document = json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError) as error:
        raise _Refused(400, "invalidSyntax") from error
    if not isinstance(document, dict):
        raise _Refused(400, "invalidSyntax")
    return document


def _found(held: list[Document]) -> Document:
    where = request.args.get("filter", "")
    if where:
        fits = _EQUALS.match(where)
        if fits is None:
            raise _Refused(400, "invalidFilter")
        value = _quoted(fits[2]).casefold()
        held = [each for each in held if str(each.get(fits[1], "")).casefold() == value]
    start, count = (_number(name, standard) for name, standard in (("startIndex", 1), ("count", _MOST_IN_LIST)))
    shown = held[start - 1 : start - 1 + min(count, _MOST_IN_LIST)]
    return {
        "schemas": [_LIST], "totalResults": len(held), "startIndex": start, "itemsPerPage": len(shown),
        "Resources": shown,
    }  # fmt: skip


def _quoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError as error:
        raise _Refused(400, "invalidFilter") from error


def _number(name: str, standard: int) -> int:
    said = request.args.get(name, "")
    if said and not (said.isdecimal() and len(said) < 7):  # noqa: PLR2004 - more accounts than the file can hold
        raise _Refused(400, "invalidValue")
    return max(int(said), 1) if said else standard


def _made(accounts: Accounts, kind: str, told: Document) -> Document:
    with accounts.changing() as held:
        return _kept(held[kind], kind, secrets.token_hex(8), told)


def _changed(
    accounts: Accounts, kind: str, identifier: str, change: Callable[[Document, Document], Document]
) -> Document:
    told = _body()
    with accounts.changing() as held:
        was = _one(held[kind], identifier)
        wanted = request.headers.get("If-Match", "")
        if wanted not in ("", "*", was["meta"]["version"]):
            raise _Refused(412)
        return _kept(held[kind], kind, identifier, change(was, told))


def _patched(was: Document, told: Document) -> Document:
    operations, now = told.get("Operations"), {name: each for name, each in was.items() if name != "meta"}
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise _Refused(400, "invalidSyntax")
    for each in operations:
        verb, path, value = str(each.get("op", "")).lower(), str(each.get("path", "")), each.get("value")
        gone = _MEMBER.match(path)
        if verb == "replace" and path == "active" and isinstance(value, bool):
            now["active"] = value
        elif verb == "add" and path == "members" and isinstance(value, list):
            there = {one["value"] for one in now.get("members", [])}
            fresh = (one for one in value if not isinstance(one, dict) or one.get("value") not in there)
            now["members"] = [*now.get("members", []), *fresh]
        elif verb == "remove" and gone is not None:
            left = [one for one in now.get("members", []) if one.get("value") != _quoted(gone[1])]
            now["members"] = left
        else:
            raise _Refused(400, "invalidPath")
    return now


def _one(held: Mapping[str, Document], identifier: str) -> Document:
    if identifier not in held:
        raise _Refused(404)
    return held[identifier]


def _kept(held: dict[str, Document], kind: str, identifier: str, told: Document) -> Document:
    named = _KINDS[kind]
    if not isinstance(told.get(named), str) or not isinstance(told.get("active", True), bool):
        raise _Refused(400, "invalidValue")
    members = told.get("members", [])
    if not isinstance(members, list) or not all(isinstance(each, dict) and "value" in each for each in members):
        raise _Refused(400, "invalidValue")
    for each in held.values():
        same = any(told.get(name) and each.get(name) == told[name] for name in _TAKEN)
        if each["id"] != identifier and same:
            raise _Refused(409, "uniqueness")
    document = {**told, "id": identifier}
    document.pop("meta", None)
    tag = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:24]
    document["meta"] = {"resourceType": kind[:-1], "version": f'W/"{tag}"'}
    held[identifier] = document
    return document
