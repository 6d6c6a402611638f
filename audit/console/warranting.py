# SPDX-License-Identifier: Apache-2.0
"""The officers' side of warrants: what waits, what for, and the acts that a warrant allows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from ..models import Reader
from ..warrants import BadScope, Hold, Holding, Scope, State, Warrant, WarrantNeeded, Warrants, switch_of
from ..warrants.service import Desk
from .console import Console

Act = Callable[[Reader, Warrant], object]
"""Does what a warrant for one act allows, and uses it up."""


@dataclass(frozen=True, kw_only=True)
class Looked:
    """One warrant as its page shows it."""

    warrant: Warrant
    # What it is for; None where the person it is about was erased since.
    purpose: str | None
    # The search as it was typed.
    search: str
    decidable: bool
    withdrawable: bool
    # Whether whoever looks can now do what it allows: here, or at the address.
    actable: bool
    address: str
    holds: list[Hold]


class Warranting:
    """The verbs of the pages."""

    def __init__(
        self,
        console: Console,
        *,
        warrants: Warrants,
        holding: Holding,
        acts: Mapping[str, Act] | None = None,
        sensible: Callable[[str, str], None] = lambda _kind, _name: None,
    ) -> None:
        """``acts`` are those of each kind of warrant that is for one act and is done on the warrant's own page.

        ``sensible`` refuses an emergency switch that names nothing, or that is where it is to be brought to.
        """
        self._sensible = sensible
        self._console = console
        self._warrants = warrants
        self._holding = holding
        self._acts = dict(acts or {})

    def desk(self, reader: Reader) -> tuple[Desk, list[Hold]]:
        """What the officer sees of all warrants, and every hold that stands.

        Raises:
            RecordUnavailable: the look could not be recorded.
        """
        desk, holds = self._warrants.desk(reader), self._holding.standing()
        waiting = len(desk.to_decide) + len(desk.others)
        self._console.record("audit.warrant.read", reader, attributes={"waiting": waiting, "holds": len(holds)})
        return desk, holds

    def look(self, reader: Reader, identifier: str) -> Looked:
        """One warrant with its purpose.

        Raises:
            NoSuchWarrant: there is none.
            RecordUnavailable: the look could not be recorded.
        """
        warrant = self._warrants.find(identifier)
        said = None if warrant.place is None else self._console.purpose(warrant.place)
        mine = warrant.asker == reader.subject
        granted = warrant.state is State.GRANTED and warrant in self._warrants.held(reader, warrant.kind)
        lasting = warrant.state in (State.ASKED, State.APPROVING, State.GRANTED)
        search = (said or {}).get("search", "")
        looked = Looked(
            warrant=warrant,
            purpose=None if said is None else said.get("purpose", ""),
            search=search,
            decidable=self._warrants.decidable(reader, warrant),
            withdrawable=lasting and (mine or bool(reader.roles & warrant.means.decides)),
            actable=granted and warrant.kind in self._acts,
            address=_address(warrant, search) if granted else "",
            holds=self._holding.standing(warrant.scope.value) if warrant.scope.kind == "subject" else [],
        )
        self._console.record("audit.warrant.read", reader, what=warrant.id, attributes={"kind": warrant.kind})
        return looked

    def ask(self, reader: Reader, kind: str, about: str, which: str, purpose: str) -> Warrant:
        """Ask; ``about`` is the kind of scope and ``which`` its value, for a person also a name.

        Raises:
            BadScope: nothing that can be asked for, or a name that stands for nobody or for several.
            NothingToShut, ShutAlready, NotShut: a switch with nothing to do.
            TallygateError: as ``Warrants.ask``.
        """
        words = ""
        # Whoever was named a moment ago is found by it.
        self._console.catch_up()
        if about == "subject":
            found = self._console.persons(which) if which else frozenset()
            named = found - {which}
            if named:
                if len(named) != 1:
                    raise BadScope
                [which], words = named, which
        scope = Scope.parse(f"{about}:{which}")
        kept = self._console.scopes.nameless(scope)
        if kept != scope and about == "query":
            words = scope.value
        if kind in ("shut", "reopen") and scope.kind == "switch":
            self._sensible(kind, switch_of(scope)[0])
        return self._warrants.ask(reader, kind, kept, purpose, words=words)

    def approve(self, reader: Reader, identifier: str) -> None:
        """As ``Warrants.approve``."""
        self._warrants.approve(reader, identifier)

    def refuse(self, reader: Reader, identifier: str) -> None:
        """As ``Warrants.refuse``."""
        self._warrants.refuse(reader, identifier)

    def withdraw(self, reader: Reader, identifier: str) -> None:
        """As ``Warrants.withdraw``."""
        self._warrants.withdraw(reader, identifier)

    def act(self, reader: Reader, identifier: str) -> None:
        """Do what the warrant allows.

        Raises:
            NoSuchWarrant: there is none.
            WarrantNeeded: it is not this officer's, or allows nothing now.
            TallygateError: as the act.
        """
        warrant = self._warrants.find(identifier)
        act = self._acts.get(warrant.kind)
        if act is None or warrant not in self._warrants.held(reader, warrant.kind):
            raise WarrantNeeded(kind=warrant.kind, scope=str(warrant.scope))
        act(reader, warrant)


def _address(warrant: Warrant, search: str) -> str:
    """Where a granted warrant is used, if that is a page of this room."""
    value = warrant.scope.value
    if warrant.kind == "export" and warrant.scope.kind != "target":
        return f"/evidence?{urlencode({'scope': str(warrant.scope)})}"
    if warrant.kind != "open":
        return ""
    return {
        "entry": f"/entries/{value}",
        "case": f"/cases/{value.partition('.')[0]}",
        "alert": f"/alerts/{value}",
        "subject": f"/search?person={value}",
        "query": f"/search?{search or value}",
    }.get(warrant.scope.kind, "")
