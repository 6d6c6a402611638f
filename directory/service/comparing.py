# SPDX-License-Identifier: Apache-2.0
"""The whole tree held against what the record says: what is there unrecorded, what is recorded and gone, what differs.

Read page by page, so a register of any size needs the memory of one page. What is being changed while it is read is
looked at once more before it counts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from audit import Outcome
from core.clock import Clock
from core.log import logger

from ..ldap import Entry, Pool, Tree
from ..ledger import Ledger
from ..ledger.facts import DEVICES, GRANTS, HOLDINGS, MANDATES, OFF, ON, PEOPLE, REPRESENTATIVES, THERE
from ..store import Store
from .events import event, note

_log = logger(__name__)
_PAGE = 200
_MOST = 1_000
"""Differences that are named; the rest is counted."""
_PLAIN = ("organisations", "departments", "posts")
_ATTRIBUTES = {
    PEOPLE: ("tallySubject", "tallyEnabled"),
    DEVICES: ("tallyId", "tallyEnabled"),
    **dict.fromkeys(_PLAIN, ("tallyId",)),
    HOLDINGS: ("tallyHolder", "tallyPost"),
    GRANTS: ("tallyHolder", "tallyRoleName", "tallyEntitlement"),
    MANDATES: ("tallyHolder", "tallyOrganisation", "tallyPrincipal", "tallyScope"),
    REPRESENTATIVES: ("tallyHolder", "tallyOrganisation"),
}


@dataclass(frozen=True, order=True)
class Apart:
    """One thing that the tree and the record do not agree about."""

    branch: str
    key: str
    # ``unrecorded``, ``missing``, or the state that the record says where the tree says the other.
    how: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was found."""

    entries: int
    differences: int
    # The first of them.
    told: tuple[Apart, ...]


class Comparing:
    """The operator's command and the duty of every night."""

    def __init__(self, *, ledger: Ledger, store: Store, pool: Pool, tree: Tree, clock: Clock) -> None:
        self.ledger = ledger
        self._store = store
        self._pool = pool
        self._tree = tree
        self._clock = clock

    def nightly(self, *, pause: Callable[[], object]) -> bool:
        """Compare once a day, when the record has been heard to its end; whether it was done now.

        Raises:
            DirectoryUnavailable: the server does not answer; call again later.
            OutboxFull: what was found cannot be recorded now; call again later.
        """
        today = self._clock.now().date().isoformat()
        if not self.ledger.is_current or self.ledger.compared() == today:
            return False
        self.run(pause=pause)
        self.ledger.settle(today)
        return True

    def run(self, *, pause: Callable[[], object]) -> Comparison:
        """Compare, and put what was found on record; ``pause`` lets what is on its way arrive.

        Raises:
            DirectoryUnavailable: the server does not answer.
            OutboxFull: what was found cannot be recorded now.
        """
        first = self._once()
        if first.differences:
            pause()
            again = self._once()
            stayed = tuple(sorted(set(first.told) & set(again.told)))
            # Beyond those that are named nobody can say which ones stayed.
            many = again.differences > _MOST
            first = Comparison(
                entries=again.entries, differences=again.differences if many else len(stayed), told=stayed
            )
        self._record(first)
        return first

    def _record(self, found: Comparison) -> None:
        outcome = Outcome.FAILURE if found.differences else Outcome.SUCCESS
        counts = {"entries": found.entries, "differences": found.differences}
        said = event("directory.tree.compared", outcome, self._clock.now(), operation="tree", attributes=counts)
        self._store.tell_once(note(said))
        if found.differences:
            _log.error("directory_differs", differences=found.differences)

    def _once(self) -> Comparison:
        turn, entries, count = self.ledger.turn(), 0, 0
        told: list[Apart] = []
        for branch, page in self._pages():
            entries += len(page)
            for each in self._held(branch, page, turn):
                count += 1
                if len(told) < _MOST:
                    told.append(each)
        for each in self._gone(turn):
            count += 1
            if len(told) < _MOST:
                told.append(each)
        return Comparison(entries=entries, differences=count, told=tuple(told))

    def _pages(self) -> Iterator[tuple[str, list[Entry]]]:
        for branch, attributes in _ATTRIBUTES.items():
            # Everything below the branch, whatever it is: an entry of a kind that does not belong here is one too many.
            found = self._pool.walk(self._tree.branch(branch), "(objectClass=*)", attributes, page=_PAGE)
            while page := list(islice(found, _PAGE)):
                yield branch, page

    def _held(self, branch: str, page: list[Entry], turn: int) -> Iterator[Apart]:
        seen = [_fact(branch, entry) for entry in page]
        known = self.ledger.states(branch, [key for key, _ in seen], turn=turn)
        for key, state in seen:
            if key not in known:
                yield Apart(branch, key, "unrecorded")
            elif known[key] != state:
                yield Apart(branch, key, known[key])

    def _gone(self, turn: int) -> Iterator[Apart]:
        after = ("", "")
        while page := self.ledger.missing(turn=turn, after=after, limit=_PAGE):
            yield from (Apart(branch, key, "missing") for branch, key in page)
            after = page[-1]


def _fact(branch: str, entry: Entry) -> tuple[str, str]:
    names = _ATTRIBUTES[branch]
    if branch in (PEOPLE, DEVICES):
        return entry.text(names[0]).lower() or entry.dn.lower(), ON if entry.text("tallyEnabled") == "TRUE" else OFF
    if branch in _PLAIN:
        return entry.text(names[0]).lower() or entry.dn.lower(), THERE
    what = [text for name in names if (text := entry.text(name))]
    return " ".join(what).lower() or entry.dn.lower(), THERE
