# SPDX-License-Identifier: Apache-2.0
"""One backup as a folder: sealed parts, and a manifest in clear that nobody changes unseen.

Whoever writes holds the backup's own key only while writing; by it everything is read again before it counts as made.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey

from ..errors import BrokenBackup
from . import keys
from .sealing import derived, seal, unseal

MANIFEST = "manifest.json"
_FORMAT = 1
_READ = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What the manifest says about a backup."""

    at: str
    suffix: str
    newest: str
    parts: Mapping[str, Mapping[str, Any]]


class Vault:
    """A folder with one backup in it, and the key that opens its parts."""

    def __init__(self, folder: Path, key: bytes, kept: Kept | None = None) -> None:
        self.folder = folder
        self._key = key
        self._kept = kept
        # Open from the beginning: a process that has become another user goes on with what it was handed.
        self._files: dict[str, BinaryIO] = {}

    @classmethod
    def create(cls, folder: Path) -> "Vault":
        """An empty one; the folder must not be there yet.

        Raises:
            FileExistsError: it is.
        """
        folder.mkdir(mode=0o700, parents=True)
        return cls(folder, secrets.token_bytes(32))

    @classmethod
    def open(cls, folder: Path, private: MLKEM768X25519PrivateKey) -> "Vault":
        """One that was closed.

        Raises:
            BrokenBackup: there is no whole one.
            WrongBackupKey: it was sealed to another key.
        """
        try:
            told = json.loads((folder / MANIFEST).read_bytes())
            key = keys.unsealed(base64.b64decode(told["key"]), private)
            mac = told.pop("mac")
            kept = Kept(at=told["at"], suffix=told["suffix"], newest=told["newest"], parts=told["parts"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BrokenBackup(part=MANIFEST) from error
        if told.get("format") != _FORMAT or not hmac.compare_digest(str(mac), _mac(key, told)):
            raise BrokenBackup(part=MANIFEST)
        vault = cls(folder, key, kept)
        for part in kept.parts:
            try:
                vault._files[part] = (folder / Path(part).name).open("rb")
            except OSError as error:
                raise BrokenBackup(part=part) from error
        return vault

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    @property
    def kept(self) -> Kept:
        """What the manifest says.

        Raises:
            BrokenBackup: it is not closed yet.
        """
        if self._kept is None:
            raise BrokenBackup(part=MANIFEST)
        return self._kept

    def begin(self, part: str) -> None:
        """Open the file of a part for writing."""
        self._files[part] = self._new(part)

    def put(self, part: str, data: Iterable[bytes]) -> None:
        """Seal a part into its file; on disk when this returns."""
        file = self._files[part]
        seal(data, file, key=self._key, part=part)
        file.flush()
        os.fsync(file.fileno())

    def read(self, part: str) -> Iterator[bytes]:
        """What a part holds.

        Raises:
            BrokenBackup: it is missing, or not as it was sealed.
        """
        if part not in self._files:
            raise BrokenBackup(part=part)
        file = self._files[part]
        file.seek(0)
        return unseal(file, key=self._key, part=part)

    def close(self, public: MLKEM768X25519PublicKey, *, at: str, suffix: str, newest: str) -> Kept:
        """Write the manifest, last of all: without it there is no backup."""
        digests = {part: self._digest(part) for part in self._files}
        sealed = base64.b64encode(keys.sealed(self._key, public)).decode("ascii")
        told = {"format": _FORMAT, "at": at, "suffix": suffix, "newest": newest, "parts": digests, "key": sealed}
        text = json.dumps(told | {"mac": _mac(self._key, told)}, indent=1).encode()
        with self._new(MANIFEST) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._kept = Kept(at=at, suffix=suffix, newest=newest, parts=digests)
        return self._kept

    def verify(self) -> None:
        """Read everything again.

        Raises:
            BrokenBackup: something is not as it was written.
        """
        for part, told in self.kept.parts.items():
            if self._digest(part) != dict(told):
                raise BrokenBackup(part=part)
            for _ in self.read(part):
                pass

    def _new(self, name: str) -> BinaryIO:
        handle = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        return os.fdopen(handle, "w+b")

    def _digest(self, part: str) -> dict[str, Any]:
        file = self._files[part]
        file.seek(0)
        digest = hashlib.sha256()
        while piece := file.read(_READ):
            digest.update(piece)
        return {"bytes": file.tell(), "sha256": digest.hexdigest()}


def _mac(key: bytes, told: Mapping[str, Any]) -> str:
    text = json.dumps(told, sort_keys=True).encode()
    return hmac.new(derived(key, "manifest"), text, hashlib.sha256).hexdigest()
