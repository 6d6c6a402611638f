# SPDX-License-Identifier: Apache-2.0
"""The nouns of bulk enrolment: a job, its lines, and what became of them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from core.errors import TallygateError

from ..models import Approval


class JobState(StrEnum):
    """How far a job came."""

    # Looked through; as many officers as the profile demands have to agree to it.
    WAITING = "waiting"
    # Agreed to; lines are being issued, or will be as soon as the authority can.
    RUNNING = "running"
    # Every line is issued or refused.
    DONE = "done"
    # Ended before it ran.
    CANCELLED = "cancelled"


class LineState(StrEnum):
    """What became of a line."""

    READY = "ready"
    # An attempt is under way, or died.
    TAKEN = "taken"
    ISSUED = "issued"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line as the file says it; everything in it is unverified."""

    # In the file, counted from 1; the heading is 1.
    number: int
    device: str
    csr: bytes
    hosts: tuple[str, ...] = ()
    # What is wrong with it already.
    refusal: TallygateError | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a job."""

    number: int
    device: str
    csr: bytes
    hosts: tuple[str, ...] = ()
    # What the directory called the device, and what would be issued, when it was looked through.
    name: str = ""
    key_hash: str = ""
    digest: str = ""
    state: LineState = LineState.READY
    # How often an attempt was begun.
    attempts: int = 0
    serial: str = ""
    # Why it was refused: stable code, text of the catalogue, and what stands in it.
    code: str = ""
    message: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One file."""

    id: str
    profile: str
    # An officer, or "role:app" for the operator on the machine.
    asker: str
    # Where the papers of these devices are on file.
    reference: str
    # As the file was called.
    name: str
    state: JobState
    # Over everything that would be issued.
    digest: str
    at: datetime
    # Lines by what became of them.
    counts: dict[LineState, int] = field(default_factory=dict)
    closed: datetime | None = None
    closed_by: str = ""
    approvals: tuple[Approval, ...] = ()
    # The key by which lists are paged.
    position: int = 0

    @property
    def total(self) -> int:
        """How many lines."""
        return sum(self.counts.values())

    @property
    def standing(self) -> tuple[Approval, ...]:
        """The approvals that nothing has voided."""
        return tuple(each for each in self.approvals if not each.void)


def digest_of(profile: str, lines: Iterable[Line]) -> str:
    """SHA-256 over everything that would be issued, hexadecimal."""
    whole = hashlib.sha256(profile.encode() + b"\n")
    for each in lines:
        whole.update(f"{each.number} {each.device} {each.digest}\n".encode())
    return whole.hexdigest()
