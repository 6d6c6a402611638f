# SPDX-License-Identifier: Apache-2.0
"""The nouns of remote signing."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ..holds import Algorithm, HeldKey
from ..looks import Placement


class Stage(StrEnum):
    """How far a consent came."""

    # The person was sent to sign-on.
    ASKED = "asked"
    # It was used; what it signed stands in ``remote_signings``.
    SPENT = "spent"
    # It will never be used.
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True)
class Credential:
    """A person's certificate and the key that is kept for it."""

    id: str
    subject: str
    serial: str
    # PEM.
    certificate: str
    chain: str
    key: HeldKey
    # Which make of hold has the key.
    hold: str
    name: str
    name_zh: str
    made_at: datetime

    @property
    def algorithm(self) -> Algorithm:
        """Of the key."""
        return self.key.algorithm


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One document that a consent is asked for."""

    # On the shelf.
    document: str
    # SHA-256, hexadecimal.
    digest: str
    label: str
    # Where the block goes, as ``Placement`` has it.
    page: int = 0
    x: float | None = None
    y: float | None = None
    field: str = ""

    @property
    def placement(self) -> Placement:
        """Where the block goes."""
        return Placement(page=self.page, x=self.x, y=self.y, field=self.field)


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What one person was asked to confirm."""

    # As it travels through the browser.
    state: str
    subject: str
    # Of the browser that was sent.
    browser: str
    credential: str
    documents: tuple[Asked, ...]
    verifier: str
    asked_at: datetime
    expires_at: datetime
    stage: Stage = Stage.ASKED


@dataclass(frozen=True, kw_only=True)
class RemoteSigning:
    """One signature, from its intent on."""

    # Key of the intent's event.
    key: str
    state: str
    subject: str
    # The document on the shelf, and the commitment to it.
    document: str
    commitment: str
    serial: str
    at: datetime
