# SPDX-License-Identifier: Apache-2.0
"""What the record says of one sealing: its intent, its outcome, and that it was refused."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from audit import Event, Outcome
from policies.models import Decision

from ..models import Seal, SealOrder, Wish


@dataclass(frozen=True)
class Act:
    """One sealing that was permitted."""

    order: SealOrder
    wish: Wish
    commitment: str
    seal: Seal
    decision: Decision
    # Of the person who acts, as the directory has it now.
    name: str

    def event(self, type_: str, outcome: Outcome, *, at: datetime) -> Event:
        """What happened to it at a moment."""
        return Event(
            key=secrets.token_hex(16),
            type=type_,
            outcome=outcome,
            at=at,
            source="signatures",
            subject=self.wish.actor,
            # Where it took two: who asked, and who did it.
            actor=self.order.second.actor if self.order.second else "",
            object=self.commitment,
            organisation=self.order.organisation,
            session=self.wish.session,
            zone=self.wish.zone,
            decision=self.wish.decision,
            policy=self.decision.version,
            attributes={
                "certificate": self.seal.serial,
                "caller": self.order.caller,
                "assurance": self.wish.assurance,
                "policies": joined(self.decision),
                **reference(self.order),
            },
            # What is signed has no name that we know: people know it by whose seal it bears.
            sealed={"name": self.name, "object_name": self.seal.name},
        )


def reference(order: SealOrder) -> dict[str, str]:
    """Under what the caller asked, where it said so."""
    return {"reference": order.reference} if order.reference else {}


def joined(decision: Decision | None) -> str:
    """The policies that decided, for the record."""
    return " ".join(decision.reasons) if decision else ""
