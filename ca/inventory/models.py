# SPDX-License-Identifier: Apache-2.0
"""What is asked of the inventory, and what it answers."""

import datetime as dt
from dataclasses import dataclass, fields
from enum import StrEnum

from ..models import Reason, Standing, State


class Sought(StrEnum):
    """In which state certificates are looked for."""

    GOOD = "good"
    EXPIRED = "expired"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    POSSIBLY_ISSUED = "possibly-issued"
    ABANDONED = "abandoned"


@dataclass(frozen=True, kw_only=True)
class Query:
    """Every condition that is given must hold; days are whole, in UTC, and both ends count."""

    # Identifier of a person, device or organisation; the label of a machine.
    holder: str = ""
    # Beginning of the holder's name.
    name: str = ""
    serial: str = ""
    # SHA-256 of the subjectPublicKeyInfo, hexadecimal.
    key: str = ""
    profile: str = ""
    issuer: str = ""
    state: Sought | None = None
    issued_from: dt.date | None = None
    issued_to: dt.date | None = None
    expires_from: dt.date | None = None
    expires_to: dt.date | None = None

    @property
    def personal(self) -> str:
        """What of it tells about somebody, for the sealed part of its record."""
        return " ".join(each for each in (self.holder, self.name) if each)

    @property
    def clear(self) -> dict[str, str]:
        """The rest, by name."""
        rest = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in ("holder", "name")}
        return {name: str(value) for name, value in rest.items() if value}


@dataclass(frozen=True, kw_only=True)
class Held:
    """One certificate as a list shows it; its bytes stay where they are."""

    position: int
    serial: str
    issuer: str
    profile: str
    subject: str
    name: str
    actor: str
    key_hash: str
    state: State
    standing: Standing
    created: dt.datetime
    not_before: dt.datetime
    not_after: dt.datetime
    changed: dt.datetime | None = None
    reason: Reason | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """One page of a search."""

    held: tuple[Held, ...]
    # Where the next page begins; empty at the end.
    more: str = ""
    # The page is not full because so many others were looked through that it is time to answer; ``more`` goes on.
    partial: bool = False


@dataclass(frozen=True, kw_only=True)
class Holding:
    """Who holds what: one holder with what the directory says, and the certificates of what belongs to it."""

    subject: str
    # "person", "device", "organisation" or "machine"; what the directory does not know any more is "unknown".
    kind: str
    name: str
    # Organisation of a person or device, with its name.
    organisation: str
    organisation_name: str
    held: Found
    # Of an organisation: its devices, each with its newest certificates.
    devices: tuple[tuple[str, str, tuple[Held, ...]], ...] = ()
    more_devices: str = ""
