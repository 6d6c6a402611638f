# SPDX-License-Identifier: Apache-2.0
"""A ceremony's one file: what is to be done, for people to review before it is held. Unknown keys are refused."""

import datetime as dt
import hashlib
import re
import tomllib
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

from core.config import ConfigurationError, decode

from ..models import ISSUERS, ROOT, AuthorityName, Reason, read_authority, read_serial
from ..x509 import Algorithm
from .authorities import UNCONSTRAINED, Constraints

_LONGEST = 1 << 16
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]{0,38}))+")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LABEL = re.compile(r"[a-z][a-z0-9-]{0,31}")
_MOST_DAYS = 25 * 365


class CeremonyKind(StrEnum):
    """What a ceremony does."""

    # The root's key gets a new passphrase, which is divided among custodians.
    CUSTODY = "custody"
    # The root's next revocation list.
    ROOT_LIST = "root-list"
    # Another root beside the first: of the ML-DSA hierarchy, or the next generation.
    ROOT = "root"
    # Issuing authorities below a root: the next generation, or those of the ML-DSA hierarchy.
    ISSUERS = "issuers"
    # A certificate of ours about somebody else's root, or about our next one.
    CROSS = "cross-certificate"
    # A new OCSP delegate before the old one ends, or because its key was lost.
    DELEGATE = "ocsp-delegate"
    # Key and certificate of a unit of the time-stamping authority.
    UNIT = "time-stamping-unit"
    # An issuing authority's revocation list, made where its role cannot run.
    LIST = "list"


@dataclass(frozen=True, kw_only=True)
class Custodians:
    """Among whom the passphrase of a root's key is divided."""

    # How many hold a share, and how many must come together.
    count: int = 5
    needed: int = 3
    # Who they are, for the transcript alone; as many as there are shares, or none.
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 2 <= self.needed <= self.count <= 20:  # noqa: PLR2004 - more could hardly meet in one room
            raise ValueError("of at most 20 custodians at least two are needed")
        if self.names and (len(self.names) != self.count or len(set(self.names)) != self.count):
            raise ValueError("each custodian has a name of their own, or none is named")
        if not all(name and name.isprintable() for name in self.names):
            raise ValueError("a custodian's name is empty or holds control characters")


@dataclass(frozen=True, kw_only=True)
class Withdrawal:
    """An issuing authority that shall no longer be believed."""

    issuer: str
    # Its certificate's serial, in hexadecimal: whoever reviews the file sees which one it is.
    serial: str
    reason: Reason

    def __post_init__(self) -> None:
        name = read_authority(self.issuer)
        if name is None or name.kind not in ISSUERS:
            raise ValueError(f"issuer must be one of {', '.join(ISSUERS)}, or a later generation of one")
        read_serial(self.serial)


@dataclass(frozen=True, kw_only=True)
class Other:
    """Whose root is cross-certified."""

    # What the certificate's file is called here.
    name: str
    # Their own certificate, PEM, beside the ceremony's file; and the SHA-256 of its DER, that reviewers compared.
    certificate: Path
    sha256: str
    # Policies that we let them vouch for.
    policies: tuple[str, ...]
    # How many authorities may stand between their root and a certificate.
    path_length: int = 1

    def __post_init__(self) -> None:
        if not _LABEL.fullmatch(self.name) or read_authority(self.name):
            raise ValueError("name must be a short lower-case label, and none of our own authorities'")
        if not _DIGEST.fullmatch(self.sha256):
            raise ValueError("sha256 must be 64 hexadecimal digits")
        if not self.policies or not all(_OID.fullmatch(each) for each in self.policies):
            raise ValueError("policies must be object identifiers")
        if not 0 <= self.path_length <= 2:  # noqa: PLR2004 - nobody has a deeper hierarchy
            raise ValueError("path_length must be 0 to 2")


