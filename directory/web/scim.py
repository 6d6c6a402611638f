# SPDX-License-Identifier: Apache-2.0
"""The SCIM 2.0 service (RFC 7644) of the desk: for administrators' programs, within the administrator's part.

Lists are paged by cursor (RFC 9865); they say how many there are only where they are whole. People are never deleted:
their identifiers are permanent, so DELETE is not implemented, and ``active`` shuts them out everywhere within a second.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Blueprint, Response, request

from core.errors import Conflict, Forbidden, Invalid, NotFound, TallygateError
from core.web import Guard, identity
from core.web.inputs import query_text

from .. import scim
from ..errors import BadFilter, BadPatch, BadPath, ReadOnly
from ..models import ADMINISTRATOR, AGENCY_ADMINISTRATOR, Page, Person
from ..service import Administration

PREFIX = "/scim/v2"
_TYPE = "application/scim+json"
_LONGEST = 1 << 18
_REASON = "SCIM"
_WHO = (ADMINISTRATOR, AGENCY_ADMINISTRATOR)
_SCIM_TYPES: tuple[tuple[type[TallygateError], str], ...] = (
    (BadFilter, "invalidFilter"),
    (BadPath, "invalidPath"),
    (ReadOnly, "mutability"),
    (BadPatch, "invalidValue"),
    (Invalid, "invalidValue"),
)
Answer = tuple[int, dict[str, Any], dict[str, str]]


class Stale(Conflict):
    """The document has another version by now; answered as 412 (RFC 7232 section 4.2)."""

    code = "scim_stale"


class Missing(Invalid):
    """What this service does not do; answered as 501."""

    code = "scim_not_implemented"


class _Service:
    """One request's verbs; each answers with a status, a document and headers."""

    def __init__(
        self,
        own: Administration,
        *,
        at: str,
        opened: Callable[[Person], None],
        searched: Callable[[str, tuple[Person, ...]], None],
    ) -> None:
        self._own = own
        self._at = at
        self._opened = opened
        self._searched = searched

    def users(self, where: str, *, cursor: str, count: int) -> Answer:
        page = self._own.people_where(scim.user_filter(where) if where else "", after=cursor, limit=max(count, 1))
        items = page.items if count else ()
        self._searched(where, items)
        return 200, self._list([self._user(each) for each in items], page if count else Page((), "")), {}

    def user(self, subject: str) -> Answer:
        person = self._own.person(subject)
        self._opened(person)
        return self._told(200, self._user(person))

    def create(self, document: Mapping[str, Any]) -> Answer:
        person, report = self._own.enter_user(scim.new_user(document))
        for refusal in report.refused:
            if refusal.field == "username":
                raise Conflict
            raise BadPatch(field=refusal.field)
        return self._told(201, self._user(self._own.person(person)))

    def change(self, subject: str, wanted: scim.Wanted, *, match: str) -> Answer:
        before = self._user(self._own.person(subject))
        if match and match != "*" and scim.version(before) not in [each.strip() for each in match.split(",")]:
            raise Stale
        self._own.change_user(
            subject, active=wanted.active, name=wanted.name, name_zh=wanted.name_zh, mail=wanted.mail, reason=_REASON
        )
        return self._told(200, self._user(self._own.person(subject)))

    def groups(self) -> Answer:
        roles = self._own.roles()
        return 200, self._list([scim.group(each, (), at=self._at) for each in roles], Page((), "")), {}

    def group(self, name: str, *, bare: bool) -> Answer:
        role = next((each for each in self._own.roles() if each.name == name), None)
        if role is None:
            raise NotFound
        members: tuple[Person, ...] = ()
        if not bare:
            members = self._own.reaches(name, limit=scim.MOST_IN_LIST).items
            self._searched(name, members)
        return self._told(200, scim.group(role, members, at=self._at))

    def regroup(self, name: str, document: Mapping[str, Any]) -> Answer:
        joins, leaves = scim.group_members(document)
        self.group(name, bare=True)
        for subject in leaves:
            self._own.withdraw_role(subject, name)
        for subject in joins:
            self._own.grant_role(subject, name, reason=_REASON)
        return self.group(name, bare=False)

    def bulk(self, document: Mapping[str, Any]) -> Answer:
        operations, most = document.get("Operations"), document.get("failOnErrors", 0)
        if not isinstance(operations, list) or not operations or not isinstance(most, int):
            raise BadPatch(field="Operations")
        if len(operations) > scim.MOST_IN_BULK:
            return 413, _error(413, "Too many operations."), {}
        done: list[dict[str, Any]] = []
        known: dict[str, str] = {}
        failed = 0
        for each in operations:
            if not isinstance(each, dict):
                raise BadPatch(field="Operations")
            status, told = self._one(each, known)
            named = {name: each[name] for name in ("method", "bulkId") if isinstance(each.get(name), str)}
            done.append({**named, "status": str(status), **told})
            failed += status >= 400  # noqa: PLR2004 - from here on HTTP tells of errors
            if most and failed >= most:
                break
        return 200, {"schemas": [scim.BULK], "Operations": done}, {}

    def _one(self, operation: Mapping[str, Any], known: dict[str, str]) -> tuple[int, dict[str, Any]]:
        method, path, data = (operation.get(name) for name in ("method", "path", "data"))
        try:
            data = _resolved(data, known)
            branch, _, name = str(path or "").strip("/").partition("/")
            name = known.get(name.removeprefix("bulkId:"), name)
            if not isinstance(data, dict):
                raise BadPatch(field="data")
            tag = str(operation.get("version", ""))
            match (method, branch, bool(name)):
                case ("POST", "Users", False):
                    status, told, headers = self.create(data)
                    if isinstance(operation.get("bulkId"), str):
                        known[operation["bulkId"]] = told["id"]
                case ("PATCH", "Users", True):
                    status, told, headers = self.change(name, scim.patched(data), match=tag)
                case ("PUT", "Users", True):
                    status, told, headers = self.change(name, scim.replaced(data), match=tag)
                case ("PATCH", "Groups", True):
                    status, told, headers = self.regroup(name, data)
                case _:
                    raise Missing
        except TallygateError as error:
            code, answer = _failed(error)
            return code, {"response": answer}
        return status, {"location": headers.get("Location") or told["meta"]["location"], "version": scim.version(told)}

    def _user(self, person: Person) -> dict[str, Any]:
        return scim.user(person, at=self._at)

    def _told(self, status: int, document: dict[str, Any]) -> Answer:
        headers = {"ETag": scim.version(document)}
        if status == 201:  # noqa: PLR2004 - created
            headers["Location"] = document["meta"]["location"]
        return status, document, headers

    def _list(self, items: list[dict[str, Any]], page: Page[Person]) -> dict[str, Any]:
        told: dict[str, Any] = {"schemas": [scim.LIST], "itemsPerPage": len(items), "Resources": items}
        if page.after:
            return {**told, "nextCursor": page.after}
        return {**told, "totalResults": len(items)} if not request.args.get("cursor") else told


