# SPDX-License-Identifier: Apache-2.0
"""The nouns of alerting: a rule as it is evaluated, an alert with its evidence, and how officers have dealt with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad it would be, as Sigma names it."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Kind(StrEnum):
    """How a rule looks at entries: one by one, or together in a window."""

    SINGLE = "single"
    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"
    # Not a Sigma rule: what the engine says of itself.
    OWN = "own"


class State(StrEnum):
    """How officers have dealt with an alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a rule says of itself, in the words of its file."""

    title: str
    title_zh: str = ""
    description: str = ""
    description_zh: str = ""
    # What may set it off without harm.
    innocent: Sequence[str] = ()
    innocent_zh: Sequence[str] = ()
    tags: Sequence[str] = ()
    author: str = ""


@dataclass(frozen=True, kw_only=True)
class Predicate:
    """One detection, as a condition of SQL over the columns of ``fields``."""

    name: str
    condition: str
    # Field behind each group field of the correlation that refers to it, in the order of the group.
    group: Sequence[str] = ()
    # Of a value count: whose values.
    counted: str = ""
    # Fields that name an earlier entry which the condition compares with.
    compared: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule, converted once."""

    id: str
    level: Level
    kind: Kind
    told: Told
    # As the file says: when it was changed last.
    version: str
    # SHA-256 of the file's bytes.
    digest: str
    # File name, and whether it is one of ours.
    file: str
    shipped: bool
    # The file's text.
    text: str
    predicates: Sequence[Predicate]
    # Fields by which entries belong together.
    group: Sequence[str]
    # Of a correlation: how far apart the first and the last entry may be. Of a single rule: 0.
    window: timedelta
    # After it fired, it is quiet about the same group for this long.
    quiet: timedelta
    # Fewest entries, or different values, or predicates, with which it can fire.
    least: int
    # Correlations only: the relational plan of the converter, see sigma.backends.sqlite.
    plan: Mapping[str, object] = field(default_factory=dict)

    @property
    def query(self) -> str:
        """What is evaluated, for people who read SQL."""
        return "\n".join(f"-- {each.name}\nSELECT * FROM event WHERE {each.condition};" for each in self.predicates) + (
            "\n" + _readable(self.plan) if self.plan else ""
        )


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A rule that is not evaluated, and why."""

    file: str
    title: str
    why: str
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class RuleStanding:
    """One rule as officers see it; also one that is off or refused."""

    id: str
    file: str
    shipped: bool
    on: bool
    told: Told
    level: Level | None
    kind: Kind | None
    version: str
    digest: str
    query: str
    text: str
    # Why it is not evaluated, or was not evaluated last; empty if all is well.
    error: str
    evaluated: datetime | None
    hits: int = 0


@dataclass(frozen=True, kw_only=True)
class Proven:
    """One entry behind an alert, with its proof as it was when the alert was raised."""

    # Its place in the record of this site, and its index in the log that holds it: the same until a log is replaced.
    index: int
    number: int
    type: str
    at: datetime
    # RFC 6962 inclusion path, and the signed checkpoint it leads to.
    path: Sequence[bytes]
    checkpoint: str


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A rule was met."""

    id: str
    rule: str
    version: str
    digest: str
    level: Level
    kind: Kind
    told: Told
    query: str
    # Field and identifier: what the entries have in common.
    group: Mapping[str, str]
    # Of the entries, in the order of the log.
    since: datetime
    until: datetime
    # How many entries, or different values, were counted.
    count: int
    raised: datetime
    state: State = State.OPEN
    # Indices, oldest first; at most ``MOST_ENTRIES`` of the newest.
    entries: Sequence[int] = ()
    # How often the rule was met again while it was quiet, and the newest entry of that.
    again: int = 0
    again_until: int = -1
    # Where the record holds that it was raised; -1 until then.
    recorded: int = -1
    # Who dealt with it last, and when.
    officer: str = ""
    moved: datetime | None = None

    @property
    def about(self) -> str:
        """The one person, device or actor it is about; empty if it is about none or several."""
        return self.group.get("subject") or self.group.get("actor") or ""


MOST_ENTRIES = 100
"""Entries that an alert keeps with proofs; how many there were stands beside."""


def _readable(plan: Mapping[str, object]) -> str:
    stages: Any = plan["prepare"]
    return "\n".join([*(f"-- {each['name']}\n{each['select']};" for each in stages), str(plan["query"]) + ";"])
