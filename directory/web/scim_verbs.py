# SPDX-License-Identifier: Apache-2.0
"""What the SCIM service answers: one request's verbs, each a status, a document and headers."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from core.errors import Conflict, Forbidden, Invalid, NotFound, TallygateError

from .. import scim
from ..errors import (
    AlreadyGiven,
    BadCursor,
    BadFilter,
    BadPatch,
    BadPath,
    NoTarget,
    ReadOnly,
    StaleCursor,
    TooBroad,
    TooManyPeople,
)
from ..models import Person
from ..models_powers import Role
from ..service import Administration

_REASON = "SCIM"
_SCIM_TYPES: tuple[tuple[type[TallygateError], str], ...] = (
    (BadFilter, "invalidFilter"),
    (NoTarget, "noTarget"),
    (BadPath, "invalidPath"),
    (BadCursor, "invalidCursor"),
    (StaleCursor, "expiredCursor"),
    (TooBroad, "tooMany"),
    (TooManyPeople, "tooMany"),
    (ReadOnly, "mutability"),
    (BadPatch, "invalidValue"),
    (Invalid, "invalidValue"),
)
_AT_ONCE = 200
"""People whose reading stands in one record."""
Answer = tuple[int, dict[str, Any], dict[str, str]]


class Stale(Conflict):
    """The document has another version by now; answered as 412 (RFC 7232 section 4.2)."""

    code = "scim_stale"


class Missing(Invalid):
    """What this service does not do; answered as 501."""

    code = "scim_not_implemented"


class Taken(Conflict):
    """Somebody or something else has this name."""

    code = "scim_taken"


class Verbs:
    """For one request."""

    def __init__(
        self,
        own: Administration,
        *,
        at: str,
        now: datetime,
        opened: Callable[[Person], None],
        searched: Callable[[str, tuple[Person, ...]], None],
    ) -> None:
        self._own = own
        self._at = at
        self._now = now
        self._opened = opened
        self._searched = searched

    def users(self, query: scim.Query) -> Answer:
        """People, by index or by cursor."""
        where = self._own.users_filter(query.where)
        if query.by_index:
            people = scim.sorted_people(self._own.all_where(where), query)
            first = max(query.start, 1)
            shown = people[first - 1 : first - 1 + query.count]
            self._read(query.where, shown)
            return 200, _list([self._user(each) for each in shown], total=len(people), start=first), {}
        after = scim.after_of(query, self._now)
        page = self._own.people_where(where, after=after, limit=max(query.count, 1))
        items = page.items if query.count else ()
        self._read(query.where, items)
        documents = [self._user(each) for each in items]
        following = scim.cursor_of(page.after, query, self._now) if query.count else ""
        total = None if query.cursor else self._total(where, page.items, whole=not page.after)
        return 200, _list(documents, total=total, cursor=following), {}

    def user(self, subject: str) -> Answer:
        """One person."""
        person = self._own.user(subject)
        self._opened(person)
        return self._told(200, self._user(person))

    def create(self, document: Mapping[str, Any]) -> Answer:
        """Enter somebody."""
        person, report = self._own.enter_user(scim.new_user(document))
        for refusal in report.refused:
            if refusal.field == "username":
                raise Taken
            raise BadPatch(field=refusal.field)
        return self._told(201, self._user(self._own.person(person)))

    def patch(self, subject: str, document: Mapping[str, Any], *, match: str) -> Answer:
        """Change parts of somebody's entry."""
        person = self._own.user(subject)
        return self._change(person, scim.patched(document, person.mail), match=match)

    def put(self, subject: str, document: Mapping[str, Any], *, match: str) -> Answer:
        """Let somebody's entry be as a document says, as far as a client may."""
        return self._change(self._own.user(subject), scim.replaced(document), match=match)

    def delete(self, subject: str, *, match: str) -> Answer:
        """Let somebody go: their account is shut, what they held ends, and no program finds them any more."""
        _match(self._user(self._own.user(subject)), match)
        self._own.release(subject, reason=_REASON)
        return 204, {}, {}

    def groups(self, query: scim.Query) -> Answer:
        """Roles, without their members unless asked for; all that fit are known, so they are paged by index."""
        documents = self._groups(query)
        first = max(query.start, 1)
        return 200, _list(documents[first - 1 : first - 1 + query.count], total=len(documents), start=first), {}

    def group(self, name: str, *, bare: bool) -> Answer:
        """One role."""
        return self._told(200, self._group(self._role(name), bare=bare))

    def add_group(self, document: Mapping[str, Any]) -> Answer:
        """Enter a role and those who are to have it."""
        wanted = scim.new_group(document)
        try:
            role = self._own.add_group(str(wanted.title))
        except AlreadyGiven as error:
            raise Taken from error
        self._own.regroup(role.name, joins=wanted.joins, leaves=(), reason=_REASON)
        return self._told(201, self._group(role, bare=False))

    def patch_group(self, name: str, document: Mapping[str, Any], *, match: str) -> Answer:
        """Let people join and leave, all of them or some."""
        return self._regroup(name, lambda held: scim.regrouped(document, held), match=match)

    def put_group(self, name: str, document: Mapping[str, Any], *, match: str) -> Answer:
        """Let exactly these have the role."""
        return self._regroup(name, lambda held: scim.replaced_group(document, held), match=match)

    def delete_group(self, name: str, *, match: str) -> Answer:
        """Withdraw a role from everybody and remove it."""
        if match:
            _match(self._group(self._role(name), bare=False), match)
        self._role(name)
        self._own.remove_group(name, reason=_REASON)
        return 204, {}, {}

    def everything(self, query: scim.Query) -> Answer:
        """People and roles together, by index (RFC 7644 section 3.4.2.1)."""
        if query.cursor or query.sort_by:
            raise BadPatch(field="cursor" if query.cursor else "sortBy")
        try:
            people = self._own.all_where(self._own.users_filter(query.where))
        except BadFilter:
            # It may still be one for groups.
            people = []
        groups = self._groups(query) if query.where else []
        first = max(query.start, 1)
        shown = people[first - 1 : first - 1 + query.count]
        self._read(query.where, shown)
        left = max(query.count - len(shown), 0)
        begin = max(first - 1 - len(people), 0)
        documents = [*(self._user(each) for each in shown), *groups[begin : begin + left]]
        return 200, _list(documents, total=len(people) + len(groups), start=first), {}

    def bulk(self, document: Mapping[str, Any]) -> Answer:
        """Many operations, one after the other; each stands or falls alone (RFC 7644 section 3.7)."""
        operations, most = document.get("Operations"), document.get("failOnErrors", 0)
        if not isinstance(operations, list) or not operations or not isinstance(most, int):
            raise BadPatch(field="Operations")
        if len(operations) > scim.MOST_IN_BULK:
            return 413, error_document(413, "Too many operations."), {}
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
        try:
            path = str(operation.get("path") or "").strip("/")
            branch, _, name = path.partition("/")
            name = known.get(name.removeprefix("bulkId:"), name)
            method = str(operation.get("method", "")).upper()
            data = {} if method == "DELETE" else _resolved(operation.get("data"), known)
            if not isinstance(data, dict):
                raise BadPatch(field="data")
            status, told, headers = self._do(method, branch, name, data, str(operation.get("version", "")))
            if status == 201 and isinstance(operation.get("bulkId"), str):  # noqa: PLR2004 - created
                known[operation["bulkId"]] = told["id"]
        except TallygateError as error:
            code, answer = failed(error)
            return code, {"response": answer}
        if not told:
            return status, {"location": f"{self._at}/{branch}/{name}"}
        return status, {"location": headers.get("Location") or told["meta"]["location"], "version": scim.version(told)}

    def _do(self, method: str, branch: str, name: str, data: dict[str, Any], tag: str) -> Answer:
        verbs: dict[tuple[str, str, bool], Callable[[], Answer]] = {
            ("POST", "Users", False): lambda: self.create(data),
            ("PATCH", "Users", True): lambda: self.patch(name, data, match=tag),
            ("PUT", "Users", True): lambda: self.put(name, data, match=tag),
            ("DELETE", "Users", True): lambda: self.delete(name, match=tag),
            ("POST", "Groups", False): lambda: self.add_group(data),
            ("PATCH", "Groups", True): lambda: self.patch_group(name, data, match=tag),
            ("PUT", "Groups", True): lambda: self.put_group(name, data, match=tag),
            ("DELETE", "Groups", True): lambda: self.delete_group(name, match=tag),
        }
        found = verbs.get((method, branch, bool(name)))
        if found is None:
            raise Missing
        return found()

    def _change(self, person: Person, wanted: scim.Wanted, *, match: str) -> Answer:
        _match(self._user(person), match)
        self._own.change_user(
            person.subject, active=wanted.active, name=wanted.name, name_zh=wanted.name_zh, mail=wanted.mail,
            reason=_REASON,
        )  # fmt: skip
        return self._told(200, self._user(self._own.person(person.subject)))

    def _regroup(
        self, name: str, read: Callable[[Callable[[], list[dict[str, Any]]]], scim.Regrouped], *, match: str
    ) -> Answer:
        role = self._role(name)
        if match:
            _match(self._group(role, bare=False), match)
        wanted = read(lambda: self._members(role.name))
        if wanted.title not in (None, role.title or role.name):
            self._own.rename_group(role.name, str(wanted.title))
        self._own.regroup(role.name, joins=wanted.joins, leaves=wanted.leaves, reason=_REASON)
        return self._told(200, self._group(self._role(name), bare=False))

    def _role(self, name: str) -> Role:
        role = next((each for each in self._own.roles() if each.name == name), None)
        if role is None:
            raise NotFound
        return role

    def _groups(self, query: scim.Query) -> list[dict[str, Any]]:
        if query.cursor:
            raise BadCursor
        where = scim.parsed(query.where) if query.where else None
        # Who is a member is looked up only where the question is about that.
        with_members = where is not None and "members" in query.where.lower()
        documents = [self._group(each, bare=not with_members) for each in self._own.roles()]
        found = [each for each in documents if where is None or scim.matches(where, each)]
        if query.sort_by:
            if query.sort_by not in ("id", "displayname"):
                raise BadPath(field=query.sort_by[:64])
            key = {"id": "id", "displayname": "displayName"}[query.sort_by]
            found.sort(key=lambda each: str(each[key]).casefold(), reverse=query.descending)
        return found

    def _group(self, role: Role, *, bare: bool) -> dict[str, Any]:
        return scim.group(role, None if bare else self._held(role.name), at=self._at)

    def _members(self, name: str) -> list[dict[str, Any]]:
        members = scim.group(Role(name=name), self._own.members(name), at=self._at)["members"]
        return list(members)

    def _held(self, name: str) -> list[Person]:
        members = self._own.members(name)
        self._read(name, members)
        return members

    def _read(self, text: str, people: Iterable[Person]) -> None:
        """Record who is shown before it is shown, a good many at a time."""
        shown = tuple(people)
        for start in range(0, max(len(shown), 1), _AT_ONCE):
            self._searched(text, shown[start : start + _AT_ONCE])

    def _total(self, where: str, first: tuple[Person, ...], *, whole: bool) -> int | None:
        if whole:
            return len(first)
        try:
            return len(self._own.all_where(where))
        except TooBroad:
            # RFC 9865 section 2: where it is not known it is left out.
            return None

    def _user(self, person: Person) -> dict[str, Any]:
        return scim.user(person, at=self._at)

    def _told(self, status: int, document: dict[str, Any]) -> Answer:
        headers = {"ETag": scim.version(document)}
        if status == 201:  # noqa: PLR2004 - created
            headers["Location"] = document["meta"]["location"]
        return status, document, headers


