# SPDX-License-Identifier: Apache-2.0
"""The nouns of the directory: who there is, what they hold, and for whom they may act."""

import datetime as dt
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID

from .errors import BadName

N = TypeVar("N")

USERNAME = re.compile(r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*\Z")
IDENTIFIER = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
LONGEST_NAME = 64
LONGEST_PASSWORD = 1024


class PersonKind(StrEnum):
    """Everybody is one of these; the value is also the role held by kind."""

    CITIZEN = "citizen"
    CIVIL_SERVANT = "civil-servant"


class DeviceState(StrEnum):
    """How a device fares; what is lost or retired is shut out."""

    ENROLLED = "enrolled"
    HEALTHY = "healthy"
    LOST = "lost"
    RETIRED = "retired"

    @property
    def is_out(self) -> bool:
        """Whether nothing may be done with it."""
        return self in (DeviceState.LOST, DeviceState.RETIRED)


ADMINISTRATOR = "directory-administrator"
AGENCY_ADMINISTRATOR = "agency-administrator"
"""Registers for the own agency and what is below it, and nowhere else."""

WATCHING = frozenset({"security-officer", "audit-administrator"})
"""The two halves of watching, which are two people again: who reads the record, and who decides about erasures, holds
and retention."""

ADMINISTRATIVE = WATCHING | {"security-administrator", ADMINISTRATOR, AGENCY_ADMINISTRATOR}
"""The three powers that must be three people (三权分立): who watches, who sets the rules, who registers; and whoever
registers does so for the whole directory or for one agency, never both."""

APART = frozenset(
    {frozenset({one, other}) for one in ADMINISTRATIVE for other in ADMINISTRATIVE if one != other}
    # Whoever watches does not vouch for identities either.
    | {frozenset({watching, "ra-officer"}) for watching in WATCHING}
)
"""Pairs of roles that nobody holds both of; the policies refuse whoever has them all the same."""

ROLES = (*sorted(ADMINISTRATIVE), "ra-officer")
"""Every role that can be granted; ``citizen`` and ``civil-servant`` follow from the kind of person."""


@dataclass(frozen=True, kw_only=True)
class Mandate:
    """The right to act for an organisation, or for another person."""

    # Empty if it is for a person.
    organisation: str
    # What for: the name of an offer such as "tax", "social" and "seal", or "all".
    scope: str
    # Last day.
    until: dt.date
    # Subject of the person it is for, and who gave it why; roles that only ask what somebody may do see none of these.
    principal: str = ""
    by: str = ""
    reason: str = ""
    holder: str = ""
    # First day, as far as it is known: mandates of earlier releases do not say it.
    since: dt.date | None = None


@dataclass(frozen=True, kw_only=True)
class Proofing:
    """How surely we know that the person is who they say: 0 not at all, 1 claimed, 2 documents, 3 face to face."""

    level: int = 0
    date: dt.date | None = None
    # Reference to the evidence in the registrar's files, never the evidence itself.
    evidence: str = ""


@dataclass(frozen=True, kw_only=True)
class Person:
    """One person as far as the asking role may see: what it may not see is empty."""

    # Random UUID; the only name of a person outside the directory.
    subject: str
    username: str
    kind: PersonKind
    name: str
    name_zh: str = ""
    mail: str = ""
    # Agency of a civil servant, empty for a citizen.
    organisation: str = ""
    roles: frozenset[str] = frozenset()
    mandates: tuple[Mandate, ...] = ()
    proofing: Proofing = Proofing()
    # 0 none, 1 internal, 2 confidential, 3 secret.
    clearance: int = 0
    enabled: bool = True
    # Let go by a program (SCIM DELETE): for programs they are not there while they are disabled.
    released: bool = False
    # Register number: rises with every entry, the key by which lists are paged.
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class Organisation:
    """An agency or a company."""

    id: str
    name: str
    name_zh: str
    # Unified social credit code (GB 32100-2015).
    credit_code: str
    agency: bool
    # The agency it is a part of; empty for one that stands alone.
    parent: str = ""
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class Device:
    """A machine with an identity of its own."""

    id: str
    name: str
    organisation: str
    # Neither disabled nor lost nor retired.
    enabled: bool
    state: DeviceState = DeviceState.ENROLLED
    # Subject of the person who answers for it, if it is not the organisation as a whole.
    owner: str = ""
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The part of the directory that somebody administers."""

    everything: bool = False
    # Identifiers of organisations, with everything below them.
    organisations: frozenset[str] = frozenset()

    def holds(self, organisation: str) -> bool:
        """Whether what belongs to this organisation lies in it; what belongs to none lies only in everything."""
        return self.everything or (bool(organisation) and organisation in self.organisations)


EVERYWHERE = Scope(everything=True)


@dataclass(frozen=True)
class Page(Generic[N]):
    """One page of a list; ``after`` is the key for the next one, empty at the end."""

    items: tuple[N, ...]
    after: str


def subject_of(text: str) -> str:
    """The canonical form of a subject or device identifier.

    Raises:
        BadName: not a UUID in its usual spelling.
    """
    try:
        canonical = str(UUID(text))
    except ValueError as error:
        raise BadName from error
    if canonical != text.lower():
        raise BadName
    return canonical


def username_of(text: str) -> str:
    """The canonical form of a user name: lower case.

    Raises:
        BadName: characters that no user name has.
    """
    lowered = text.strip().lower()
    if len(lowered) > LONGEST_NAME or not USERNAME.match(lowered):
        raise BadName
    return lowered


def identifier_of(text: str) -> str:
    """An organisation's identifier.

    Raises:
        BadName: not a short lower-case label.
    """
    if len(text) > LONGEST_NAME or not IDENTIFIER.match(text):
        raise BadName
    return text


def can_be_password(text: str) -> bool:
    """Whether this could be anybody's password: what cannot be sent to the server is none."""
    return 0 < len(text) <= LONGEST_PASSWORD and "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


_FEWEST_CHARACTERS = 5


def is_guessable(password: str, username: str) -> bool:
    """Whether somebody who knows the user name would soon try it: it holds the name, or hardly any other character."""
    folded = password.casefold()
    return username.casefold() in folded or len(set(folded)) < _FEWEST_CHARACTERS


_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_BODY = 17


def credit_code_check(body: str) -> str:
    """The check character of a unified social credit code's first 17 characters (GB 32100-2015, weights 3^i mod 31)."""
    total = sum(_CREDIT_ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(body))
    return _CREDIT_ALPHABET[-total % 31]


def credit_code_is_right(code: str) -> bool:
    """Whether all 18 characters belong to the alphabet and the last one checks the others."""
    return (
        len(code) == _CREDIT_BODY + 1
        and all(c in _CREDIT_ALPHABET for c in code)
        and credit_code_check(code[:_CREDIT_BODY]) == code[_CREDIT_BODY]
    )
