# SPDX-License-Identifier: Apache-2.0
"""Roots' keys, encrypted, in ``state/offline``: no running role can reach them.

The passphrases of the roots that a site is born with lie beside their keys only until custody ceremonies divide them
among custodians; a demo leaves them there. The passphrase of every later root is divided before its key is kept.
"""

import base64
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from ..errors import KeyUnusable
from ..models import ROOT
from ..signer.keys import write_private
from ..x509 import SigningKey, algorithm_of

KEY = "root.key"
PASSPHRASE = "passphrase"  # noqa: S105 - the name of a file
SECRET_SIZE = 32


def key_path(offline: Path, root: str = ROOT) -> Path:
    """Where a root's key lies."""
    return offline / f"{root}.key"


def keep(offline: Path, key: SigningKey, root: str = ROOT) -> None:
    """Encrypt the key of a root that a site is born with, and leave its passphrase beside it."""
    secret = secrets.token_bytes(SECRET_SIZE)
    write_private(_beside(offline, root), _passphrase(secret) + b"\n")
    replace(offline, encrypted(key, secret), root)


def encrypted(key: SigningKey, secret: bytes) -> bytes:
    """The key's file under a secret."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(_passphrase(secret)))


def replace(offline: Path, key_file: bytes, root: str = ROOT) -> None:
    """Put a key's file in the place of the one that is there."""
    write_private(key_path(offline, root), key_file)


def forget_passphrase(offline: Path, root: str = ROOT) -> None:
    """Leave the key to whoever has its secret."""
    _beside(offline, root).unlink(missing_ok=True)


def is_at_hand(offline: Path, root: str = ROOT) -> bool:
    """Whether key and passphrase lie here, as in a demo."""
    return key_path(offline, root).exists() and _beside(offline, root).exists()


def take(offline: Path, secret: Callable[[], bytes] | None = None, root: str = ROOT) -> SigningKey:
    """Decrypt a root's key with the passphrase beside it; if that is not there or is old, with custodians' secret.

    Raises:
        KeyUnusable: key or passphrase is not there, or one does not open the other.
    """
    beside = is_at_hand(offline, root)
    try:
        key_file = key_path(offline, root).read_bytes()
        passphrase = _beside(offline, root).read_bytes().strip() if secret is None or beside else b""
    except OSError as error:
        raise KeyUnusable(path=str(offline), why=error.strerror or "unreadable") from error
    if passphrase:
        try:
            return _opened(key_file, passphrase)
        except KeyUnusable:
            if secret is None:
                raise
    return opened(key_file, secret() if secret else b"")


def opened(key_file: bytes, secret: bytes) -> SigningKey:
    """Decrypt a key's file with its secret.

    Raises:
        KeyUnusable: it does not open it.
    """
    return _opened(key_file, _passphrase(secret))


def _opened(key_file: bytes, passphrase: bytes) -> SigningKey:
    try:
        key = load_pem_private_key(key_file, password=passphrase)
    except (ValueError, TypeError) as error:
        raise KeyUnusable(path=KEY, why="the passphrase does not open it") from error
    if not isinstance(key, SigningKey) or algorithm_of(key) is None:
        raise KeyUnusable(path=KEY, why="not of a kind that authorities have")
    return key


def _beside(offline: Path, root: str) -> Path:
    """Where a root's passphrase lies while it is not divided."""
    return offline / (PASSPHRASE if root == ROOT else f"{root}.{PASSPHRASE}")


def _passphrase(secret: bytes) -> bytes:
    return base64.b64encode(secret)
