# SPDX-License-Identifier: Apache-2.0
"""How the signature service proves itself at sign-on: a key of its own, and its public half for whoever registers it.

Sign-on reads only the name of that file here, so nothing of this module loads what the service itself needs.
"""

import json
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from core.config import ConfigurationError
from core.jose import members, thumbprint

from ..context import Context
from ..files import private_text, replace, write_secret

ROLE = "signatures"
PUBLISHED = "signing-client.json"
"""The public half of the role's key at sign-on, a JWK set."""


def found(context: Context) -> None:
    """Make the role's key at sign-on and publish its public half; repeating it changes no key."""
    path = _client_path(context)
    if not path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        write_secret(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    replace(context.site.public / PUBLISHED, published(client_key(context)))


def published(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public half as sign-on registers it."""
    jwk = {**members(key.public_key()), "kid": thumbprint(key.public_key()), "use": "sig", "alg": "ES256"}
    return json.dumps({"keys": [jwk]}, indent=2).encode() + b"\n"


def client_key(context: Context) -> ec.EllipticCurvePrivateKey:
    """The role's key at sign-on. A site of an earlier release has none: one that sign-on does not know is made.

    Raises:
        ConfigurationError: it is no such key.
    """
    path = _client_path(context)
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        # Of two workers that start together one is first, and both use its key.
        with suppress(FileExistsError):
            write_secret(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    try:
        key = load_pem_private_key(private_text(path).encode(), None)
    except ValueError as error:
        raise ConfigurationError(where=str(path), why="no key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(where=str(path), why="no key of P-256")
    return key


def _client_path(context: Context) -> Path:
    return context.site.folder(ROLE) / "client.pem"
