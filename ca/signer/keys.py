# SPDX-License-Identifier: Apache-2.0
"""Key files: PKCS #8 in ``state/ca/keys``, readable by their owner only, replaced whole or not at all.

``<issuer>.pem`` holds an issuing key. ``ocsp-<issuer>.pem`` holds a responder's key and its certificate together, so
that a renewal swaps both in one step.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ..errors import KeyUnusable
from ..x509 import SigningKey, algorithm_of


@dataclass(frozen=True)
class Responder:
    """An OCSP delegate."""

    key: SigningKey
    certificate: x509.Certificate


@dataclass(frozen=True)
class Unit:
    """A time-stamping unit."""

    key: SigningKey
    certificate: x509.Certificate
    # The authorities above it, without the root.
    chain: tuple[x509.Certificate, ...]


class KeyFolder:
    """Reads and writes the key files of one authority."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def issuing(self, issuer: str) -> SigningKey:
        """An issuing key.

        Raises:
            KeyUnusable: missing, readable by others, or of a kind that no authority has.
        """
        path = self._folder / f"{issuer}.pem"
        return _key(path, _read(path))

    def responder(self, issuer: str) -> Responder:
        """An OCSP delegate.

        Raises:
            KeyUnusable: as above, or without its certificate.
        """
        path = self.responder_path(issuer)
        content = _read(path)
        try:
            certificate = x509.load_pem_x509_certificate(content)
        except ValueError as error:
            raise KeyUnusable(path=str(path), why="holds no certificate") from error
        return Responder(_key(path, content), certificate)

    def responder_path(self, issuer: str) -> Path:
        """Where a delegate lies; its modification time tells of a renewal."""
        return self._folder / f"ocsp-{issuer}.pem"

    def keep_issuing(self, issuer: str, key: SigningKey) -> None:
        """Write a new issuing key."""
        write_private(self._folder / f"{issuer}.pem", encode_key(key))

    def keep_responder(self, issuer: str, key: SigningKey, certificate: bytes) -> None:
        """Put a new delegate in the place of the old one."""
        write_private(self.responder_path(issuer), encode_key(key) + certificate)


def read_unit(path: Path) -> Unit:
    """A time-stamping unit from its file.

    Raises:
        KeyUnusable: missing, readable by others, or without its certificates.
    """
    content = _read(path)
    try:
        certificate, *chain = x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise KeyUnusable(path=str(path), why="holds no certificate") from error
    return Unit(_key(path, content), certificate, tuple(chain))


def encode_key(key: SigningKey) -> bytes:
    """PKCS #8 in PEM, unencrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def write_private(path: Path, content: bytes) -> None:
    """Write a file for its owner alone; a crash leaves the old content or the new."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    # A renewal runs as root in folders of others: what lies here already, a link say, is replaced and not written to.
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _read(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except OSError as error:
        raise KeyUnusable(path=str(path), why=error.strerror or "unreadable") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyUnusable(path=str(path), why="readable by group or others")
    return content


def _key(path: Path, content: bytes) -> SigningKey:
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise KeyUnusable(path=str(path), why="not an unencrypted PKCS #8 key") from error
    if not isinstance(key, SigningKey) or algorithm_of(key) is None:
        raise KeyUnusable(path=str(path), why="not of a kind that authorities have")
    return key
