# SPDX-License-Identifier: Apache-2.0
"""Evidence files for officers, under the consent of a second one, and for the operator on the machine."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import parse_qsl

from ..errors import NoSuchEntry
from ..evidence import AT_ONCE, MOST, Desk, Made, TooMuchAtOnce, TooMuchChosen, Wish
from ..models import Reader
from ..search import LogView, Query, Row, parse
from ..store import IndexStore
from ..warrants import BadScope, Demand, Scope

_PAGE = 200
_TOKEN = "name_token"  # noqa: S105 - the name of a filter: a person's name, made unreadable


class Evidencing:
    """Turns a part of the record into the entries it holds, asks for the consents, and has the file made."""

    def __init__(
        self,
        *,
        desk: Desk,
        log: LogView,
        index: IndexStore,
        demand: Demand,
        # Tells of an entry in the log whether the consent about a part of the record holds it.
        covering: Callable[[Scope], Callable[[Row], bool]],
        # The entries of a case at a version.
        in_case: Callable[[str], Sequence[int]] = lambda _case: (),
        # The entries of an alert.
        in_alert: Callable[[str], Sequence[int]] = lambda _alert: (),
        # The scope as consents name it: without a name that was typed.
        nameless: Callable[[Scope], Scope] = lambda scope: scope,
    ) -> None:
        # Entries in a file that an officer waits for.
        self.at_once = AT_ONCE
        self._nameless = nameless
        self._desk = desk
        self._log = log
        self._index = index
        self._demand = demand
        self._covering = covering
        self._in_case = in_case
        self._in_alert = in_alert

    def scope(self, text: str) -> Scope:
        """A part of the record, as it was asked for.

        Raises:
            BadScope: it is none.
        """
        return self._nameless(Scope.parse(text))

    def chosen(self, scope: Scope) -> list[int]:
        """The entries that a part of the record holds, ascending.

        Raises:
            BadScope: this kind of part holds no entries.
            TooMuchChosen: they do not fit into one file.
            NoSuchEntry: the log is not that long.
        """
        if scope.kind == "entry":
            return self._within([int(scope.value)])
        if scope.kind == "range":
            first, last = (int(place) for place in scope.value.split("-"))
            if last < first:
                raise BadScope
            if last - first >= MOST:
                raise TooMuchChosen(most=MOST)
            return self._within(list(range(first, last + 1)))
        if scope.kind == "case":
            return self._within(sorted(set(self._in_case(scope.value))))
        if scope.kind == "alert":
            return self._within(sorted(set(self._in_alert(scope.value))))
        if scope.kind == "subject":
            return self._found(Query(person=scope.value), frozenset({scope.value}))
        if scope.kind == "query":
            return self._found(*self._asked(scope.value))
        raise BadScope

    def make(self, reader: Reader, scope: Scope, *, purpose: str, opened: bool, header: str) -> Made:
        """The file for an officer, recorded before this returns.

        Raises:
            TooMuchAtOnce: it would take longer than anybody waits; nothing was made, and no consent used.
            WarrantNeeded: no second officer has consented to taking these entries out, or to opening them.
            TallygateError: as ``chosen`` and as ``Desk.make``.
        """
        places = self.chosen(scope)
        if len(places) > self.at_once:
            # Made all the same, the file would be on the record and never arrive.
            raise TooMuchAtOnce(most=self.at_once)

        def covered(held: Scope) -> bool:
            # Notes move a case on and add no entry.
            return scope.kind == held.kind == "case" and set(places) <= set(self._in_case(held.value))

        warrants = [self._demand(reader, "export", scope, covered=covered)]
        if opened:
            warrants.append(self._demand(reader, "open", scope, covered=covered))
        wish = Wish(
            places=places,
            about=str(scope),
            purpose=purpose,
            opened=opened,
            # The index chose the entries, and may be wrong or have been changed; and a person's story also holds
            # what they did to others. What the consent does not hold stays closed.
            covers=self._covering(scope),
            warrants=[warrant.id for warrant in warrants],
        )
        return self._desk.make(reader, wish, header=header)

    def hand_out(self, reader: Reader, indices: Sequence[int], *, purpose: str) -> Made:
        """The file for the operator on the machine: nothing personal is opened in it, ever.

        Raises:
            TallygateError: as ``Desk.make``.
        """
        wanted = self._within(sorted(set(indices)))
        return self._desk.make(reader, Wish(places=wanted, about="operator", purpose=purpose))

    def _within(self, indices: list[int]) -> list[int]:
        if len(indices) > MOST:
            raise TooMuchChosen(most=MOST)
        if indices and indices[-1] >= self._log.size():
            raise NoSuchEntry
        return indices

    def _found(self, query: Query, persons: frozenset[str]) -> list[int]:
        found: list[Row] = []
        while True:
            rows = self._index.search(replace(query, limit=_PAGE), persons)
            found += rows[:_PAGE]
            if len(found) > MOST:
                raise TooMuchChosen(most=MOST)
            if len(rows) <= _PAGE:
                return sorted(row.index for row in found)
            query = replace(query, after=found[-1].index)

    def _asked(self, value: str) -> tuple[Query, frozenset[str]]:
        pairs = parse_qsl(value, keep_blank_values=True)
        given = {name: [text] for name, text in pairs}
        if len(given) != len(pairs):
            raise BadScope
        token = given.pop(_TOKEN, [""])[0]
        query = parse(given)
        if not token:
            return query, frozenset({query.person} if query.person else ())
        try:
            return replace(query, person=_TOKEN), frozenset(self._index.subjects(bytes.fromhex(token)))
        except ValueError as error:
            raise BadScope from error
