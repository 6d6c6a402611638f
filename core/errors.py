# SPDX-License-Identifier: Apache-2.0
"""One error family with few kinds; the public text is public by contract, the cause stays private.

TallygateError
├── Invalid           400  the caller sent something that cannot be right
├── Unauthenticated   401  nobody has been identified
├── Forbidden         403  somebody has, and may not
├── NotFound          404
├── Conflict          409  right in itself, wrong in the present state
├── TooMany           429
├── Unavailable       503  temporary; the same call may succeed later
└── Internal          500  our own fault; the text says nothing but that

A component derives its classes from these, gives each a stable ``code`` and an English ``message`` with
``%(name)s`` places. The message is a catalogue key: pages show it translated.
"""

from enum import StrEnum
from typing import Any, ClassVar


def N_(message: str) -> str:  # noqa: N802 - the name gettext tools look for
    """Mark a text for the catalogues without translating it here."""
    return message


class Kind(StrEnum):
    """How an error maps to every wire format; the only thing the edge looks at."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"

    @property
    def status(self) -> int:
        """The HTTP status of this kind (RFC 9110 section 15)."""
        return _STATUS[self]


_STATUS = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_MANY: 429,
    Kind.UNAVAILABLE: 503,
    Kind.INTERNAL: 500,
}


class TallygateError(Exception):
    """Base of every error we raise; ``parameters`` fill the places of ``message`` and are public too."""

    kind: ClassVar[Kind] = Kind.INTERNAL
    code: str = "internal"
    message: str = N_("Something went wrong on our side. Nothing was changed.")

    # The HTTP status where the kind's own is not exact enough; 0 for the kind's.
    status: ClassVar[int] = 0

    # What the page offers to do about it, as a catalogue key; empty if nothing can be done there and then.
    leads_says: str = ""

    def __init__(self, **parameters: str | int) -> None:
        super().__init__(self.message, parameters)
        self.parameters = parameters

    @property
    def headers(self) -> dict[str, str]:
        """What an HTTP answer says besides: when to come again, how much is left."""
        return {}

    @property
    def leads_to(self) -> str:
        """The address at which that is done, within the same application."""
        return ""

    @property
    def detail(self) -> str:
        """The public sentence in English."""
        return self.message % self.parameters if self.parameters else self.message

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class Invalid(TallygateError):
    """The caller sent something that cannot be right."""

    kind = Kind.INVALID
    code = "invalid"
    message = N_("The request is not well-formed.")


class Unauthenticated(TallygateError):
    """Nobody has been identified."""

    kind = Kind.UNAUTHENTICATED
    code = "unauthenticated"
    message = N_("Please log in first.")


class Forbidden(TallygateError):
    """Somebody has been identified, and may not."""

    kind = Kind.FORBIDDEN
    code = "forbidden"
    message = N_("You may not do this.")


class NotFound(TallygateError):
    """There is no such thing, or the caller may not know that there is."""

    kind = Kind.NOT_FOUND
    code = "not_found"
    message = N_("There is nothing at this address.")


class Conflict(TallygateError):
    """Right in itself, wrong in the present state."""

    kind = Kind.CONFLICT
    code = "conflict"
    message = N_("This cannot be done in the present state.")


class TooMany(TallygateError):
    """The caller asks too often."""

    kind = Kind.TOO_MANY
    code = "too_many"
    message = N_("Too many attempts. Please wait a moment and try again.")


class Unavailable(TallygateError):
    """Temporary; the same call may succeed later."""

    kind = Kind.UNAVAILABLE
    code = "unavailable"
    message = N_("This service is temporarily unavailable. Please try again in a moment.")


class Internal(TallygateError):
    """Our own fault."""


_BY_KIND: dict[Kind, type[TallygateError]] = {
    kind.kind: kind
    for kind in (Invalid, Unauthenticated, Forbidden, NotFound, Conflict, TooMany, Unavailable, Internal)
}


def from_problem(status: int, problem: Any) -> TallygateError:
    """Rebuild the error another role answered with, from its problem document (RFC 9457).

    What is not a problem document of ours becomes ``Unavailable``: a callee that answers anything else is broken.
    """
    if not isinstance(problem, dict):
        return Unavailable()
    kinds = [kind for kind in Kind if kind.status == status]
    if not kinds or not isinstance(problem.get("code"), str) or not isinstance(problem.get("message"), str):
        return Unavailable()
    parameters = problem.get("parameters")
    error = _BY_KIND[kinds[0]]()
    error.code = problem["code"]
    error.message = problem["message"]
    error.parameters = parameters if isinstance(parameters, dict) else {}
    return error
