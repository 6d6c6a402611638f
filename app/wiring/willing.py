# SPDX-License-Identifier: Apache-2.0
"""Signing with kept keys: where keys lie, what is kept of consents, and how this role proves itself."""

import json
from base64 import urlsafe_b64encode
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from audit import encode_event
from core.config import ConfigurationError
from core.jose import members, thumbprint
from signatures.config import SignatureSettings
from signatures.holds import FileHold, KeyHold, TokenHold
from signatures.remote import RemoteStore
from signatures.remote.store import MIGRATIONS
from signatures.service.keys import SealKeys, move_in
from signatures.store import Store

from ..context import Context
from ..files import private_text, replace, write_secret
from .parting import part

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


def holds(context: Context, settings: SignatureSettings) -> dict[str, KeyHold]:
    """Every place where keys are kept: files always, for those that were made before there was a token."""
    kept: dict[str, KeyHold] = {"file": file_hold(context)}
    if settings.token_module is not None and settings.token_pin is not None:
        kept["token"] = TokenHold(module=settings.token_module, label=settings.token_label, pin=settings.token_pin)
    return kept


def file_hold(context: Context) -> FileHold:
    """Keys in files, encrypted under the role's own."""
    return FileHold(context.site.folder(ROLE) / "held", context.kept_key(ROLE, "hold.key"))


def seal_keys(context: Context, settings: SignatureSettings, store: Store) -> SealKeys:
    """The keys of organisations' seals; those of an earlier release are moved into the hold first."""
    move_in(context.site.folder(ROLE) / "keys", store=store, hold=file_hold(context))
    return SealKeys(holds(context, settings), make_of=settings.keys)


def remote_signing(context: Context, _settings: SignatureSettings) -> RemoteStore:
    """The tables; names and hashes of documents lie sealed in them."""
    sealing = Fernet(urlsafe_b64encode(context.kept_key(ROLE, "consents.key")))
    over = partial(
        RemoteStore.over,
        encode=encode_event,
        seal=lambda text: sealing.encrypt(text.encode()).decode(),
        unseal=lambda text: sealing.decrypt(text).decode(),
    )
    return part(context, "remote", MIGRATIONS, over)


def sign_on_keys(context: Context) -> dict[str, Any]:
    """The sign-on's published keys; what a running sign-on keeps comes first."""
    newer, published_ = context.site.socket("sso").parent / "jwks.json", context.site.public / "sso-jwks.json"
    try:
        found_: dict[str, Any] = json.loads(newer.read_bytes())
    except FileNotFoundError:
        found_ = json.loads(published_.read_bytes())
    return found_


def _client_path(context: Context) -> Path:
    return context.site.folder(ROLE) / "client.pem"
