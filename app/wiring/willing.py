# SPDX-License-Identifier: Apache-2.0
"""Signing with kept keys: where keys lie, and what is kept of consents."""

import json
import stat
from base64 import urlsafe_b64encode
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from audit import encode_event
from core.config import ConfigurationError
from signatures.config import SignatureSettings
from signatures.holds import FileHold, KeyHold, TokenHold
from signatures.remote import RemoteStore
from signatures.remote.store import MIGRATIONS
from signatures.service.keys import SealKeys, move_in
from signatures.store import Store

from ..context import Context
from .parting import part

ROLE = "signatures"


def holds(context: Context, settings: SignatureSettings) -> dict[str, KeyHold]:
    """Every place where keys are kept: files always, for those that were made before there was a token."""
    kept: dict[str, KeyHold] = {"file": file_hold(context)}
    if settings.token_module is not None and settings.token_pin is not None:
        pin = private(settings.token_pin)
        kept["token"] = TokenHold(module=settings.token_module, label=settings.token_label, pin=pin)
    return kept


def private(pin: Path) -> Path:
    """The file of a PIN, if nobody but its owner can read it; one that is not there is missed when it is used.

    Raises:
        ConfigurationError: others can read it: whoever has the token's library on this machine signs as everybody.
    """
    if pin.exists() and pin.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(where=str(pin), why="a token's PIN must not be readable by group or others")
    return pin


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