Answering = Callable[[Callable[[_Service], Answer]], Response]
"""Runs one verb and makes a response of what it answers or raises."""


def blueprint(
    mine: Callable[[], Administration],
    guard: Guard,
    *,
    at: str,
    opened: Callable[[Person], None],
    searched: Callable[[str, tuple[Person, ...]], None],
) -> Blueprint:
    """The service; ``at`` is its address."""
    desk = Blueprint("directory_scim", __name__, url_prefix=PREFIX)

    def answer(work: Callable[[_Service], Answer]) -> Response:
        try:
            status, document, headers = work(_Service(mine(), at=at, opened=opened, searched=searched))
            if "id" in document or "Resources" in document:
                document = _chosen(document)
        except TallygateError as error:
            status, document = _failed(error)
            headers = {}
        if status == 200 and headers.get("ETag") in _tags("If-None-Match") and request.method == "GET":  # noqa: PLR2004
            return Response(status=304, headers=headers)
        return Response(json.dumps(document), status, headers, content_type=_TYPE)

    _add_users(desk, guard, answer)

    @desk.get("/Groups")
    @guard.person(*_WHO, errors="problem")
    def groups() -> Response:
        return answer(lambda service: service.groups())

    @desk.get("/Groups/<name>")
    @guard.person(*_WHO, errors="problem")
    def group(name: str) -> Response:
        bare = "members" in query_text("excludedAttributes").lower().split(",")
        return answer(lambda service: service.group(name, bare=bare))

    @desk.patch("/Groups/<name>")
    @guard.person(*_WHO, errors="problem")
    def regroup(name: str) -> Response:
        return answer(lambda service: service.regroup(name, _body()))

    @desk.post("/Bulk")
    @guard.person(*_WHO, errors="problem")
    def bulk() -> Response:
        return answer(lambda service: service.bulk(_body()))

    @desk.get("/Me")
    @guard.person(*_WHO, errors="problem")
    def me() -> Response:
        return answer(lambda service: service.user(identity().subject))

    _add_discovery(desk, guard, at)
    return desk


def _add_users(desk: Blueprint, guard: Guard, answer: Answering) -> None:
    @desk.get("/Users")
    @guard.person(*_WHO, errors="problem")
    def users() -> Response:
        def work(service: _Service) -> Answer:
            if query_text("startIndex", longest=10) not in ("", "1") or query_text("sortBy", longest=64):
                # RFC 9865 section 2: pages are asked for by cursor.
                raise BadPatch(field="startIndex")
            return service.users(
                query_text("filter", longest=1000), cursor=query_text("cursor", longest=15), count=_count()
            )

        return answer(work)

    @desk.post("/Users")
    @guard.person(*_WHO, errors="problem")
    def create() -> Response:
        return answer(lambda service: service.create(_body()))

    @desk.get("/Users/<subject>")
    @guard.person(*_WHO, errors="problem")
    def user(subject: str) -> Response:
        return answer(lambda service: service.user(subject))

    @desk.patch("/Users/<subject>")
    @guard.person(*_WHO, errors="problem")
    def patch(subject: str) -> Response:
        match = request.headers.get("If-Match", "")
        return answer(lambda service: service.change(subject, scim.patched(_body()), match=match))

    @desk.put("/Users/<subject>")
    @guard.person(*_WHO, errors="problem")
    def put(subject: str) -> Response:
        match = request.headers.get("If-Match", "")
        return answer(lambda service: service.change(subject, scim.replaced(_body()), match=match))

    @desk.delete("/Users/<subject>")
    @guard.person(*_WHO, errors="problem")
    def delete(subject: str) -> Response:
        def work(service: _Service) -> Answer:
            service.user(subject)
            raise Missing

        return answer(work)


