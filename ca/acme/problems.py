# SPDX-License-Identifier: Apache-2.0
"""Refusals as ACME clients read them (RFC 8555 section 6.7): a type, a sentence, and perhaps one for each identifier.

They are documents of that protocol and not errors of the site: an order keeps the one that ended it, and a client
acts on the type. What the site's own components refuse is translated once, in `ca.web.acme`.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from .models import Identifier

PREFIX = "urn:ietf:params:acme:error:"


class Type(StrEnum):
    """The types of RFC 8555 section 6.7, RFC 9773 section 7.4 and draft-ietf-acme-profiles that are used here."""

    ACCOUNT_DOES_NOT_EXIST = "accountDoesNotExist"
    ALREADY_REPLACED = "alreadyReplaced"
    ALREADY_REVOKED = "alreadyRevoked"
    BAD_CSR = "badCSR"
    BAD_NONCE = "badNonce"
    BAD_PUBLIC_KEY = "badPublicKey"
    BAD_REVOCATION_REASON = "badRevocationReason"
    BAD_SIGNATURE_ALGORITHM = "badSignatureAlgorithm"
    CAA = "caa"
    COMPOUND = "compound"
    CONNECTION = "connection"
    DNS = "dns"
    EXTERNAL_ACCOUNT_REQUIRED = "externalAccountRequired"
    INCORRECT_RESPONSE = "incorrectResponse"
    INVALID_CONTACT = "invalidContact"
    INVALID_PROFILE = "invalidProfile"
    MALFORMED = "malformed"
    ORDER_NOT_READY = "orderNotReady"
    RATE_LIMITED = "rateLimited"
    REJECTED_IDENTIFIER = "rejectedIdentifier"
    SERVER_INTERNAL = "serverInternal"
    TLS = "tls"
    UNAUTHORIZED = "unauthorized"
    UNSUPPORTED_CONTACT = "unsupportedContact"
    UNSUPPORTED_IDENTIFIER = "unsupportedIdentifier"
    USER_ACTION_REQUIRED = "userActionRequired"


_STATUS = {
    Type.ALREADY_REPLACED: 409,
    Type.EXTERNAL_ACCOUNT_REQUIRED: 403,
    Type.ORDER_NOT_READY: 403,
    Type.RATE_LIMITED: 429,
    Type.SERVER_INTERNAL: 500,
    Type.UNAUTHORIZED: 403,
}
_BAD_REQUEST = 400


class Problem(Exception):
    """One refusal; the sentence is public."""

    def __init__(
        self,
        type_: Type,
        detail: str,
        *,
        status: int = 0,
        identifier: Identifier | None = None,
        subproblems: Sequence["Problem"] = (),
        retry_after: int = 0,
        more: Mapping[str, Any] | None = None,
        location: str = "",
    ) -> None:
        super().__init__(type_, detail)
        self.type = type_
        self.detail = detail
        self.status = status or _STATUS.get(type_, _BAD_REQUEST)
        self.identifier = identifier
        self.subproblems = tuple(subproblems)
        # Seconds after which asking again makes sense; nothing is said if zero.
        self.retry_after = retry_after
        # Members that one type has beside the common ones.
        self.more = dict(more or {})
        # Path of the resource that is in the way (RFC 8555 section 7.3.5).
        self.location = location

    def document(self) -> dict[str, Any]:
        """The problem document (RFC 9457)."""
        found: dict[str, Any] = {"type": PREFIX + self.type, "detail": self.detail, "status": self.status, **self.more}
        if self.identifier is not None:
            found["identifier"] = self.identifier.document()
        if self.subproblems:
            found["subproblems"] = [
                {name: value for name, value in each.document().items() if name != "status"}
                for each in self.subproblems
            ]
        return found
