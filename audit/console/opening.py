# SPDX-License-Identifier: Apache-2.0
"""Personal fields are shown under a warrant that covers the entry and belongs to whoever looks; otherwise not at all.

Whether a warrant covers an entry is judged by the entry in the log, never by the index.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode

from core.errors import TallygateError
from core.log import logger

from ..errors import LogDamaged, NoSuchEntry
from ..models import Attribute, Entry, Reader
from ..search import LogView, NameTokens, Query, Row, parse, row_of
from ..search.query import FIELDS
from ..store import IndexStore
from ..warrants import BadScope, Scope, Warrant, Warrants
from .models import Hit

_log = logger(__name__)
NAME = "name_token"
"""Stands in a warrant's scope for the name that was typed."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOKEN = re.compile(r"[0-9a-f]{32}")
_SECOND = timedelta(seconds=1)
# What narrows a search and is judged here; a search by anything else is not asked for.
_KNOWN = {*FIELDS, "text", "after", "limit", "person", "since", "until"}


@dataclass(frozen=True)
class Asked:
    """The search a warrant is about."""

    query: Query
    persons: AbstractSet[str]

    def holds(self, row: Row) -> bool:
        """Whether the search finds this entry."""
        query = self.query
        return (
            all(str(getattr(row, name)) == value for name, value in query.fields().items())
            and (not query.person or bool(self.persons & {row.subject, row.actor} - {""}))
            and (query.since is None or row.at >= query.since)
            and (query.until is None or row.at < query.until)
        )


def concerned(log: LogView, index: int) -> frozenset[str]:
    """Of whom the entry at this place tells; of nobody where there is none."""
    try:
        [entry] = log.read(index, 1) if index < log.size() else ()
    except (LogDamaged, NoSuchEntry, ValueError):
        return frozenset()
    return frozenset({entry.event.subject, entry.event.actor} - {""})


class CaseBook(Protocol):
    """What consents need of cases: ``audit.cases.Cases`` fulfils it."""

    def named(self, scope: str) -> str: ...  # noqa: D102 - as cases say
    def entries_at(self, scope: str) -> Sequence[int]: ...  # noqa: D102


class Scopes:
    """What a scope is about: searches named without names, entries and persons looked up."""

    def __init__(
        self,
        *,
        log: LogView,
        index: IndexStore,
        names: NameTokens,
        cases: CaseBook | None = None,
        # The entries of an alert; none of one that there is not.
        in_alert: Callable[[str], Sequence[int]] = lambda _alert: (),
    ) -> None:
        """Without ``cases`` no case holds anything."""
        self.in_alert = in_alert
        self._log = log
        self._index = index
        self._names = names
        self._cases = cases

    def nameless(self, scope: Scope) -> Scope:
        """The scope as it is kept: what was typed for a person's name becomes its token, a case has its version.

        Raises:
            BadScope: a search by something that cannot be told from an entry's clear part, or no alert.
            NoSuchCase: there is no such case, or it never stood at this version.
        """
        if scope.kind == "case" and self._cases is not None:
            return Scope("case", self._cases.named(scope.value))
        if scope.kind == "alert" and not self.in_alert(scope.value):
            raise BadScope
        if scope.kind != "query":
            return scope
        given = _pairs(scope.value)
        if NAME in given:
            self._query(scope)
            return scope
        query = _read(given)
        if any(getattr(query, field.name) != field.default for field in fields(query) if field.name not in _KNOWN):
            raise BadScope
        kept = query.fields()
        if query.since:
            kept["from"] = query.since.isoformat()
        if query.until:
            # As an officer types it: the last second is inside.
            kept["to"] = (query.until - _SECOND).isoformat()
        if query.person:
            known = _UUID.fullmatch(query.person)
            kept["person" if known else NAME] = query.person if known else self._names.token(query.person).hex()
        if not kept:
            raise BadScope
        return Scope.parse(f"query:{urlencode(sorted(kept.items()))}")

    def persons(self, scope: Scope) -> frozenset[str]:
        """Whom it is about, as far as that can be told."""
        if scope.kind == "query":
            return frozenset(self._query(scope).persons)
        if scope.kind == "entry":
            return concerned(self._log, int(scope.value))
        if scope.kind == "case":
            return frozenset().union(*(concerned(self._log, index) for index in self.in_case(scope.value)))
        if scope.kind == "alert":
            return frozenset().union(*(concerned(self._log, index) for index in self.in_alert(scope.value)))
        return frozenset()

    def in_case(self, scope: str) -> Sequence[int]:
        """The entries of a case at a version; none of one that is not there or was changed."""
        try:
            return self._cases.entries_at(scope) if self._cases is not None else ()
        except TallygateError as error:
            _log.warning("case_not_covered", code=error.code, exc_info=error)
            return ()

    def covering(self, scope: Scope) -> Callable[[Row], bool]:
        """Tells of an entry whether the scope holds it."""
        if scope.kind == "entry":
            return lambda row: row.index == int(scope.value)
        if scope.kind == "subject":
            return lambda row: row.subject == scope.value
        if scope.kind in {"case", "alert"}:
            held = frozenset(self.in_case(scope.value) if scope.kind == "case" else self.in_alert(scope.value))
            return lambda row: row.index in held
        if scope.kind == "query":
            return self._query(scope).holds
        return lambda _row: False

    def _query(self, scope: Scope) -> Asked:
        given = _pairs(scope.value)
        token = given.pop(NAME, "")
        query = _read(given)
        if not token:
            return Asked(query, {query.person} if query.person else frozenset())
        if query.person or not _TOKEN.fullmatch(token):
            raise BadScope
        return Asked(replace(query, person=NAME), self._index.subjects(bytes.fromhex(token)))


