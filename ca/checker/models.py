# SPDX-License-Identifier: Apache-2.0
"""What the checker reads, and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the tables say of one certificate."""

    position: int
    serial: str
    issuer: str
    profile: str
    subject: str
    name: str
    state: str
    created: datetime
    not_before: datetime
    not_after: datetime
    key_hash: str
    commitment_key: bytes
    shard: int
    der: bytes
    # Empty while it is good.
    withdrawn: str
    reason: str
    changed: datetime | None
    # Whether its key is known to be compromised.
    blocked: bool
    # What the record says of it.
    heard: "Heard"


@dataclass(frozen=True)
class Heard:
    """The commitments that the record holds: of the bytes to be signed, and of the certificate; None is not heard."""

    intended: bytes | None = None
    issued: bytes | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: a stable code, the serial or list it is about, and a few words without names."""

    code: str
    about: str
    detail: str = ""
    issuer: str = ""
    profile: str = ""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A finding as it was kept."""

    position: int
    code: str
    about: str
    detail: str
    first: datetime
    last: datetime


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one stretch of a check gave."""

    # Where the next one begins.
    after: int
    checked: int
    findings: Sequence[Finding]
    # Nothing comes after it.
    ended: bool


@dataclass(frozen=True, kw_only=True)
class Look:
    """How the checker stands, for pages and for operators."""

    # The last sweep over everything that ended, and one under way.
    ended: datetime | None
    checked: int
    began: datetime | None
    # Place up to which new certificates were checked, and the newest place.
    place: int
    newest: int
    # Findings that are not settled.
    open: int