def _add_discovery(desk: Blueprint, guard: Guard, at: str) -> None:
    def told(document: object) -> Response:
        return Response(json.dumps(document), content_type=_TYPE)

    def listed(items: Iterable[Mapping[str, Any]]) -> Response:
        found = list(items)
        return told(
            {"schemas": [scim.LIST], "totalResults": len(found), "itemsPerPage": len(found), "Resources": found}
        )

    @desk.get("/ServiceProviderConfig")
    @guard.person(*_WHO, errors="problem")
    def provider() -> Response:
        return told(scim.provider(at))

    def located(kind: str, each: Mapping[str, Any]) -> dict[str, Any]:
        return {**each, "meta": {"resourceType": kind, "location": f"{at}/{kind}s/{each['id']}"}}

    @desk.get("/ResourceTypes")
    @guard.person(*_WHO, errors="problem")
    def types() -> Response:
        return listed(located("ResourceType", each) for each in scim.RESOURCE_TYPES.values())

    @desk.get("/ResourceTypes/<name>")
    @guard.person(*_WHO, errors="problem")
    def one_type(name: str) -> Response:
        found = scim.RESOURCE_TYPES.get(name)
        return told(located("ResourceType", found)) if found else _not_found()

    @desk.get("/Schemas")
    @guard.person(*_WHO, errors="problem")
    def schemas() -> Response:
        return listed(located("Schema", each) for each in scim.SCHEMAS.values())

    @desk.get("/Schemas/<name>")
    @guard.person(*_WHO, errors="problem")
    def schema(name: str) -> Response:
        found = scim.SCHEMAS.get(name)
        return told(located("Schema", found)) if found else _not_found()


def _not_found() -> Response:
    return Response(json.dumps(_error(404, NotFound().detail)), 404, content_type=_TYPE)


def _body() -> dict[str, Any]:
    """The document that came in; only as JSON, which no form of another site can send.

    Raises:
        BadPatch: it is none.
    """
    if request.mimetype not in (_TYPE, "application/json"):
        raise BadPatch(field="Content-Type")
    body = request.get_data(cache=False)
    if len(body) > _LONGEST:
        raise BadPatch(field="body")
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadPatch(field="body") from error
    if not isinstance(document, dict):
        raise BadPatch(field="body")
    return document


def _count() -> int:
    text = query_text("count", longest=10)
    if not text:
        return scim.MOST_IN_LIST
    if not (text.isascii() and text.lstrip("-").isdigit()):
        raise BadPatch(field="count")
    # RFC 7644 section 3.4.2.4: a negative count is zero.
    return min(max(int(text), 0), scim.MOST_IN_LIST)


def _chosen(document: dict[str, Any]) -> dict[str, Any]:
    attributes, excluded = query_text("attributes", longest=500), query_text("excludedAttributes", longest=500)
    if not (attributes or excluded):
        return document
    if "Resources" in document:
        return {**document, "Resources": [scim.projected(each, attributes, excluded) for each in document["Resources"]]}
    return scim.projected(document, attributes, excluded)


def _tags(header: str) -> list[str]:
    return [each.strip() for each in request.headers.get(header, "").split(",") if each.strip()]


def _resolved(value: Any, known: Mapping[str, str]) -> Any:
    """``bulkId:`` references put in (RFC 7644 section 3.7.2)."""
    if isinstance(value, dict):
        return {name: _resolved(each, known) for name, each in value.items()}
    if isinstance(value, list):
        return [_resolved(each, known) for each in value]
    if isinstance(value, str) and value.startswith("bulkId:"):
        return known.get(value.removeprefix("bulkId:"), value)
    return value


def _failed(error: TallygateError) -> tuple[int, dict[str, Any]]:
    if isinstance(error, Missing):
        return 501, _error(501, "This is not implemented here.")
    if isinstance(error, Stale):
        return 412, _error(412, "The document has been changed since.")
    kind = next((name for each, name in _SCIM_TYPES if isinstance(error, each)), "")
    if type(error) is Conflict:
        kind = "uniqueness"
    if isinstance(error, Forbidden):
        kind = ""
    return error.kind.status, _error(error.kind.status, error.detail, kind)


def _error(status: int, detail: str, kind: str = "") -> dict[str, Any]:
    return {"schemas": [scim.ERROR], "status": str(status), "detail": detail, **({"scimType": kind} if kind else {})}
