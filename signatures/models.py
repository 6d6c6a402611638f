# SPDX-License-Identifier: Apache-2.0
"""The nouns of signatures: what was found in a document, what it means, and the seal of an organisation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from .looks import Locking, Permits, Placement


class Format(StrEnum):
    """What kind of file a signature came in."""

    PDF = "pdf"
    # CMS and CAdES: the content inside, or beside it.
    CMS = "cms"
    XADES = "xades"
    JWS = "jws"
    ASIC = "asic"
    OFD = "ofd"
    EVIDENCE = "evidence"
    # A PDF from an archive, with its proof: the time-stamps that stand beside it.
    KEPT = "kept"
    UNKNOWN = "unknown"


class Level(StrEnum):
    """How long a signature can be proved (ETSI baseline levels); what is reached, not what is claimed."""

    # The signature alone.
    B = "B"
    # A trusted time-stamp proves when.
    T = "T"
    # What the issuers said then is in the file.
    LT = "LT"
    # And a later time-stamp seals all of that.
    LTA = "LTA"


class Profile(StrEnum):
    """How much may have happened to a document after it was signed."""

    # Nothing at all.
    STRICT = "strict"
    # Form filling, further signatures and archival updates; what changed is listed.
    TOLERANT = "tolerant"


class Chain(StrEnum):
    """Where the signer's certificate comes from."""

    TRUSTED = "trusted"
    # No issuer we know made it.
    UNKNOWN = "unknown"
    # An issuer we know made it, but something above it is expired, revoked or may not issue.
    BROKEN = "broken"


