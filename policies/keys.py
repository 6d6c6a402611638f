# SPDX-License-Identifier: Apache-2.0
"""The policy key: the private half is used at release only and belongs on no running role's disk."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from core.config import secret

from .errors import BundleRefused


def read_release_key(path: Path) -> Ed25519PrivateKey:
    """The private half, 32 raw bytes that only their owner can read.

    Raises:
        ConfigurationError: missing, readable by others, or of another length.
    """
    return Ed25519PrivateKey.from_private_bytes(secret(path))


def read_policy_key(path: Path) -> Ed25519PublicKey:
    """The public half, PEM.

    Raises:
        BundleRefused: missing or of another kind.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BundleRefused(why=f"{path} is no public key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BundleRefused(why=f"{path} is no Ed25519 key")
    return key


def public_pem(key: Ed25519PrivateKey) -> bytes:
    """The public half as everybody else reads it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
