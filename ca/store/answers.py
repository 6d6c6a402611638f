# SPDX-License-Identifier: Apache-2.0
"""OCSP answers made beforehand, as files where the proxy finds them by the very address that a client asks.

A file's modification time is the answer's thisUpdate. The folder is a cache of the tables and lost with every start of
the site; what must not be in it any more is taken out by whoever changes a standing, before and after the change.
"""

import os
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ..x509.answers import Question

_FOLDER, _FILE = 0o2750, 0o640


class AnswerFolder:
    """One folder for each issuer; below it a file for each request, named as RFC 6960 appendix A.1 writes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, issuer: str, question: Question) -> tuple[bytes, datetime] | None:
        """An answer and its thisUpdate; None if there is none."""
        try:
            with self._path(issuer, question).open("rb") as file:
                return file.read(), _moment(os.fstat(file.fileno()).st_mtime)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, issuer: str, question: Question, der: bytes, *, at: datetime) -> None:
        """Put an answer in place, whole or not at all; not synced, since a lost one is made again."""
        path = self._path(issuer, question)
        draft = self.folder / f".{os.getpid()}-{question.serial:x}-{question.hashed}.new"
        try:
            descriptor = _create(draft)
        except FileNotFoundError:
            _make(self.folder)
            descriptor = _create(draft)
        with os.fdopen(descriptor, "wb") as file:
            file.write(der)
            os.fchmod(file.fileno(), _FILE)
        os.utime(draft, (at.timestamp(), at.timestamp()))
        try:
            draft.replace(path)
        except FileNotFoundError:
            _make(path.parent)
            draft.replace(path)

    def drop(self, issuer: str, question: Question) -> None:
        """Take an answer away."""
        try:
            self._path(issuer, question).unlink(missing_ok=True)
        except NotADirectoryError:
            return

    def each(self, issuer: str, *, until: datetime) -> Iterator[tuple[Path, bytes]]:
        """Every answer made until a moment: its place below the issuer's folder, and what it is, DER."""
        home = self.folder / issuer
        for folder, _, files in os.walk(home):
            for name in files:
                path = Path(folder, name)
                try:
                    if _moment(path.stat().st_mtime) > until:
                        continue
                    der = path.read_bytes()
                except FileNotFoundError:
                    continue
                yield path.relative_to(home), der

    def _path(self, issuer: str, question: Question) -> Path:
        return self.folder / issuer / place_of(question)


def place_of(question: Question) -> Path:
    """Where an answer lies below its issuer's folder.

    Of two slashes in its name one is left, here as in the address that nginx looks up: the request cannot be read
    from it again.
    """
    return Path(b64encode(question.request).decode("ascii"))


class ListFolder:
    """Whole revocation lists of the issuers, for whoever on this machine reads them while the authority is away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, issuer: str, der: bytes) -> None:
        """Put a list in place, whole or not at all; the same again is left alone."""
        path = self._folder / f"{issuer}.crl"
        try:
            if path.read_bytes() == der:
                return
        except FileNotFoundError:
            _make(self._folder)
        draft = self._folder / f".{os.getpid()}-{issuer}.new"
        with os.fdopen(_create(draft), "wb") as file:
            file.write(der)
            os.fchmod(file.fileno(), _FILE)
        draft.replace(path)


def _create(path: Path) -> int:
    # A leaf of an earlier attempt of this process may lie there.
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE)


def _make(folder: Path) -> None:
    """Make a folder and what it lies in, readable by the site's group whatever this process's mask."""
    missing = [folder]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(_FOLDER)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
