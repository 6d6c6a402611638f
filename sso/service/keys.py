# SPDX-License-Identifier: Apache-2.0
"""The folder of signing keys: ``signing.pem`` and, after a rotation, the public halves of older ones.

Trusted: who can read ``signing.pem`` can be anybody at every portal. A retained key stays until every token it signed
is over and every portal has fetched the newer list; removing its file ends it.
"""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from ..oauth.rfc7517 import KeyRing

SIGNING = "signing.pem"


def make_keys(folder: Path) -> None:
    """Make the first signing key; leaves one that exists."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / SIGNING).exists():
        write_key(folder / SIGNING, generate_private_key(SECP256R1()))


def load_keys(folder: Path) -> KeyRing:
    """Read the folder.

    Raises:
        OSError: there is no signing key.
        ValueError: a file is not a P-256 key.
    """
    return KeyRing(load_signing(folder), retained=load_retained(folder))


def load_signing(folder: Path, name: str = SIGNING) -> EllipticCurvePrivateKey:
    """The key that signs, or one on the way to that; raises as ``load_keys``."""
    signing = load_pem_private_key((folder / name).read_bytes(), None)
    if not isinstance(signing, EllipticCurvePrivateKey):
        raise ValueError(f"{folder}: the signing key must be P-256")  # noqa: TRY004 - content, not type
    return signing


def load_retained(folder: Path) -> list[EllipticCurvePublicKey]:
    """The public halves of older ones; raises as ``load_keys``."""
    retained = []
    for path in sorted(folder.glob("retained-*.pem")):
        key = load_pem_public_key(path.read_bytes())
        if not isinstance(key, EllipticCurvePublicKey):
            raise ValueError(f"{path}: must be P-256")  # noqa: TRY004 - content, not type
        retained.append(key)
    return retained


def write_key(path: Path, key: EllipticCurvePrivateKey) -> None:
    """Put a private key where none is."""
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
