# SPDX-License-Identifier: Apache-2.0
"""The nouns of incidents: what is selected, what shall be done with it, by whose word, and how far it came."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ..models import Reason


class Act(StrEnum):
    """What is done with everything that is selected."""

    REVOKE = "revoke"
    # Holders are asked to renew at once; their certificates stay as they are.
    RENEW = "renew"
    # The same, and at the deadline what is left is revoked.
    RENEW_THEN_REVOKE = "renew-then-revoke"


class Whom(StrEnum):
    """Whose certificates end at the deadline."""

    EVERYBODY = "everybody"
    # Only those for which nothing new was issued since.
    UNRENEWED = "unrenewed"


class Stage(StrEnum):
    """How far an incident came."""

    # Previewed; nobody but its author has a say yet, and nothing was touched.
    PREVIEW = "preview"
    # Waits for another officer.
    PROPOSED = "proposed"
    RUNNING = "running"
    PAUSED = "paused"
    # Everybody was asked to renew; the deadline has not come.
    WAITING = "waiting"
    DONE = "done"
    # By an officer, for good; what was done is done.
    STOPPED = "stopped"
    # By its author, or refused by another officer, before anything was touched.
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


BEGUN = (Stage.RUNNING, Stage.PAUSED, Stage.WAITING, Stage.DONE, Stage.STOPPED)
"""An officer has agreed; the public page of the incident is there."""


class Item(StrEnum):
    """How far one certificate of an incident came; a row never goes back."""

    PENDING = "pending"
    # Its holder was asked to renew.
    ASKED = "asked"
    REVOKED = "revoked"
    # Somebody else was faster.
    ALREADY = "already-revoked"
    # Something new was issued in time, so it may live on.
    RENEWED = "renewed"
    # Nothing is left to be done: it had ended, or nothing was signed after all.
    OVER = "over"


@dataclass(frozen=True, kw_only=True)
class Selector:
    """Which certificates; what is named here is a conjunction, of the values of one field any will do.

    What is revoked already or has ended is never selected.
    """

    profiles: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()
    # SHA-256 of subjectPublicKeyInfo, hexadecimal.
    keys: tuple[str, ...] = ()
    # Identifier of a person, device or organisation; label of a machine of the site.
    holder: str = ""
    # Who had it issued, approved it, or granted the ACME account or enrolment that it came of.
    officer: str = ""
    # ACME account, or the grant that it is bound to.
    account: str = ""
    # When issuance began, both ends inclusive.
    since: datetime | None = None
    until: datetime | None = None
    # Serials of a file; None if there was no file. Only their number and digest are kept.
    serials: frozenset[str] | None = None

    @property
    def empty(self) -> bool:
        """Whether it would select everything."""
        return self == Selector()

    def document(self) -> dict[str, object]:
        """As it is kept, recorded and bound by the digest."""
        said: dict[str, object] = {
            "profiles": sorted(self.profiles),
            "issuers": sorted(self.issuers),
            "keys": sorted(self.keys),
            "holder": self.holder,
            "officer": self.officer,
            "account": self.account,
            "since": self.since.isoformat() if self.since else "",
            "until": self.until.isoformat() if self.until else "",
        }
        if self.serials is not None:
            lines = "\n".join(sorted(self.serials))
            said |= {"serials": len(self.serials), "serials_sha256": hashlib.sha256(lines.encode()).hexdigest()}
        return {name: value for name, value in said.items() if value not in ("", [])}


def read_kept(document: Mapping[str, object]) -> Selector:
    """The selector of a kept document, without the serials of a file, which are not kept."""

    def several(name: str) -> tuple[str, ...]:
        found = document.get(name, ())
        return tuple(str(each) for each in found) if isinstance(found, (list, tuple)) else ()

    def at(name: str) -> datetime | None:
        found = document.get(name)
        return datetime.fromisoformat(str(found)) if found else None

    return Selector(
        profiles=several("profiles"),
        issuers=several("issuers"),
        keys=several("keys"),
        holder=str(document.get("holder", "")),
        officer=str(document.get("officer", "")),
        account=str(document.get("account", "")),
        since=at("since"),
        until=at("until"),
    )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What shall be done with what; everything an officer agrees to but the list itself."""

    selector: Selector
    act: Act
    reason: Reason = Reason.UNSPECIFIED
    # From when on what is left is revoked, and whether what was renewed is spared.
    deadline: datetime | None = None
    whom: Whom = Whom.EVERYBODY
    # What holders are told, in either language or both.
    text: str = ""
    text_zh: str = ""
    # The selector as it was kept, which tells of a file of serials what the selector itself does not any more.
    kept: Mapping[str, object] | None = None

    @property
    def selected(self) -> Mapping[str, object]:
        """What is selected, as a document."""
        return self.selector.document() if self.kept is None else self.kept

    def digest(self, serials: Iterable[str]) -> str:
        """SHA-256 over all of it and every serial, in the order of issuance, hexadecimal."""
        said = {
            "selector": self.selected,
            "act": self.act.value,
            "reason": self.reason.value,
            "deadline": self.deadline.isoformat() if self.deadline else "",
            "whom": self.whom.value,
            "text": self.text,
            "text_zh": self.text_zh,
        }
        hashed = hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode())
        for serial in serials:
            hashed.update(f"\n{serial}".encode())
        return hashed.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a preview found, counted."""

    profiles: Mapping[str, int] = field(default_factory=dict)
    issuers: Mapping[str, int] = field(default_factory=dict)
    # "person", "device", "organisation", "infrastructure".
    kinds: Mapping[str, int] = field(default_factory=dict)
    # Not known whether they were ever signed; they can be revoked all the same.
    possibly_issued: int = 0
    # Serials of the file that were never used here, how many and the first of them.
    unknown: int = 0
    unknown_first: tuple[str, ...] = ()
    # Serials of the file that are known and not selected: revoked, ended, or not of the rest of the selection.
    left_out: int = 0


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One incident."""

    id: str
    stage: Stage
    plan: Plan
    opener: str
    created: datetime
    # Until when a preview can be proposed, and a proposal be approved.
    expires: datetime
    # The key by which lists are paged.
    position: int = 0
    # How many certificates, and what binds them to the plan.
    size: int = 0
    digest: str = ""
    summary: Summary = field(default_factory=Summary)
    # The newest certificate that the preview looked at, by position.
    horizon: int = 0
    approver: str = ""
    approved: datetime | None = None
    # 1 at first; 2 when the deadline has come.
    phase: int = 1
    # Who ended it before its time, and why.
    closed_by: str = ""
    why: str = ""
    ended: datetime | None = None

    @property
    def begun(self) -> bool:
        """Whether another officer has agreed."""
        return self.approved is not None


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """One certificate of an incident, as its list shows it."""

    position: int
    serial: str
    issuer: str
    profile: str
    # The holder's identifier, and the name in the certificate; personal.
    subject: str
    name: str
    not_after: datetime
    state: Item


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How many certificates are in which state."""

    counts: Mapping[Item, int]
    size: int

    @property
    def left(self) -> int:
        """How many still wait for the first act."""
        return self.counts.get(Item.PENDING, 0)

    @property
    def done(self) -> int:
        """The rest."""
        return self.size - self.left


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What a holder is told about one certificate."""

    incident: str
    act: Act
    deadline: datetime | None
