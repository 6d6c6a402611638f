# SPDX-License-Identifier: Apache-2.0
"""Keys in files, each encrypted (AES-256-GCM) under a key of the role's own and bound to its name."""

import os
import re
import secrets
from pathlib import Path
from threading import Lock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from .errors import HoldUnavailable, KeyGone
from .hold import Algorithm, HeldKey

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | mldsa.MLDSA65PrivateKey
_NONCE = 12
_NAME = re.compile(r"[0-9a-f]{32}")
_EXPONENT, _BITS = 65537, 3072
# Loading an RSA key takes longer than signing with it.
_MOST_LOADED = 1000


class FileHold:
    """A folder of encrypted keys; those in use are held in memory."""

    make_of = "file"

    def __init__(self, folder: Path, key: bytes) -> None:
        """``key`` is 32 bytes of the role's own."""
        self._folder = folder
        self._wrap = AESGCM(key)
        self._loaded: dict[str, PrivateKey] = {}
        self._lock = Lock()

    def make(self, algorithm: Algorithm) -> HeldKey:
        """A new key, on the disk when this returns; see ``KeyHold.make``."""
        return self._keep(_new(algorithm), algorithm)

    def take_in(self, key: ec.EllipticCurvePrivateKey) -> HeldKey:
        """Keep a key that lay elsewhere before (P-256); on the disk when this returns.

        Raises:
            HoldUnavailable: it could not be written.
        """
        return self._keep(key, Algorithm.P256)

    def _keep(self, key: PrivateKey, algorithm: Algorithm) -> HeldKey:
        name = secrets.token_hex(16)
        content = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        nonce = secrets.token_bytes(_NONCE)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(nonce + self._wrap.encrypt(nonce, content, name.encode()))
                file.flush()
                os.fsync(file.fileno())
            # Without this the name may be gone after a power cut, when its certificate is issued already.
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise HoldUnavailable from error
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return HeldKey(name=name, algorithm=algorithm, public=public)

    def sign(self, key: HeldKey, data: bytes) -> bytes:
        """A signature; see ``KeyHold.sign``."""
        private = self._private(key.name)
        if isinstance(private, rsa.RSAPrivateKey):
            return private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if isinstance(private, mldsa.MLDSA65PrivateKey):
            return private.sign(data)
        return private.sign(data, ec.ECDSA(hashes.SHA256()))

    def drop(self, key: HeldKey) -> None:
        """Destroy a key; see ``KeyHold.drop``."""
        with self._lock:
            self._loaded.pop(key.name, None)
        try:
            self._path(key.name).unlink(missing_ok=True)
        except OSError as error:
            raise HoldUnavailable from error

    def _private(self, name: str) -> PrivateKey:
        with self._lock:
            if (known := self._loaded.get(name)) is not None:
                return known
        if not _NAME.fullmatch(name):
            raise KeyGone
        try:
            sealed = self._path(name).read_bytes()
        except FileNotFoundError as error:
            raise KeyGone from error
        except OSError as error:
            raise HoldUnavailable from error
        try:
            key = load_der_private_key(self._wrap.decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode()), None)
        except (InvalidTag, ValueError) as error:
            raise KeyGone from error
        if not isinstance(key, PrivateKey):
            raise KeyGone
        with self._lock:
            if len(self._loaded) >= _MOST_LOADED:
                self._loaded.clear()
            self._loaded[name] = key
        return key

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.key"


def _new(algorithm: Algorithm) -> PrivateKey:
    if algorithm is Algorithm.RSA:
        return rsa.generate_private_key(_EXPONENT, _BITS)
    if algorithm is Algorithm.ML_DSA_65:
        return mldsa.MLDSA65PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())
