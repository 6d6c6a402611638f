# SPDX-License-Identifier: Apache-2.0
"""The nouns of ACME: grants, accounts, orders, authorizations, challenges; their states are those of RFC 8555 7.1.6."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What sort of identifier."""

    DNS = "dns"
    # RFC 8738.
    IP = "ip"


@dataclass(frozen=True, order=True)
class Identifier:
    """One name a certificate may carry, in its canonical spelling; ``*.`` before a DNS name asks for a wildcard."""

    kind: Kind
    value: str

    @property
    def wildcard(self) -> bool:
        """Whether it stands for every name of one label below."""
        return self.value.startswith("*.")

    @property
    def base(self) -> "Identifier":
        """What must be proved for it."""
        return Identifier(self.kind, self.value.removeprefix("*."))

    def document(self) -> dict[str, str]:
        """As the protocol writes it."""
        return {"type": self.kind.value, "value": self.value}


class Holder(StrEnum):
    """Whom an account acts for; both stand in the directory."""

    DEVICE = "device"
    ORGANISATION = "organisation"


class GrantState(StrEnum):
    """A key for binding one account: good once."""

    OPEN = "open"
    USED = "used"
    REVOKED = "revoked"


class AccountState(StrEnum):
    """RFC 8555 section 7.1.6."""

    VALID = "valid"
    # By its own wish.
    DEACTIVATED = "deactivated"
    # By an officer, with the grant it rests on.
    REVOKED = "revoked"


class OrderState(StrEnum):
    """RFC 8555 section 7.1.6."""

    PENDING = "pending"
    READY = "ready"
    PROCESSING = "processing"
    VALID = "valid"
    INVALID = "invalid"


class AuthorizationState(StrEnum):
    """RFC 8555 section 7.1.6."""

    PENDING = "pending"
    VALID = "valid"
    INVALID = "invalid"
    DEACTIVATED = "deactivated"
    EXPIRED = "expired"
    REVOKED = "revoked"


class ChallengeState(StrEnum):
    """RFC 8555 section 7.1.6."""

    PENDING = "pending"
    PROCESSING = "processing"
    VALID = "valid"
    INVALID = "invalid"


class Method(StrEnum):
    """How control of an identifier is shown."""

    HTTP = "http-01"
    DNS = "dns-01"
    # RFC 8737.
    TLS = "tls-alpn-01"


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What an officer allowed one future account: for whom it acts, and for which names."""

    # The key identifier that the external account binding names.
    kid: str
    holder: Holder
    # Directory identifier of the device or organisation.
    subject: str
    # Names, ``.name`` for a name and all below it, addresses and networks (see ``names.allows``).
    names: tuple[str, ...]
    officer: str
    created: datetime
    expires: datetime
    state: GrantState
    # The account that was bound with it.
    account: str = ""


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account key and what it stands for."""

    id: str
    state: AccountState
    # Canonical JSON of the public key, and its RFC 7638 thumbprint.
    jwk: str
    thumbprint: str
    contacts: tuple[str, ...]
    created: datetime
    grant: Grant


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """One way to show control."""

    id: str
    authorization: str
    method: Method
    token: str
    state: ChallengeState
    # How often it was looked at since the client asked.
    attempts: int = 0
    validated: datetime | None = None
    # The last problem document.
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Authorization:
    """What an account has shown, or is to show, about one identifier."""

    id: str
    account: str
    # Never a wildcard; ``wildcard`` says that it is needed for one.
    identifier: Identifier
    wildcard: bool
    state: AuthorizationState
    expires: datetime
    challenges: tuple[Challenge, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Order:
    """One wish for a certificate."""

    id: str
    account: str
    state: OrderState
    identifiers: tuple[Identifier, ...]
    authorizations: tuple[str, ...]
    profile: str
    created: datetime
    expires: datetime
    # Identifier of the certificate that it replaces (RFC 9773 section 5).
    replaces: str = ""
    # DER, from finalization on.
    csr: bytes = b""
    serial: str = ""
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Window:
    """When a certificate should be renewed (RFC 9773 section 4.2)."""

    start: datetime
    end: datetime
    # A page that says why, when there is something to say.
    explanation: str = ""
