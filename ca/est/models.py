# SPDX-License-Identifier: Apache-2.0
"""The nouns of EST."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography import x509


class EnrolmentState(StrEnum):
    """Whether an enrolment can still be used; a row never goes back to open."""

    OPEN = "open"
    WITHDRAWN = "withdrawn"


class EnrolmentStanding(StrEnum):
    """What one is good for at a moment."""

    OPEN = "open"
    USED = "used"
    OVER = "over"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """An officer's word that one device may enrol at one label, so often and until then."""

    # User name at HTTP Basic.
    id: str
    # Directory identifier of the device.
    device: str
    label: str
    # What a server may be called; empty for everything else.
    hosts: tuple[str, ...]
    officer: str
    created: datetime
    expires: datetime
    uses: int
    used: int
    state: EnrolmentState
    # HMAC of the secret under the role's own key, hexadecimal.
    digest: str

    def standing(self, at: datetime) -> EnrolmentStanding:
        """Whether it is good for one more certificate, and if not, why."""
        if self.state is EnrolmentState.WITHDRAWN:
            return EnrolmentStanding.WITHDRAWN
        if self.used >= self.uses:
            return EnrolmentStanding.USED
        return EnrolmentStanding.OPEN if at < self.expires else EnrolmentStanding.OVER


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request as nginx handed it over; everything in it but the address is unverified."""

    operation: str
    label: str
    address: str
    # The Authorization header; empty if there is none.
    unverified_authorization: str = ""
    # PEM of what was presented in TLS; empty if nothing was.
    unverified_certificate: bytes = b""
    content_type: str = ""
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A device that proved itself, by exactly one of the two."""

    device: str
    enrolment: Enrolment | None = None
    # The presented certificate, chain, dates, purpose and standing checked, with its profile.
    certificate: x509.Certificate | None = None
    profile: str = ""

    @property
    def credential(self) -> str:
        """How it proved itself, for the record."""
        return "secret" if self.enrolment else "certificate"


@dataclass(frozen=True, kw_only=True)
class Generated:
    """A private key made here, and its certificate. Whoever holds this object holds the key."""

    # PKCS #8, or EnvelopedData around it; DER.
    key: bytes
    encrypted: bool
    # A certs-only message, DER.
    certificate: bytes

    def __repr__(self) -> str:
        """Nothing of the key."""
        return f"Generated(encrypted={self.encrypted})"
