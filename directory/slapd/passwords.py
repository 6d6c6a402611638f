# SPDX-License-Identifier: Apache-2.0
"""Hashes for ``userPassword`` that slapd's argon2 module accepts, made here so that they are argon2id.

slapd's own module makes argon2i, which OWASP and RFC 9106 rank behind argon2id; what we enter ourselves is therefore
hashed here (`cryptography`'s Argon2id, PHC string). Only a password a person changes goes to slapd in clear, over the
socket, because the history and length rules cannot look into a hash.
"""

import base64
from dataclasses import dataclass

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

DIGEST_LENGTH = 32
SALT_LENGTH = 16


@dataclass(frozen=True)
class Cost:
    """What one hash costs; lanes are always 1, as slapd verifies on one thread."""

    memory_kib: int
    passes: int


# A service's secret has 256 random bits: stretching it protects nothing, and services reconnect often.
SERVICE_COST = Cost(memory_kib=64, passes=1)


def hashed(password: bytes, *, salt: bytes, cost: Cost) -> str:
    """The value for ``userPassword``."""
    digest = Argon2id(
        salt=salt, length=DIGEST_LENGTH, iterations=cost.passes, lanes=1, memory_cost=cost.memory_kib
    ).derive(password)
    return _value(salt, digest, cost)


def unusable(*, salt: bytes, digest: bytes, cost: Cost) -> str:
    """A value that no password fits and that costs as much to try as any other.

    Who has no password gets this one, so that the time of an answer does not tell.
    """
    return _value(salt, digest, cost)


def service_password(secret: bytes) -> str:
    """A service's secret as it is sent in a bind: text, so that no byte of it is special."""
    return base64.b64encode(secret).decode()


def _value(salt: bytes, digest: bytes, cost: Cost) -> str:
    parameters = f"m={cost.memory_kib},t={cost.passes},p=1"
    return f"{{ARGON2}}$argon2id$v=19${parameters}${_plain(salt)}${_plain(digest)}"


def _plain(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode()
