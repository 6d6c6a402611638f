# SPDX-License-Identifier: Apache-2.0
"""The nouns of registration: what was asked for, what it is founded on, and who agreed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Stage(StrEnum):
    """How far a request came."""

    # Nobody has said yet how the holder's identity was proved.
    ASKED = "asked"
    # The evidence is on file; officers may decide.
    EVIDENCE = "evidence"
    # One of two officers has agreed.
    APPROVED_ONCE = "approved-once"
    # Everybody has agreed; the certificate is being made, or will be as soon as the authority can.
    APPROVED = "approved"
    ISSUED = "issued"
    DENIED = "denied"
    # By whoever asked.
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


OPEN = (Stage.ASKED, Stage.EVIDENCE, Stage.APPROVED_ONCE)
"""Where officers still decide and the asker may still withdraw."""


class Evidence(StrEnum):
    """By what the holder's identity was proved."""

    # The directory says that a registrar did, and when.
    DIRECTORY = "directory"
    FACE_TO_FACE = "face-to-face"
    DOCUMENTS = "documents"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody asks for; everything in it is unverified but the asker."""

    profile: str
    csr: bytes
    # Directory identifier of the person, device or organisation.
    subject: str
    # Who asks, as the gateway vouched for.
    asker: str
    # For whom a representative acts.
    organisation: str = ""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One thing that a person may ask for."""

    profile: str
    subject: str
    organisation: str = ""
    # As people call the organisation it concerns; empty for the person alone.
    name: str = ""

    @property
    def key(self) -> str:
        """What a form says instead of all that."""
        return f"{self.profile}:{self.organisation or (self.subject if self.name else '')}".rstrip(":")


@dataclass(frozen=True, kw_only=True)
class Approval:
    """One officer's word about one digest."""

    officer: str
    digest: str
    at: datetime
    # How surely the officer was identified, and from where, as the gateway vouched for.
    assurance: int
    zone: str
    # It counts no more: the officer lost the role, or something was changed since.
    void: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request."""

    id: str
    stage: Stage
    profile: str
    subject: str
    organisation: str
    asker: str
    csr: bytes
    at: datetime
    expires: datetime
    # What would stand as common name when it was asked for; personal.
    name: str = ""
    key_hash: str = ""
    # The key by which lists are paged.
    position: int = 0
    evidence: Evidence | None = None
    # Where the registrar's files hold it, never the evidence itself.
    reference: str = ""
    evidence_by: str = ""
    # Who ended it and why.
    closed_by: str = ""
    reason: str = ""
    closed: datetime | None = None
    # Code of the error by which the last attempt to issue ended.
    failure: str = ""
    serial: str = ""
    approvals: tuple[Approval, ...] = ()

    @property
    def open(self) -> bool:
        """Whether it is still undecided."""
        return self.stage in OPEN

    @property
    def standing(self) -> tuple[Approval, ...]:
        """The approvals that nothing has voided yet."""
        return tuple(each for each in self.approvals if not each.void)
