# SPDX-License-Identifier: Apache-2.0
"""The root's key, encrypted, in ``state/offline``: no running role can reach it.

Its passphrase lies beside it only in a demo; an operator takes both away.
"""

import base64
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from ..errors import KeyUnusable
from ..signer.keys import write_private

KEY = "root.key"
PASSPHRASE = "passphrase"  # noqa: S105 - the name of a file


def keep(offline: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Encrypt a new root's key."""
    passphrase = base64.b64encode(secrets.token_bytes(32))
    write_private(offline / PASSPHRASE, passphrase + b"\n")
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))
    write_private(offline / KEY, encrypted)


def is_at_hand(offline: Path) -> bool:
    """Whether key and passphrase lie here, as in a demo."""
    return (offline / KEY).exists() and (offline / PASSPHRASE).exists()


def take(offline: Path) -> ec.EllipticCurvePrivateKey:
    """Decrypt the root's key.

    Raises:
        KeyUnusable: key or passphrase is not there, or one does not open the other.
    """
    try:
        passphrase = (offline / PASSPHRASE).read_bytes().strip()
        key = load_pem_private_key((offline / KEY).read_bytes(), password=passphrase)
    except OSError as error:
        raise KeyUnusable(path=str(offline), why=error.strerror or "unreadable") from error
    except (ValueError, TypeError) as error:
        raise KeyUnusable(path=str(offline / KEY), why="the passphrase does not open it") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyUnusable(path=str(offline / KEY), why="not an elliptic-curve key")
    return key
