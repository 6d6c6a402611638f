# SPDX-License-Identifier: Apache-2.0
"""One request for an outside worker; pure."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class ContractState(StrEnum):
    """How a request stands."""

    WAITING = "waiting"
    # Approved; the grant is on its way. Found after a crash: approving again goes on with it.
    GRANTING = "granting"
    GRANTED = "granted"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Contract:
    """A first account at a portal, or a later last day for one that is there."""

    id: str
    subject: str
    # ``contractor-PORTAL``.
    role: str
    until: dt.date
    reason: str
    by: str
    second: str = ""
    day: dt.date
    state: ContractState = ContractState.WAITING
