# SPDX-License-Identifier: Apache-2.0
"""The nouns of warrants: what can be asked for, about which part of the record, and what became of it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, Self

from core.errors import N_

from ..models import Reader
from .errors import BadScope

OFFICER = "security-officer"
"""Reads the record; asks for what is in it, and decides about what other officers ask for."""
AUDITOR = "audit-administrator"
"""Decides about what cannot be undone: erasures, holds, retention. Reads nothing."""

LEAST_PURPOSE, MOST_PURPOSE = 4, 500
LONGEST_SCOPE = 900
_VALUE = re.compile(r"[A-Za-z0-9._~%:=&+,-]+", flags=re.ASCII)
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_PLACE = r"(?:0|[1-9][0-9]{0,15})"
_SHAPES = {
    # One entry, by its place in the log.
    "entry": re.compile(_PLACE),
    # One person, by the identifier in the record.
    "subject": re.compile(_UUID),
    "case": re.compile(r"[A-Za-z0-9._-]{1,64}"),
    # An alert, by its identifier; which entries it holds never changes.
    "alert": re.compile(r"[0-9a-f]{32}"),
    # A search: the filters of its address, sorted, a name replaced by its token.
    "query": _VALUE,
    # Entries from the first place to the last, both included.
    "range": re.compile(rf"{_PLACE}-{_PLACE}"),
    # A place outside that entries are sent to, by its name in the configuration.
    "target": re.compile(r"[A-Za-z0-9._-]{1,64}"),
    # A legal hold, by its identifier.
    "hold": re.compile(r"[0-9a-f]{16}"),
    # What an emergency switch shuts: the way from one network to another, a portal, a client, or all writing; after a
    # tilde for how long, in minutes, hours or days, and until it is opened again if nothing is said.
    "switch": re.compile(
        r"(?:zones=[a-z][a-z0-9-]{0,30}:[a-z][a-z0-9-]{0,30}"
        r"|portal=[a-z][a-z0-9-]{0,30}|client=[A-Za-z0-9._-]{1,64}|writing)(?:~[1-9][0-9]{0,2}[mhd])?"
    ),
    # A class of entries whose retention changes, with what it changes to.
    "class": re.compile(r"[a-z0-9._-]{1,64}(=[A-Za-z0-9._:-]{1,64})?"),
}
SCOPES: Mapping[str, str] = {
    "entry": N_("one entry"),
    "subject": N_("one person"),
    "case": N_("one case"),
    "alert": N_("one alert"),
    "query": N_("what one search finds"),
    "range": N_("a range of entries"),
    "target": N_("one target of exports"),
    "hold": N_("one legal hold"),
    "class": N_("one class of entries"),
    "switch": N_("one emergency switch"),
}


class State(StrEnum):
    """How far a warrant has got. What ends in ING is under way in one process, or was when it died."""

    # The asking is being recorded; nobody else sees it.
    ASKING = "asking"
    ASKED = "asked"
    # The approval is being recorded.
    APPROVING = "approving"
    GRANTED = "granted"
    # The one act it was granted for is being recorded.
    USING = "using"
    USED = "used"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    # Its asking was not recorded: it was never there.
    ABANDONED = "abandoned"


BEFORE: Mapping[State, State] = {
    State.ASKING: State.ABANDONED,
    State.APPROVING: State.ASKED,
    State.USING: State.GRANTED,
}
"""Where a step that did not come to its end goes back to."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of warrant; whoever needs a new one adds a row."""

    # What it allows, in words; catalogue keys.
    says: str
    explains: str
    # Kinds of scope it can have, the first one offered first.
    scopes: tuple[str, ...]
    # Directory roles that ask for it, and that decide about it.
    asks: frozenset[str]
    decides: frozenset[str]
    # Whether one act uses it up.
    once: bool = False
    # Whether nobody asks for it about themselves.
    never_own: bool = False