class Revocation(StrEnum):
    """What the issuer's newest list says about a certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    # Revoked or suspended, but after the moment at which the signature is proved to have existed.
    LATER = "later"
    # No list, none that verifies, or one whose next issue is overdue.
    UNAVAILABLE = "unavailable"


class Modification(StrEnum):
    """What happened to the document after this signature (pyHanko's levels)."""

    NONE = "none"
    ARCHIVAL = "archival"
    FORM = "form"
    # Further signatures of signers we trust, and nothing else.
    SIGNED = "signed"
    OTHER = "other"


@dataclass(frozen=True)
class Ask:
    """Where an issuer says whether a certificate is revoked; so it stands in the certificate, and nobody checked it."""

    unverified_url: str
    # The question of an OCSP responder (DER); empty: a list lies there.
    question: bytes = b""


@dataclass(frozen=True, kw_only=True)
class CertificateFacts:
    """One signer's certificate against the issuers we trust."""

    serial: str
    # Common name and organisation as the issuer wrote them.
    name: str
    organisation: str
    # Directory identifier from the subject alternative name, if any.
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    chain: Chain
    # Name of the site's issuing authority ("people", "organisations"); of another's list: the list's, a slash, and what
    # the list calls it, if anything. Empty where only the site's own root knows it.
    authority: str
    # The certificate and its issuing authority are meant for signing documents.
    purpose: bool
    revocation: Revocation
    revoked_at: datetime | None = None
    # Of the certificate itself (DER), in hexadecimal digits.
    sha256: str = ""
    # A state's list names its issuer as one of qualified certificates, and the certificate says that it is one.
    qualified: bool = False
    # Of the statement of its issuer that counts: from when it is, until when it stands, whether we asked for it.
    said_at: datetime | None = None
    said_until: datetime | None = None
    asked: bool = False
    # Where to ask, if nothing is known of it and its issuer is trusted.
    asks: tuple[Ask, ...] = ()


class StampState(StrEnum):
    """What a time-stamp is worth."""

    GOOD = "good"
    # It is over something else, or its signature does not verify.
    BROKEN = "broken"
    # It fits, but nobody we trust made it.
    UNKNOWN = "unknown"
    # Its maker's certificate was not valid then, is revoked, or is meant for something else.
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class StampFacts:
    """One time-stamp (RFC 3161) over a signature, or over the whole file."""

    at: datetime | None
    name: str
    state: StampState
    # Whether it covers the whole file and not only the signature.
    archive: bool = False
    # Whether it came beside the file and not in it.
    beside: bool = False
    # Of the token itself, in hexadecimal digits.
    sha256: str = ""
    # Kind of its maker's key: "P-256", "ML-DSA-65".
    algorithm: str = ""
    # Where to ask of its maker's certificate.
    asks: tuple[Ask, ...] = ()

    @property
    def lasting(self) -> bool:
        """Whether it is held to withstand quantum computers."""
        return self.algorithm.startswith("ML-DSA")


@dataclass(frozen=True, kw_only=True)
class SealFacts:
    """The picture of a seal that its maker signed, where the format has one."""

    # The maker made it, the maker's certificate is trusted, and it is the picture that is shown.
    verifies: bool
    # Name of the maker.
    maker: str
    # From when until when it may be used.
    start: datetime
    end: datetime
    # In the form of GM/T 0031-2014, which GB/T 38540-2020 replaced.
    old: bool = False
    # Who used it made it too: nobody else says whose seal it is.
    self_made: bool = False
    # Nothing is known of whether its maker still may make seals.
    unsaid: bool = False


@dataclass(frozen=True, kw_only=True)
class SignatureFacts:
    """One signature as the reading process found it."""

    field: str
    # The signer's own word; nothing proves it.
    claimed_at: datetime | None
    # The digest of the covered bytes is the signed one.
    digest_matches: bool
    # The signature over that digest verifies with the certificate's key, by an algorithm still considered safe.
    signature_verifies: bool
    # The last covered byte is the last byte of the file, and the only gap is the signature itself.
    covers_file: bool
    modification: Modification
    # What the signer allowed to change was respected.
    permitted: bool
    changed_fields: tuple[str, ...]
    # The library's own opinion of the certificate path: a second pair of eyes, never the only one.
    library_trusts: bool
    certificate: CertificateFacts
    format: Format = Format.PDF
    level: Level = Level.B
    stamps: tuple[StampFacts, ...] = ()
    # Time-stamps that were made beside the file, as it says itself, and did not come; whether they were to be here.
    absent: int = 0
    promised: bool = False
    # Further signatures of people we trust have pictures on the pages.
    pictured: bool = False
    # The earliest moment at which a trusted time-stamp proves that the signature existed.
    proven_at: datetime | None = None
    # The signed content is at hand; a detached signature alone lacks it.
    content_present: bool = True
    # Name of the algorithm, and whether it is still considered safe.
    algorithm: str = ""
    weak: bool = False
    # The signature names another certificate than the one that verifies it.
    other_certificate: bool = False
    # Files of a container that this signature covers, and those that it does not.
    covered: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()
    # What the signer who certified the document allows: "", "nothing", "form", "notes".
    certified: str = ""
    # Form fields that nobody may change after this signature.
    locking: Locking = Locking.NONE
    locked: tuple[str, ...] = ()
    # How many bytes of the file are the signed revision; 0 where there are no revisions.
    revision: int = 0
    # The seal that it was made with, in formats that have seals.
    seal: SealFacts | None = None
    # How many signed in the same place of a PDF, where others expect one.
    signers: int = 1
    # Who countersigned it, and how many countersignatures prove nothing.
    countersigners: tuple[str, ...] = ()
    countersigned_in_vain: int = 0
    # A picture of a further signature hides something that was there when this was signed.
    obscured: bool = False
    # The signature itself in base64, by which a report names it.
    value: str = ""


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """Everything a reading process found out about one file."""

    # Empty if the file could be read, else a short word: "not_pdf", "encrypted", "malformed", "limits".
    failure: str
    # Places in the raw bytes that look like a signature, whether the reader understands them or not.
    marks: int = 0
    pages: int = 0
    signatures: tuple[SignatureFacts, ...] = ()
    format: Format = Format.PDF
    # Signature data that was seen and could not be understood, in short words.
    unread: tuple[str, ...] = ()
    # What a viewer may hide or do: layers that are off, scripts, attachments.
    hidden: tuple[str, ...] = ()


class Value(StrEnum):
    """The answer to one plain question."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Overall(StrEnum):
    """What to do with the document."""

    TRUSTED = "trusted"
    NOT_TRUSTED = "not_trusted"
    CANNOT_TELL = "cannot_tell"


class Colour(StrEnum):
    """The verdict for the eye; never the only sign of it."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


class Indication(StrEnum):
    """Main status of ETSI EN 319 102-1 clause 5.1.3, and the one word it lacks for a file nobody signed."""

    TOTAL_PASSED = "TOTAL-PASSED"
    TOTAL_FAILED = "TOTAL-FAILED"
    INDETERMINATE = "INDETERMINATE"
    NO_SIGNATURE = "NO_SIGNATURE_FOUND"


@dataclass(frozen=True)
class Words:
    """One sentence: a catalogue key and what fills its places."""

    message: str
    parameters: Mapping[str, str | int | datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """One of the four questions, answered."""

    value: Value
    # Stable, for programs.
    code: str
    words: Words


class Severity(StrEnum):
    """How much a problem weighs."""

    # Makes the document not trusted.
    GRAVE = "grave"
    # Makes it "cannot tell".
    DOUBT = "doubt"
    # Worth knowing; changes nothing.
    NOTICE = "notice"


@dataclass(frozen=True)
class Problem:
    """Something that was found; every one is shown, not the first alone."""

    # Number of the signature, from 1; 0 for the file itself.
    signature: int
    # Which of the four questions it bears on; empty for none.
    question: str
    severity: Severity
    code: str
    words: Words


@dataclass(frozen=True, kw_only=True)
class SignatureVerdict:
    """The four answers for one signature."""

    field: str
    overall: Overall
    indication: Indication
    subindication: str
    unchanged: Answer
    signer: Answer
    issuer: Answer
    valid: Answer
    # None when the file could not be read that far.
    facts: SignatureFacts | None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What we say about a document: on the page, by REST and in the terminal alike."""

    overall: Overall
    indication: Indication
    subindication: str
    headline: Words
    advice: Words
    # One per signature; a file without any readable signature has one entry without facts.
    signatures: tuple[SignatureVerdict, ...]
    # Gravest first.
    problems: tuple[Problem, ...]
    format: Format
    checked_at: datetime
    profile: Profile
    sha256: str
    size: int
    # SHA-256 of the content that came beside a detached signature; empty for none.
    content_sha256: str = ""

    @property
    def colour(self) -> Colour:
        """For the eye."""
        return {
            Overall.TRUSTED: Colour.GREEN,
            Overall.NOT_TRUSTED: Colour.RED,
            Overall.CANNOT_TELL: Colour.AMBER,
        }[self.overall]


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Which certificates we start from; never the operating system's."""

    # PEM, self-signed.
    roots: tuple[str, ...]
    # PEM by the name of the issuing authority.
    issuers: Mapping[str, str]
    # Issuing authorities whose certificates may sign documents; empty: all.
    signing: frozenset[str] = frozenset()
    # From when until when a certificate is trusted, by its SHA-256; those that are not named: always.
    periods: Mapping[str, tuple[datetime | None, datetime | None]] = field(default_factory=dict)
    # What alone a certificate is trusted for, "sign" or "stamp", by its SHA-256; those that are not named: for both.
    purposes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    # Certificates that a state supervises as issuers of qualified certificates, by their SHA-256.
    qualified: frozenset[str] = frozenset()
    # On which list of another a root stands, by its SHA-256; those that are not named: the site's own.
    keepers: Mapping[str, str] = field(default_factory=dict)


class SealState(StrEnum):
    """The life of one seal."""

    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, kw_only=True)
class Seal:
    """An organisation's key and certificate in this role's care."""

    organisation: str
    serial: str
    # PEM, the seal's own certificate first.
    certificate: str
    chain: str
    # Which hold keeps the key, and its name there: "file:" or "token:" and 32 hex digits.
    key: str
    state: SealState
    name: str
    name_zh: str
    made_at: datetime


@dataclass(frozen=True, kw_only=True)
class SealOrder:
    """A request to seal one document."""

    document: bytes
    # Identifier in the directory.
    organisation: str
    # Role of the site that asks on the person's behalf.
    caller: str
    # The header with which the gateway let the person through to the caller, as it came.
    unverified_identity: str = ""
    # What the caller says of the person; counts only from callers that are not behind the gateway.
    actor: str = ""
    # How surely the caller knows the person, 0 to 3.
    assurance: int = 0
    # Zone the person works in.
    zone: str = "internal"
    session: str = ""
    # Under what the caller asks, in its own identifiers: the consents to an evidence file. Recorded as it is.
    reference: str = ""
    # Who stands behind it, where a door of this role has found that out itself; never taken from a request.
    known: "Wish | None" = None
    # The keeper who stands in for a program, and who confirmed it as the second person, likewise.
    first: "Wish | None" = None
    second: "Wish | None" = None
    placement: Placement = field(default_factory=Placement)
    permits: Permits = field(default_factory=Permits)
    # Whether a code that leads to the verification page stands beside the seal.
    code: bool = False
    # Whether others may have signed before.
    further: bool = False
    # A line above the seal: the number of an official document.
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Who stands behind an order, by the word of somebody we believe."""

    # Subject of the person who acts.
    actor: str
    assurance: int
    zone: str
    session: str
    # Identifier of the gateway's decision; empty where there was none.
    decision: str = ""
    # Set where no person but a program acts, by its own name (``actor`` too), for this organisation.
    program_of: str = ""


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a PDF says of itself."""

    # Empty if it has none.
    title: str
    pages: int
    # Whether it carries anything that looks like a signature.
    signed: bool


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A document with room for a signature, as the reading process returned it."""

    document: bytes
    digest: bytes
    # The reserved region: offsets of "<" and past ">".
    start: int
    end: int
