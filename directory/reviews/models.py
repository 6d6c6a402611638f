# SPDX-License-Identifier: Apache-2.0
"""The nouns of a review, and the report that its seal is over."""

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class ScopeKind(StrEnum):
    """Which accesses a campaign is about."""

    ORGANISATION = "organisation"
    BRANCH = "branch"
    ROLE = "role"
    PORTAL = "portal"


class Undecided(StrEnum):
    """What becomes of an access that nobody decided about by the last day."""

    # Kept, and put before the directory's administrators.
    ESCALATE = "escalate"
    WITHDRAW = "withdraw"


class Stage(StrEnum):
    """How far a campaign has got."""

    COLLECTING = "collecting"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class Kind(StrEnum):
    """What is held."""

    POST = "post"
    GRANT = "grant"


class ItemState(StrEnum):
    """What became of one access."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    # Decided and kept here; it is being taken away.
    WITHDRAWING = "withdrawing"
    WITHDRAWN = "withdrawn"
    # Nobody decided in time; the directory's administrators are to.
    ESCALATED = "escalated"
    # What they decided then; the sealed result goes on telling that nobody did in time.
    LATE_CONFIRMED = "late_confirmed"
    LATE_WITHDRAWING = "late_withdrawing"
    LATE_WITHDRAWN = "late_withdrawn"


LATE = {
    ItemState.CONFIRMED: ItemState.LATE_CONFIRMED,
    ItemState.WITHDRAWING: ItemState.LATE_WITHDRAWING,
    ItemState.WITHDRAWN: ItemState.LATE_WITHDRAWN,
}
_LATE = (ItemState.ESCALATED, *LATE.values())


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """One review."""

    id: str
    name: str
    scope: ScopeKind
    # The organisation, role or portal.
    of: str
    # Last day on which owners decide.
    due: dt.date
    # Who holds a post with this role in the department of the post under review owns it; empty: always ``owner``.
    heads: str = ""
    # Subject of whoever owns what has no head.
    owner: str
    undecided: Undecided
    by: str
    reason: str
    stage: Stage = Stage.COLLECTING
    # How far collecting has got.
    branch: Kind = Kind.POST
    after: int = 0
    # Last day on which owners were reminded.
    reminded: str = ""
    # SHA-256 of the report, in the record from the moment of closing.
    seal: str = ""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One access under review."""

    position: int = 0
    campaign: str
    kind: Kind
    # Identifier of the holding or grant.
    access: str
    holder: str
    # The post's identifier, the role, or the entitlement.
    what: str
    organisation: str
    # Subject of whoever decides; empty for the directory's administrators.
    owner: str
    state: ItemState = ItemState.OPEN
    decided_by: str = ""
    # Epoch seconds.
    decided: int = 0
    reason: str = ""
    # The code of why it could not be taken away so far; a campaign that waits for it is not sealed.
    failed: str = ""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How many accesses of a campaign stand how."""

    open: int = 0
    confirmed: int = 0
    withdrawing: int = 0
    withdrawn: int = 0
    escalated: int = 0
    late_confirmed: int = 0
    late_withdrawing: int = 0
    late_withdrawn: int = 0

    @property
    def in_time(self) -> int:
        """What was decided by the last day, by whom or by the rule of the campaign."""
        return self.confirmed + self.withdrawing + self.withdrawn

    @property
    def late(self) -> int:
        """What nobody decided by the last day and is or was kept."""
        return self.escalated + self.late_confirmed + self.late_withdrawing + self.late_withdrawn

    @property
    def all(self) -> int:
        """Every access."""
        return self.open + self.in_time + self.late


def report(campaign: Campaign, items: Iterable[Item]) -> Iterable[bytes]:
    """The result, line by line (JSON Lines, keys sorted): the campaign, then each access in order.

    The same campaign gives the same bytes on any machine, so that the digest in the record tells whether a report that
    somebody shows is the one. What was decided after the last day is not part of it.
    """
    yield _line(
        {
            "version": 1, "campaign": campaign.id, "name": campaign.name, "scope": campaign.scope.value,
            "of": campaign.of, "due": campaign.due.isoformat(), "undecided": campaign.undecided.value,
            "by": campaign.by, "reason": campaign.reason,
        }
    )  # fmt: skip
    for item in items:
        late = item.state in _LATE
        decision: dict[str, str | int] = {"state": item.state.value}
        decision |= {"decided_by": item.decided_by, "decided": item.decided, "reason": item.reason}
        undecided: dict[str, str | int] = {"state": ItemState.ESCALATED.value}
        yield _line(
            {
                "kind": item.kind.value, "access": item.access, "holder": item.holder, "what": item.what,
                "organisation": item.organisation, "owner": item.owner, **(undecided if late else decision),
            }
        )  # fmt: skip


def _line(of: dict[str, str | int]) -> bytes:
    return json.dumps(of, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8") + b"\n"
