# SPDX-License-Identifier: Apache-2.0
"""The nouns of the certificate authority: what is asked for, what was made, and what it is worth today."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum

from .errors import BadSerial

ISSUERS = ("people", "devices", "organisations", "infrastructure")
"""The issuing authorities; which of them signed tells what kind of subject a certificate has."""

ROOT = "root"
"""The authority that vouches for the issuing ones, by ceremony only; a name no issuing authority can have."""

AUTHORITY_PATTERN = rf"({'|'.join((ROOT, *ISSUERS))})(-ml-dsa)?(?:-([2-9]|[1-9][0-9]))?"
_AUTHORITY = re.compile(AUTHORITY_PATTERN)
_LONGEST_SERIAL = 40


class State(StrEnum):
    """How far an issuance came; a row never goes back."""

    # The serial is taken, nothing is known to be signed with it; only older releases left this state behind.
    RESERVED = "reserved"
    # The bytes about to be signed are stored. Whether they were signed may be unknown: never good.
    INTENDED = "intended"
    # Signed, compared with the intent and stored.
    SIGNED = "signed"
    # Handed to whoever asked.
    DELIVERED = "delivered"
    # Ended before the key was touched.
    ABANDONED = "abandoned"


class Standing(StrEnum):
    """What a certificate is worth now, its dates apart."""

    GOOD = "good"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    # The process died around the signature: revocable and visible, never good.
    POSSIBLY_ISSUED = "possibly-issued"
    # Nothing was ever signed under this serial.
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a certificate is revoked (RFC 5280 section 5.3.1, those an authority of ours may use)."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key-compromise"
    AFFILIATION_CHANGED = "affiliation-changed"
    SUPERSEDED = "superseded"
    CESSATION = "cessation-of-operation"
    PRIVILEGE_WITHDRAWN = "privilege-withdrawn"


@dataclass(frozen=True, kw_only=True)
class IssueRequest:
    """What a caller wants; everything in it is unverified."""

    profile: str
    # PKCS #10, DER or PEM; only its key and its proof of possession are used.
    csr: bytes
    # Directory identifier of a person, device or organisation; a label for the site's own machines.
    subject: str
    # Who asks: a person's identifier, or "role:NAME" for a role of the site on its own behalf.
    actor: str
    # Directory roles the actor holds, as the gateway vouched for them, or "role:NAME" of the calling role.
    actor_roles: frozenset[str] = frozenset()
    # The role that carried the wish here; empty for whoever stands at the desk.
    caller: str = ""
    # DNS names and loopback addresses, for servers only.
    hosts: tuple[str, ...] = ()
    # Directory identifier of the organisation that a representative acts for.
    organisation: str = ""
    # How surely the actor is identified, and the zone they came from, as the gateway vouched for.
    assurance: int = 0
    zone: str = ""
    # Why the operator on the machine has it made without officers; stands in the clear in the record.
    exception: str = ""
    # Which issuing authority, where a profile has several.
    issuer: str = ""
    # Officers who agreed beside the actor, the request they agreed to, and the digest of what they saw: nothing else
    # is made. Only registration says so; no interface takes it from a caller.
    approved_by: tuple[str, ...] = ()
    registration: str = ""
    expected: str = ""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What would be issued: everything an officer agrees to."""

    profile: str
    subject: str
    organisation: str
    # As people call the subject.
    name: str
    # SHA-256 of the request's bytes and of its key, hexadecimal.
    csr_hash: str
    key_hash: str
    algorithm: str
    # Kind and value: what the subject's name and the alternative names would say, in their order.
    names: tuple[tuple[str, str], ...]
    alternatives: tuple[tuple[str, str], ...]
    validity_days: int
    # Last day of what it is founded on, a mandate say; empty if nothing ends.
    until: str

    @property
    def digest(self) -> str:
        """SHA-256 over all of it, hexadecimal."""
        written = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(written.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A certificate and its chain without the root, both PEM."""

    serial: str
    certificate: bytes
    chain: bytes


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """One serial as its desk shows it."""

    serial: str
    issuer: str
    profile: str
    subject: str
    # What stands as common name; personal.
    name: str
    state: State
    standing: Standing
    actor: str
    created: datetime
    not_before: datetime
    not_after: datetime
    # DER; empty unless signed.
    der: bytes = b""
    # When and why it was suspended or revoked.
    changed: datetime | None = None
    reason: Reason | None = None
    # Which of its issuer's revocation lists it stands on once withdrawn; its own bytes say so to others.
    shard: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class CertificateStatus:
    """What a relying role needs to know about one serial."""

    serial: str
    standing: Standing
    issuer: str = ""
    profile: str = ""
    subject: str = ""
    not_after: datetime | None = None

    @property
    def good(self) -> bool:
        """Whether it may be relied on, its dates apart."""
        return self.standing is Standing.GOOD


@dataclass(frozen=True, kw_only=True)
class VerifiedCertificate:
    """A presented certificate after chain, dates and purpose were checked; its status is asked separately."""

    serial: str
    issuer: str
    subject: str
    # "person", "device" or "organisation".
    kind: str
    profile: str
    not_after: datetime
    # Name of the generation of the issuing authority, which its lists and answers go by.
    authority: str = ""


@dataclass(frozen=True, order=True)
class AuthorityName:
    """What an authority is called in addresses, files and tables: kind, hierarchy and generation."""

    # One of ISSUERS, or ROOT.
    kind: str
    # Whether it belongs to the parallel hierarchy of ML-DSA keys.
    ml_dsa: bool = False
    generation: int = 1

    def __str__(self) -> str:
        return self.kind + ("-ml-dsa" if self.ml_dsa else "") + (f"-{self.generation}" if self.generation > 1 else "")


def read_authority(text: str) -> AuthorityName | None:
    """The name, or None if no authority of ours can be called so."""
    found = _AUTHORITY.fullmatch(text)
    return found and AuthorityName(found.group(1), bool(found.group(2)), int(found.group(3) or 1))


def serial_hex(number: int) -> str:
    """How a serial is written everywhere: lower-case hexadecimal without leading zeros."""
    return format(number, "x")


def read_serial(text: str) -> str:
    """Bring what a person or peer wrote into that form; colons and spaces are allowed.

    Raises:
        BadSerial: it is not a serial number.
    """
    digits = text.replace(":", "").replace(" ", "").lower().lstrip("0")
    if not digits or len(digits) > _LONGEST_SERIAL or not set(digits) <= set("0123456789abcdef"):
        raise BadSerial
    return digits