def failed(error: TallygateError) -> tuple[int, dict[str, Any]]:
    """What a refusal is answered with."""
    if isinstance(error, Missing):
        return 501, error_document(501, "This is not implemented here.")
    if isinstance(error, Stale):
        return 412, error_document(412, "The document has been changed since.")
    kind = next((name for each, name in _SCIM_TYPES if isinstance(error, each)), "")
    if isinstance(error, Taken):
        kind = "uniqueness"
    if isinstance(error, Forbidden):
        kind = ""
    status = 400 if isinstance(error, TooManyPeople) else error.kind.status
    return status, error_document(status, error.detail, kind)


def error_document(status: int, detail: str, kind: str = "") -> dict[str, Any]:
    """As RFC 7644 section 3.12 wants it."""
    return {"schemas": [scim.ERROR], "status": str(status), "detail": detail, **({"scimType": kind} if kind else {})}


def _match(document: dict[str, Any], match: str) -> None:
    if match and match != "*" and scim.version(document) not in [each.strip() for each in match.split(",")]:
        raise Stale


def _list(items: list[dict[str, Any]], *, total: int | None, start: int = 0, cursor: str = "") -> dict[str, Any]:
    return {
        "schemas": [scim.LIST],
        **({} if total is None else {"totalResults": total}),
        "itemsPerPage": len(items),
        **({"startIndex": start} if start else {}),
        **({"nextCursor": cursor} if cursor else {}),
        "Resources": items,
    }


def _resolved(value: Any, known: Mapping[str, str]) -> Any:
    """``bulkId:`` references put in (RFC 7644 section 3.7.2)."""
    if isinstance(value, dict):
        return {name: _resolved(each, known) for name, each in value.items()}
    if isinstance(value, list):
        return [_resolved(each, known) for each in value]
    if isinstance(value, str) and value.startswith("bulkId:"):
        return known.get(value.removeprefix("bulkId:"), value)
    return value
