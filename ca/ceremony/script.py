# SPDX-License-Identifier: Apache-2.0
"""A ceremony's one file: what is to be done, for people to review before it is held. Unknown keys are refused."""

import hashlib
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from core.config import ConfigurationError, decode

from ..models import ISSUERS, Reason, read_serial

_LONGEST = 1 << 16


class CeremonyKind(StrEnum):
    """What a ceremony does."""

    # The root's key gets a new passphrase, which is divided among custodians.
    CUSTODY = "custody"
    # The root's next revocation list.
    ROOT_LIST = "root-list"


@dataclass(frozen=True, kw_only=True)
class Custodians:
    """Among whom the passphrase of the root's key is divided."""

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
        if self.issuer not in ISSUERS:
            raise ValueError(f"issuer must be one of {', '.join(ISSUERS)}")
        read_serial(self.serial)


@dataclass(frozen=True, kw_only=True)
class Script:
    """The file."""

    kind: CeremonyKind
    # Name of the site it is for.
    site: str
    # One line that says why; only the transcript holds it.
    title: str
    # For custody.
    custodians: Custodians = Custodians()
    # For a root-list: what is added to the present one.
    revoked: tuple[Withdrawal, ...] = ()

    def __post_init__(self) -> None:
        if not self.title or not self.title.isprintable():
            raise ValueError("title is empty or holds control characters")
        if self.revoked and self.kind is not CeremonyKind.ROOT_LIST:
            raise ValueError("only a root-list revokes")
        if self.custodians != Custodians() and self.kind is not CeremonyKind.CUSTODY:
            raise ValueError("only custody has custodians")
        if len({each.issuer for each in self.revoked}) < len(self.revoked):
            raise ValueError("an issuing authority is revoked twice")


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
