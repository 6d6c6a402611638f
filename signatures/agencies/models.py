# SPDX-License-Identifier: Apache-2.0
"""The nouns: a program and what it was let do, what is left of a quota, a batch and its items."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Doing(StrEnum):
    """What a program can be let do."""

    VERIFY = "verify"
    SEAL = "seal"
    BATCH = "batch"
    ARCHIVE = "archive"
    PAPER = "paper"


@dataclass(frozen=True, kw_only=True)
class Program:
    """A client of sign-on and what an administrator wrote down for it."""

    client: str
    # The one organisation whose seal it sets, and whose quota it uses.
    organisation: str
    doings: frozenset[Doing]
    # Requests of all of the organisation's programs together.
    per_minute: int
    per_day: int
    until: date
    reason: str

    def may(self, doing: Doing | None, *, on: date, organisation: str = "") -> bool:
        """Whether it is let do this on a day, for this organisation where one is named; with no ``doing``, anything."""
        return on <= self.until and doing in {None, *self.doings} and organisation in {"", self.organisation}


@dataclass(frozen=True)
class Left:
    """What is left of the window that ends soonest in trouble."""

    quota: int
    remaining: int
    seconds: int
    window: int

    def headers(self) -> dict[str, str]:
        """As a program reads it (draft-ietf-httpapi-ratelimit-headers)."""
        return {
            "RateLimit-Policy": f'"agency";q={self.quota};w={self.window}',
            "RateLimit": f'"agency";r={self.remaining};t={self.seconds}',
        }


class BatchState(StrEnum):
    """The life of a batch."""

    # Takes documents.
    OPEN = "open"
    # Confirmed by who asks; keepers of the seal look at it.
    WAITING = "waiting"
    # They did not confirm it, or not in time; nothing is sealed.
    REFUSED = "refused"
    # Confirmed; the record is about to know.
    STARTING = "starting"
    RUNNING = "running"
    # Somebody stopped it, and nothing of it is sealed any more; the record is about to know.
    STOPPING = "stopping"
    STOPPED = "stopped"
    # Every item has its end; the record is about to know.
    ENDING = "ending"
    DONE = "done"


class ItemState(StrEnum):
    """The life of one document of a batch."""

    WAITING = "waiting"
    MADE = "made"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Documents that are sealed together, by one confirmation."""

    id: str
    # "client:NAME" or "operator:SUBJECT".
    owner: str
    # Whose seal.
    organisation: str
    # Of a person: how surely known, and where from. Empty for programs.
    assurance: int
    zone: str
    state: BatchState
    made_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    # Who stopped it last; empty if nobody did.
    stopped_by: str = ""
    # SHA-256 over the list that was confirmed; empty before.
    digest: str = ""
    waiting: int = 0
    made: int = 0
    failed: int = 0


@dataclass(frozen=True, kw_only=True)
class Item:
    """One document of a batch."""

    batch: str
    number: int
    name: str
    sha256: str
    # Identifiers on the shelf: of what came, and of what became of it.
    source: str
    result: str
    state: ItemState
    # Why it failed.
    code: str = ""
