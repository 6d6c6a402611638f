# SPDX-License-Identifier: Apache-2.0
"""Two security administrators sign what is to be released, each with a key of their own.

Their public keys stand in the site's configuration. Once any does, every role asks two of them for every bundle: the
release key alone puts nothing in force. An approval is for these files, this number and what is said of a trial in
shadow: how long it lasts at least, or why there is none. To go back to what was in force once needs no new one. It
lies in the source folder as a hidden file, so that it travels with what it approves.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .errors import BundleRefused

NEEDED = 2
"""How many different administrators."""
PREFIX = ".approval-"
"""Beginning of the name of an approval's file; no file of a release begins with a dot."""
# Nothing else these keys could ever sign begins like this.
_CONTEXT = b"tallygate policy approval\n"
_WHY = re.compile(r"[A-Za-z0-9._:/~+=-]{1,200}", re.ASCII)
_LONGEST_TRIAL = 366 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What is signed of the trial in shadow; as it is by default, any trial will do and none will not."""

    # How long it lasts at least.
    seconds: int = 0
    # Why there is none, in a word; empty if there is one.
    without: str = ""

    @classmethod
    def read(cls, said: str) -> Self:
        """What ``said`` says.

        Raises:
            BundleRefused: it is not its one spelling.
        """
        kind, _, value = said.partition(":")
        trial = cls()
        if kind == "tried" and value.isascii() and value.isdecimal() and len(value) < 9:  # noqa: PLR2004 - digits
            trial = cls(seconds=int(value))
        elif kind == "untried" and _WHY.fullmatch(value):
            trial = cls(without=value)
        if trial.said != said or trial.seconds > _LONGEST_TRIAL:
            raise BundleRefused(why="what was signed says nothing that can be read of a trial in shadow")
        return trial

    @property
    def said(self) -> str:
        """As it is signed; empty by default, as in what was signed before trials were."""
        if self.without:
            return f"untried:{self.without}"
        return f"tried:{self.seconds}" if self.seconds else ""


@dataclass(frozen=True, kw_only=True)
class Approval:
    """One administrator's word."""

    administrator: str
    # The number the release was to have.
    sequence: int
    # Base64.
    signature: str
    # What was signed of a trial, as ``Trial.said``.
    trial: str = ""

    def written(self) -> bytes:
        """As it lies in the folder."""
        return json.dumps(asdict(self)).encode() + b"\n"


def approve(
    files: Mapping[str, str], *, sequence: int, administrator: str, key: Ed25519PrivateKey, trial: str = ""
) -> Approval:
    """Sign; ``files`` are names and digests."""
    said = statement(files, sequence=sequence, administrator=administrator, trial=trial)
    signature = base64.b64encode(key.sign(said)).decode()
    return Approval(administrator=administrator, sequence=sequence, signature=signature, trial=trial)


def read_approval(content: bytes) -> Approval:
    """Parse; nothing is verified.

    Raises:
        BundleRefused: it is none.
    """
    try:
        said: Any = json.loads(content)
    except ValueError as error:
        raise BundleRefused(why="an approval cannot be read") from error
    match said:
        case {"administrator": str(name), "sequence": int(number), "signature": str(signature)} if number is not True:
            trial = Trial.read(str(said.get("trial", ""))).said
            return Approval(administrator=name, sequence=number, signature=signature, trial=trial)
        case _:
            raise BundleRefused(why="an approval cannot be read")


def approving(
    files: Mapping[str, str],
    approvals: Mapping[str, str],
    *,
    sequence: int,
    administrators: Mapping[str, str],
    trial: str = "",
) -> frozenset[str]:
    """Which administrators really signed this."""
    found: dict[bytes, str] = {}
    for name, signature in sorted(approvals.items()):
        if name not in administrators:
            continue
        try:
            raw = base64.b64decode(administrators[name], validate=True)
            key = Ed25519PublicKey.from_public_bytes(raw)
            said = statement(files, sequence=sequence, administrator=name, trial=trial)
            key.verify(base64.b64decode(signature, validate=True), said)
        except (InvalidSignature, binascii.Error, ValueError, TypeError):
            continue
        # One key under two names is one administrator, however often Base64 can spell it.
        found[raw] = name
    return frozenset(found.values())


def able(administrators: Mapping[str, str]) -> int:
    """How many could sign: one key under several names is one administrator, and what is no key is none."""
    found = set()
    for spelt in administrators.values():
        try:
            raw = base64.b64decode(spelt, validate=True)
            Ed25519PublicKey.from_public_bytes(raw)
        except (binascii.Error, ValueError):
            continue
        found.add(raw)
    return len(found)


def demand(
    files: Mapping[str, str],
    approvals: Mapping[str, str],
    *,
    sequence: int,
    administrators: Mapping[str, str],
    trial: str = "",
) -> None:
    """Nothing, if enough signed or the site names no administrators.

    Raises:
        BundleRefused: fewer than two of them signed.
    """
    if not administrators:
        return
    signed = approving(files, approvals, sequence=sequence, administrators=administrators, trial=trial)
    if len(signed) < NEEDED:
        who = ", ".join(sorted(signed)) or "nobody"
        raise BundleRefused(why=f"{NEEDED} security administrators sign a release, and {who} signed this one")


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What an administrator is about to sign."""

    administrator: str
    sequence: int
    # Names and digests.
    files: Mapping[str, str]
    trial: Trial


def read_statement(content: bytes) -> Statement:
    """Parse what is to be signed elsewhere; it is one in its one spelling, or nothing.

    Raises:
        BundleRefused: it is no statement about policies.
    """
    try:
        said: Any = json.loads(content.removeprefix(_CONTEXT))
    except ValueError as error:
        raise BundleRefused(why="this is no statement about policies") from error
    match said:
        case {"administrator": str(name), "files": dict(files), "sequence": int(number)} if content == statement(
            files, sequence=number, administrator=name, trial=str(said.get("trial", ""))
        ):
            trial = Trial.read(str(said.get("trial", "")))
            return Statement(administrator=name, sequence=number, files=files, trial=trial)
        case _:
            raise BundleRefused(why="this is no statement about policies")


def statement(files: Mapping[str, str], *, sequence: int, administrator: str, trial: str = "") -> bytes:
    """The bytes that one administrator signs; nothing else these keys could sign begins like them."""
    said = {"administrator": administrator, "files": dict(files), "sequence": sequence}
    said |= {"trial": trial} if trial else {}
    return _CONTEXT + json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