_ALWAYS = frozenset({"kind", "site", "title", "until"})
_MEANT_FOR = {
    CeremonyKind.CUSTODY: frozenset({"root", "custodians"}),
    CeremonyKind.ROOT_LIST: frozenset({"root", "revoked"}),
    CeremonyKind.ROOT: frozenset({"root", "custodians", "algorithm", "days"}),
    CeremonyKind.ISSUERS: frozenset({"root", "issuers", "algorithm", "days", "constraints"}),
    CeremonyKind.CROSS: frozenset({"root", "other", "days", "constraints"}),
    CeremonyKind.DELEGATE: frozenset({"issuers"}),
    CeremonyKind.UNIT: frozenset({"unit", "algorithm"}),
    CeremonyKind.LIST: frozenset({"issuers"}),
}
"""Which keys of the file belong to which kind; any other is refused like an unknown one."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """The file."""

    kind: CeremonyKind
    # Name of the site it is for.
    site: str
    # One line that says why; only the transcript holds it.
    title: str
    # Last day on which it may be held (UTC): what was reviewed long ago is reviewed again.
    until: dt.date | None = None
    # Whose key signs, or which root is made: "root", "root-ml-dsa", "root-2".
    root: str = ROOT
    # For custody and a root.
    custodians: Custodians = Custodians()
    # For a root-list: what is added to the present one.
    revoked: tuple[Withdrawal, ...] = ()
    # Which issuing authorities are made, get a delegate or a list: "people-2", "people-ml-dsa".
    issuers: tuple[str, ...] = ()
    # Of the key that is made; without it P-384 for a root, P-256 below, ML-DSA-65 in that hierarchy.
    algorithm: Algorithm | None = None
    # How long what is made is valid; without it 20 years for a root, ten for what is below.
    days: int = 0
    constraints: Constraints = UNCONSTRAINED
    other: Other | None = None
    # Label of a time-stamping unit.
    unit: str = ""

    def __post_init__(self) -> None:
        meant = _ALWAYS | _MEANT_FOR[self.kind]
        for each in fields(self):
            if each.name not in meant and getattr(self, each.name) != each.default:
                raise ValueError(f"{self.kind.value} has nothing to do with {each.name}")
        for wrong, why in self._faults():
            if wrong:
                raise ValueError(why)

    def _faults(self) -> tuple[tuple[bool, str], ...]:
        root, names = read_authority(self.root), [read_authority(each) for each in self.issuers]
        key_is_ml_dsa = self.algorithm is Algorithm.ML_DSA_65
        below = self.kind is CeremonyKind.ISSUERS
        return (
            (not self.title or not self.title.isprintable(), "title is empty or holds control characters"),
            (root is None or root.kind != ROOT, "root must be root, root-ml-dsa, or a later generation of one"),
            (self.kind is CeremonyKind.ROOT and self.root == ROOT, "the first root is made at the birth of a site"),
            (len({each.issuer for each in self.revoked}) < len(self.revoked), "an issuing authority is revoked twice"),
            ("issuers" in _MEANT_FOR[self.kind] and not names, "issuers are missing"),
            (any(each is None or each.kind == ROOT for each in names), "issuers must be issuing authorities"),
            (len(set(self.issuers)) < len(self.issuers), "an issuer stands twice"),
            (
                below and any(each and root and each.ml_dsa is not root.ml_dsa for each in names),
                "issuers belong below a root of their own hierarchy",
            ),
            (
                self.kind in (CeremonyKind.ROOT, CeremonyKind.ISSUERS)
                and self.algorithm is not None
                and root is not None
                and key_is_ml_dsa is not root.ml_dsa,
                "a hierarchy of ML-DSA keys has no others, and others have none of them",
            ),
            (not 0 <= self.days <= _MOST_DAYS, f"days must be at most {_MOST_DAYS}"),
            ((self.kind is CeremonyKind.CROSS) is (self.other is None), "a cross-certificate is about another root"),
            ((self.kind is CeremonyKind.UNIT) is not bool(_LABEL.fullmatch(self.unit)), "unit must be a short label"),
        )

    def root_name(self) -> AuthorityName:
        """The root it speaks of."""
        return read_authority(self.root) or AuthorityName(ROOT)

    def names(self) -> list[AuthorityName]:
        """The issuing authorities it speaks of."""
        return [name for name in map(read_authority, self.issuers) if name is not None]


def read_script(path: Path) -> tuple[Script, str]:
    """The script, and the SHA-256 of its file in hexadecimal, by which reviewers name it.

    Raises:
        ConfigurationError: unreadable, no TOML, unknown keys, or what cannot be.
    """
    try:
        content = path.read_bytes()
        if len(content) > _LONGEST:
            raise ConfigurationError(where=path.name, why="is too long")
        tables = tomllib.loads(content.decode("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(where=path.name, why=str(error)) from error
    return decode(Script, tables, where=path.name, folder=path.parent), hashlib.sha256(content).hexdigest()