KINDS: Mapping[str, Kind] = {
    "open": Kind(
        says=N_("Open personal fields"),
        explains=N_("Names, addresses and free text of the entries are shown to you until the consent runs out."),
        scopes=("entry", "subject", "case", "alert", "query"),
        asks=frozenset({OFFICER}),
        decides=frozenset({OFFICER}),
    ),
    "export": Kind(
        says=N_("Take entries out"),
        explains=N_("Entries are handed to you as a file."),
        scopes=("query", "range", "case", "alert", "subject", "entry", "target"),
        asks=frozenset({OFFICER}),
        decides=frozenset({OFFICER}),
    ),
    "erase": Kind(
        says=N_("Erase a person"),
        explains=N_("The keys of the person's personal fields are destroyed for good. Entries and proofs stay."),
        scopes=("subject",),
        asks=frozenset({OFFICER, AUDITOR}),
        decides=frozenset({AUDITOR}),
        once=True,
        never_own=True,
    ),
    "hold": Kind(
        says=N_("Place a legal hold"),
        explains=N_("Nothing about the person can be erased until the hold is released."),
        scopes=("subject",),
        asks=frozenset({OFFICER, AUDITOR}),
        decides=frozenset({OFFICER, AUDITOR}),
        once=True,
        never_own=True,
    ),
    "release": Kind(
        says=N_("Release a legal hold"),
        explains=N_("The person can be erased again when no other hold stands."),
        scopes=("hold",),
        asks=frozenset({OFFICER, AUDITOR}),
        decides=frozenset({AUDITOR}),
        once=True,
        never_own=True,
    ),
    "retention": Kind(
        says=N_("Change retention"),
        explains=N_("How long a class of entries is kept."),
        scopes=("class",),
        asks=frozenset({OFFICER, AUDITOR}),
        decides=frozenset({AUDITOR}),
        once=True,
    ),
    "shut": Kind(
        says=N_("Shut in an emergency"),
        explains=N_("Every gateway refuses it within a second, until it is opened again or its time is over."),
        scopes=("switch",),
        asks=frozenset({OFFICER, AUDITOR}),
        decides=frozenset({OFFICER, AUDITOR}),
        once=True,
    ),
    "reopen": Kind(
        says=N_("Open again after an emergency"),
        explains=N_("What was shut is decided by the policies again."),
        scopes=("switch",),
        asks=frozenset({OFFICER, AUDITOR}),
        decides=frozenset({OFFICER, AUDITOR}),
        once=True,
    ),
}


@dataclass(frozen=True)
class Scope:
    """A part of the record."""

    kind: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``kind:value``.

        Raises:
            BadScope: no scope in its one spelling.
        """
        kind, _, value = text.partition(":")
        shape = _SHAPES.get(kind)
        if shape is None or len(text) > LONGEST_SCOPE or not shape.fullmatch(value):
            raise BadScope
        return cls(kind, value)

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


@dataclass(frozen=True, kw_only=True)
class Warrant:
    """One request and what became of it."""

    id: str
    kind: str
    scope: Scope
    # Whom it is about, if it is one person.
    about: str
    state: State
    # Who asked, and when.
    asker: str
    asked: datetime
    # Place of the asking in the record, whose sealed part holds the purpose.
    place: int | None
    # Who approved, refused or withdrew, and when; empty and None while nobody has.
    decider: str
    decided: datetime | None
    # When it runs out; for a request that nobody decided, when it lapses.
    until: datetime

    @property
    def means(self) -> Kind:
        """The kind's row."""
        return KINDS[self.kind]

    def live(self, at: datetime) -> bool:
        """Whether it allows something now."""
        return self.state is State.GRANTED and at < self.until


@dataclass(frozen=True, kw_only=True)
class Hold:
    """One legal hold; ``id`` is that of the warrant under which it was placed."""

    id: str
    subject: str
    placed: datetime
    by: str
    released: datetime | None = None
    released_by: str = ""


@dataclass(frozen=True, kw_only=True)
class Shut:
    """One emergency switch that is thrown, or being thrown or taken back."""

    # As the record names it: ``zones=FROM:TO``, ``portal=NAME``, ``client=NAME`` or ``writing``.
    name: str
    # The warrant under which it was shut, who threw it, who approved, and where the asking stands in the record.
    warrant: str
    by: str
    decider: str
    place: int | None
    since: datetime
    # When it opens by itself; None if only two officers open it.
    until: datetime | None
    # The warrant under which somebody is changing it now; empty if nobody is.
    turning: str

    @property
    def standing(self) -> bool:
        """Whether its shutting is done."""
        return self.turning != self.warrant


_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def switch_of(scope: Scope) -> tuple[str, timedelta | None]:
    """What a switch shuts, as the record names it, and for how long.

    Raises:
        BadScope: the scope is none of a switch.
    """
    if scope.kind != "switch":
        raise BadScope
    name, _, lasts = scope.value.partition("~")
    return name, int(lasts[:-1]) * _UNITS[lasts[-1]] if lasts else None


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """One erasure that was begun; its two records are the same whenever they are repeated."""

    warrant: str
    subject: str
    begun: datetime
    by: str
    session: str
    zone: str
    decision: str
    # Keys of the intent and of the outcome.
    intent: str
    outcome: str
    done: bool


class Demand(Protocol):
    """How other rooms ask for a warrant at the moment of the act; ``Warrants.demand`` fulfils it."""

    def __call__(
        self, reader: Reader, kind: str, scope: Scope, *, covered: Callable[[Scope], bool] | None = None
    ) -> Warrant:
        """The warrant of this officer.

        Raises:
            WarrantNeeded: there is none.
        """
        ...