class Openings:
    """The personal fields that one officer may see now, over the pages of one request."""

    def __init__(self, warrants: Warrants, scopes: Scopes, log: LogView, names: NameTokens, reader: Reader) -> None:
        held = [] if reader.role else warrants.held(reader, "open")
        self._held = [(warrant, scopes.covering(warrant.scope)) for warrant in held]
        self._log = log
        self._names = names
        self._used: dict[str, int] = {}

    def hit(self, row: Row) -> Hit:
        """A line of a list, with what the officer may see of the entry's personal part.

        Raises:
            LogDamaged: the entry or its part is not what was recorded.
        """
        entry = self._log.read(row.index, 1)[0]
        sealed, warrant = self.sealed(entry)
        return Hit(
            row=row,
            sealed=sealed,
            hidden=warrant is None and bool(sealed is not None and entry.ciphertext),
            pseudonym=self.pseudonym(row),
        )

    def sealed(self, entry: Entry) -> tuple[Mapping[str, str] | None, Warrant | None]:
        """The personal part and the warrant under which it was opened.

        None for a part whose key was destroyed; empty, and no warrant, for one that is hidden.
        """
        if not entry.ciphertext:
            return {}, None
        row = row_of(entry)
        warrant = next((warrant for warrant, covers in self._held if covers(row)), None)
        if warrant is None:
            return (None if self._log.erased(entry) else {}), None
        found = self._log.unseal(entry)
        if found is not None:
            self._used[warrant.id] = self._used.get(warrant.id, 0) + 1
        return found, warrant

    def pseudonym(self, row: Row) -> str:
        """The same for the same person, and nothing that tells who they are."""
        return self.pseudonym_of(row.subject or row.actor)

    def pseudonym_of(self, subject: str) -> str:
        """As ``pseudonym``."""
        return self._names.pseudonym(subject)

    def told(self) -> dict[str, Attribute]:
        """For the record: how many personal parts were opened, and under which warrants."""
        if not self._used:
            return {}
        return {"opened": sum(self._used.values()), "warrants": " ".join(sorted(self._used))}


def _pairs(text: str) -> dict[str, str]:
    try:
        found = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=32)
    except ValueError as error:
        raise BadScope from error
    pairs = dict(found)
    if len(pairs) != len(found):
        raise BadScope
    return pairs


def _read(given: Mapping[str, str]) -> Query:
    values: dict[str, Sequence[Any]] = {name: [text] for name, text in given.items()}
    return parse(values)
