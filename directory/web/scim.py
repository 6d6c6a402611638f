# SPDX-License-Identifier: Apache-2.0
"""The SCIM 2.0 service (RFC 7644) of the desk: within an administrator's part, or within what a program was let do.

Deleting somebody is letting them go: identifiers and user names are permanent, so the entry stays for the record, is
shut out everywhere within a second, and is not there for programs any more.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Blueprint, Response, request

from core.clock import Clock
from core.errors import NotFound, TallygateError
from core.web import Guard, identity
from core.web.inputs import query_text

from .. import scim
from ..errors import BadPatch
from ..models import ADMINISTRATOR, AGENCY_ADMINISTRATOR, Person
from ..service import Administration
from .scim_verbs import Answer, Verbs, error_document, failed

PREFIX = "/scim/v2"
_TYPE = "application/scim+json"
_LONGEST = 1 << 20
_WHO = (ADMINISTRATOR, AGENCY_ADMINISTRATOR)
_ASKED = ("filter", "sortBy", "sortOrder", "startIndex", "count", "cursor", "attributes", "excludedAttributes")

Answering = Callable[..., Response]
"""Runs one verb and makes a response of what it answers or raises."""


def blueprint(
    mine: Callable[[], Administration],
    guard: Guard,
    *,
    at: str,
    clock: Clock,
    opened: Callable[[Person], None],
    searched: Callable[[str, tuple[Person, ...]], None],
) -> Blueprint:
    """The service; ``at`` is its address."""
    desk = Blueprint("directory_scim", __name__, url_prefix=PREFIX)

    def answer(work: Callable[[Verbs], Answer], asked: scim.Query | None = None) -> Response:
        try:
            query = asked or _asked()
            verbs = Verbs(mine(), at=at, now=clock.now(), opened=opened, searched=searched)
            status, document, headers = work(verbs)
            if "id" in document or "Resources" in document:
                document = _chosen(document, query)
        except TallygateError as error:
            status, document = failed(error)
            headers = {}
        if status == 200 and headers.get("ETag") in _tags("If-None-Match") and request.method == "GET":  # noqa: PLR2004
            return Response(status=304, headers=headers)
        if status == 204:  # noqa: PLR2004 - nothing is told
            return Response(status=204)
        return Response(json.dumps(document), status, headers, content_type=_TYPE)

    _add_users(desk, guard, answer)
    _add_groups(desk, guard, answer)
    _add_searches(desk, guard, answer)

    @desk.post("/Bulk")
    @guard.person(*_WHO, errors="problem", programs=True)
    def bulk() -> Response:
        return answer(lambda verbs: verbs.bulk(_body()))

    @desk.get("/Me")
    @guard.person(*_WHO, errors="problem")
    def me() -> Response:
        return answer(lambda verbs: verbs.user(identity().subject))

    @desk.patch("/Me")
    @guard.person(*_WHO, errors="problem")
    def patch_me() -> Response:
        return answer(lambda verbs: verbs.patch(identity().subject, _body(), match=_match()))

    @desk.put("/Me")
    @guard.person(*_WHO, errors="problem")
    def put_me() -> Response:
        return answer(lambda verbs: verbs.put(identity().subject, _body(), match=_match()))

    _add_discovery(desk, guard, at, mine)
    return desk


def _add_users(desk: Blueprint, guard: Guard, answer: Answering) -> None:
    @desk.get("/Users")
    @guard.person(*_WHO, errors="problem", programs=True)
    def users() -> Response:
        return answer(lambda verbs: verbs.users(_asked()))

    @desk.post("/Users")
    @guard.person(*_WHO, errors="problem", programs=True)
    def create() -> Response:
        return answer(lambda verbs: verbs.create(_body()))

    @desk.get("/Users/<subject>")
    @guard.person(*_WHO, errors="problem", programs=True)
    def user(subject: str) -> Response:
        return answer(lambda verbs: verbs.user(subject))

    @desk.patch("/Users/<subject>")
    @guard.person(*_WHO, errors="problem", programs=True)
    def patch(subject: str) -> Response:
        return answer(lambda verbs: verbs.patch(subject, _body(), match=_match()))

    @desk.put("/Users/<subject>")
    @guard.person(*_WHO, errors="problem", programs=True)
    def put(subject: str) -> Response:
        return answer(lambda verbs: verbs.put(subject, _body(), match=_match()))

    @desk.delete("/Users/<subject>")
    @guard.person(*_WHO, errors="problem", programs=True)
    def delete(subject: str) -> Response:
        return answer(lambda verbs: verbs.delete(subject, match=_match()))


def _add_groups(desk: Blueprint, guard: Guard, answer: Answering) -> None:
    @desk.get("/Groups")
    @guard.person(*_WHO, errors="problem", programs=True)
    def groups() -> Response:
        return answer(lambda verbs: verbs.groups(_asked()))

    @desk.post("/Groups")
    @guard.person(*_WHO, errors="problem", programs=True)
    def add_group() -> Response:
        return answer(lambda verbs: verbs.add_group(_body()))

    @desk.get("/Groups/<name>")
    @guard.person(*_WHO, errors="problem", programs=True)
    def group(name: str) -> Response:
        def bare() -> bool:
            return "members" in query_text("excludedAttributes", longest=500).lower().split(",")

        return answer(lambda verbs: verbs.group(name, bare=bare()))

    @desk.patch("/Groups/<name>")
    @guard.person(*_WHO, errors="problem", programs=True)
    def regroup(name: str) -> Response:
        return answer(lambda verbs: verbs.patch_group(name, _body(), match=_match()))

    @desk.put("/Groups/<name>")
    @guard.person(*_WHO, errors="problem", programs=True)
    def put_group(name: str) -> Response:
        return answer(lambda verbs: verbs.put_group(name, _body(), match=_match()))

    @desk.delete("/Groups/<name>")
    @guard.person(*_WHO, errors="problem", programs=True)
    def delete_group(name: str) -> Response:
        return answer(lambda verbs: verbs.delete_group(name, match=_match()))


def _add_searches(desk: Blueprint, guard: Guard, answer: Answering) -> None:
    """The same lists, asked for by a document, so that no name stands in an address (RFC 7644 section 3.4.3)."""

    def asking(work: Callable[[Verbs, scim.Query], Answer]) -> Response:
        try:
            query = scim.query_of({name: each for name, each in _body().items() if name.lower() != "schemas"})
        except TallygateError as error:
            status, document = failed(error)
            return Response(json.dumps(document), status, content_type=_TYPE)
        return answer(lambda verbs: work(verbs, query), query)

    @desk.post("/.search")
    @guard.person(*_WHO, errors="problem", programs=True)
    def search_all() -> Response:
        return asking(lambda verbs, query: verbs.everything(query))

    @desk.post("/Users/.search")
    @guard.person(*_WHO, errors="problem", programs=True)
    def search_users() -> Response:
        return asking(lambda verbs, query: verbs.users(query))

    @desk.post("/Groups/.search")
    @guard.person(*_WHO, errors="problem", programs=True)
    def search_groups() -> Response:
        return asking(lambda verbs, query: verbs.groups(query))


def _add_discovery(desk: Blueprint, guard: Guard, at: str, mine: Callable[[], Administration]) -> None:
    def told(document: object) -> Response:
        try:
            mine()
        except TallygateError as error:
            status, refusal = failed(error)
            return Response(json.dumps(refusal), status, content_type=_TYPE)
        return Response(json.dumps(document), content_type=_TYPE)

    def listed(items: Iterable[Mapping[str, Any]]) -> Response:
        found = list(items)
        return told(
            {"schemas": [scim.LIST], "totalResults": len(found), "itemsPerPage": len(found), "Resources": found}
        )

    @desk.get("/ServiceProviderConfig")
    @guard.person(*_WHO, errors="problem", programs=True)
    def provider() -> Response:
        return told(scim.provider(at))

    def located(kind: str, each: Mapping[str, Any]) -> dict[str, Any]:
        return {**each, "meta": {"resourceType": kind, "location": f"{at}/{kind}s/{each['id']}"}}

    @desk.get("/ResourceTypes")
    @guard.person(*_WHO, errors="problem", programs=True)
    def types() -> Response:
        return listed(located("ResourceType", each) for each in scim.RESOURCE_TYPES.values())

    @desk.get("/ResourceTypes/<name>")
    @guard.person(*_WHO, errors="problem", programs=True)
    def one_type(name: str) -> Response:
        found = scim.RESOURCE_TYPES.get(name)
        return told(located("ResourceType", found)) if found else _not_found()

    @desk.get("/Schemas")
    @guard.person(*_WHO, errors="problem", programs=True)
    def schemas() -> Response:
        return listed(located("Schema", each) for each in scim.SCHEMAS.values())

    @desk.get("/Schemas/<name>")
    @guard.person(*_WHO, errors="problem", programs=True)
    def schema(name: str) -> Response:
        found = scim.SCHEMAS.get(name)
        return told(located("Schema", found)) if found else _not_found()

    @desk.get("/openapi.json")
    @guard.person(*_WHO, errors="problem", programs=True)
    def describe() -> Response:
        answer = told(scim.description(at))
        if answer.status_code == 200:  # noqa: PLR2004 - as HTTP calls it
            answer.content_type = "application/json"
        return answer

    @desk.get("/<path:elsewhere>")
    @guard.person(*_WHO, errors="problem", programs=True)
    def nothing(elsewhere: str) -> Response:
        del elsewhere
        return _not_found()


def _not_found() -> Response:
    return Response(json.dumps(error_document(404, NotFound().detail)), 404, content_type=_TYPE)


def _body() -> dict[str, Any]:
    """The document that came in; only as JSON, which no form of another site can send.

    Raises:
        BadPatch: it is none.
    """
    if request.mimetype not in (_TYPE, "application/json"):
        raise BadPatch(field="Content-Type")
    request.max_content_length = _LONGEST
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


def _asked() -> scim.Query:
    """What the address asks for."""
    return scim.query_of({name: query_text(name, longest=1000) for name in _ASKED})


def _match() -> str:
    return request.headers.get("If-Match", "")


def _chosen(document: dict[str, Any], query: scim.Query) -> dict[str, Any]:
    attributes, excluded = query.attributes, query.excluded
    if not (attributes or excluded):
        return document
    if "Resources" in document:
        return {**document, "Resources": [scim.projected(each, attributes, excluded) for each in document["Resources"]]}
    return scim.projected(document, attributes, excluded)


def _tags(header: str) -> list[str]:
    return [each.strip() for each in request.headers.get(header, "").split(",") if each.strip()]
