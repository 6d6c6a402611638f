# SPDX-License-Identifier: Apache-2.0
"""Keeps documents: the row holds the key, the file the document, each worthless without the other.

A file is on the disk before its row, and a row is gone before its file; so a death leaves at worst a file that nobody
can read, and ``tidy`` takes it away. It also wipes the database, whose journal would keep the keys of what is gone.
"""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.clock import Clock

from .errors import NoSuchDocument, ShelfUnreadable
from .store import Row, ShelfStore

_NONCE = 12
_SUFFIX = ".sealed"
_IDENTIFIER = 32
# A file without a row may be one whose row comes in a moment.
_ORPHANED_AFTER = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much is kept, and for how long."""

    # Documents and bytes of one owner.
    most: int
    most_bytes: int
    # Bytes of all owners together.
    most_bytes_of_all: int
    lifetime: timedelta


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a document without opening it; kept as secretly as the document."""

    # The name of the file, as its owner calls it.
    name: str
    # SHA-256, hexadecimal.
    sha256: str
    # What the document calls itself; empty if nothing.
    title: str = ""
    pages: int = 0
    # Signatures in it when it came.
    signatures: int = 0


@dataclass(frozen=True, kw_only=True)
class Shelved:
    """A document that is kept."""

    id: str
    owner: str
    size: int
    facts: Facts
    kept_at: datetime
    expires_at: datetime


class Shelf:
    """What people and agencies left; an owner is a text such as ``person:SUBJECT``."""

    def __init__(self, *, folder: Path, store: ShelfStore, key: bytes, clock: Clock) -> None:
        """``key`` is 32 bytes of the role's own."""
        self._folder = folder
        self._store = store
        self._wrap = AESGCM(key)
        self._clock = clock

    def put(self, owner: str, document: bytes, *, facts: Facts, limits: Limits) -> Shelved:
        """Keep a document; on disk when this returns.

        Raises:
            ShelfFull: there is no room for it; nothing is kept.
        """
        identifier, key, now = secrets.token_hex(_IDENTIFIER // 2), AESGCM.generate_key(256), self._clock.now()
        row = Row(
            id=identifier,
            owner=owner,
            size=len(document),
            key=_closed(self._wrap, key, f"key {identifier}"),
            facts=_closed(AESGCM(key), json.dumps(asdict(facts)).encode(), f"facts {identifier}"),
            kept_at=now,
            expires_at=now + limits.lifetime,
        )
        self._write(identifier, _closed(AESGCM(key), document, f"document {identifier}"))
        try:
            self._store.add(
                row, most=limits.most, most_bytes=limits.most_bytes, most_bytes_of_all=limits.most_bytes_of_all
            )
        except BaseException:
            self._unlink(identifier)
            raise
        return _shelved(row, facts)

    def of(self, owner: str) -> list[Shelved]:
        """Everything of one owner, newest first."""
        return [self._known(row)[0] for row in self._store.of(owner, at=self._clock.now())]

    def one(self, owner: str, identifier: str) -> Shelved:
        """One of an owner's.

        Raises:
            NoSuchDocument: not here, not theirs, or over.
        """
        return self._known(self._store.one(owner, identifier, at=self._clock.now()))[0]

    def read(self, owner: str, identifier: str) -> bytes:
        """The document itself.

        Raises:
            NoSuchDocument: not here, not theirs, or over.
            ShelfUnreadable: its file is not what was kept.
        """
        row = self._store.one(owner, identifier, at=self._clock.now())
        _, key = self._known(row)
        try:
            sealed = self._path(identifier).read_bytes()
        except OSError as error:
            raise ShelfUnreadable from error
        return _opened(key, sealed, f"document {identifier}")

    def give(self, identifier: str, *, owner: str, to: str) -> bool:
        """Let it be another owner's from now on, whatever room that one has; False if it was not this one's."""
        return self._store.give(identifier, owner=owner, to=to)

    def remove(self, owner: str, identifier: str) -> None:
        """Forget a document for good.

        Raises:
            NoSuchDocument: not here, or not theirs.
        """
        if not self._store.remove(owner, identifier):
            raise NoSuchDocument
        self._unlink(identifier)

    def tidy(self) -> int:
        """Forget what is over, and files that a death left; how many documents were over."""
        now = self._clock.now()
        over = self._store.expire(at=now)
        for identifier in over:
            self._unlink(identifier)
        before = (now - _ORPHANED_AFTER).timestamp()
        old = [path for path in self._files() if _modified(path) < before]
        known = self._store.known([path.name.partition(".")[0] for path in old]) if old else set()
        for path in old:
            if path.name.partition(".")[0] not in known:
                path.unlink(missing_ok=True)
        self._store.wipe()
        return len(over)

    def _known(self, row: Row) -> tuple[Shelved, AESGCM]:
        key = AESGCM(_opened(self._wrap, row.key, f"key {row.id}"))
        facts = Facts(**json.loads(_opened(key, row.facts, f"facts {row.id}")))
        return _shelved(row, facts), key

    def _files(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if path.is_file()] if self._folder.is_dir() else []

    def _path(self, identifier: str) -> Path:
        return self._folder / f"{identifier}{_SUFFIX}"

    def _unlink(self, identifier: str) -> None:
        self._path(identifier).unlink(missing_ok=True)

    def _write(self, identifier: str, sealed: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path(identifier), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _closed(key: AESGCM, content: bytes, what: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + key.encrypt(nonce, content, what.encode())


def _opened(key: AESGCM, sealed: bytes, what: str) -> bytes:
    try:
        return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], what.encode())
    except (InvalidTag, ValueError) as error:
        raise ShelfUnreadable from error


def _shelved(row: Row, facts: Facts) -> Shelved:
    return Shelved(
        id=row.id, owner=row.owner, size=row.size, facts=facts, kept_at=row.kept_at, expires_at=row.expires_at
    )


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        # Gone meanwhile.
        return float("inf")
