# SPDX-License-Identifier: Apache-2.0
"""Keys in a PKCS #11 token: it makes them, marks them sensitive and not extractable, and signs with them.

The PIN is read from a file of the role's own each time a session is opened, and kept nowhere; one that was refused is
not tried again until the file holds another, for a token locks itself after a few. A session that breaks is thrown away
and the next use opens another, so a token that was pulled out and put back goes on.
"""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11.exceptions import NoSuchKey, PinExpired, PinIncorrect, PinLocked, PKCS11Error, UserAlreadyLoggedIn
from pkcs11.util.ec import encode_named_curve_parameters

from .errors import HoldUnavailable, KeyGone, KindNotKept
from .hold import Algorithm, HeldKey

_BITS = 3072
_HALF = 32
_OCTETS = 0x04
_SHORT_POINT = 65
_CURVE = encode_named_curve_parameters("1.2.840.10045.3.1.7")
_PRIVATE = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
_KINDS = {Algorithm.P256: pkcs11.KeyType.EC, Algorithm.RSA: pkcs11.KeyType.RSA}


class TokenHold:
    """One token, one session at a time."""

    make_of = "token"

    def __init__(self, *, module: Path, label: str, pin: Path) -> None:
        """``module`` is the token's library, ``label`` its name, ``pin`` a file that holds nothing but its PIN."""
        self._module = module
        self._label = label
        self._pin = pin
        self._session: Any = None
        # Digest of the PIN that the token refused; it is not tried again, until the file holds another.
        self._refused: bytes | None = None
        self._lock = Lock()

    def make(self, algorithm: Algorithm) -> HeldKey:
        """A new key, made by the token itself; see ``KeyHold.make``."""
        if algorithm not in _KINDS:
            # PKCS #11 names ML-DSA since its version 3.2; the tokens that we can try do not know it.
            raise KindNotKept
        name = secrets.token_hex(16)
        about = {"label": f"tallygate-{name}", "id": bytes.fromhex(name), "store": True, "private_template": _PRIVATE}
        with self._open() as session:
            if algorithm is Algorithm.RSA:
                public, _ = session.generate_keypair(pkcs11.KeyType.RSA, _BITS, **about)
            else:
                curve = session.create_domain_parameters(
                    pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: _CURVE}, local=True
                )
                public, _ = curve.generate_keypair(**about)
            return HeldKey(name=name, algorithm=algorithm, public=_encoded(public, algorithm))

    def sign(self, key: HeldKey, data: bytes) -> bytes:
        """A signature; see ``KeyHold.sign``."""
        try:
            return self._signed(key, data)
        except KeyGone:
            # A token that was out and is back may have to be looked at anew.
            with self._lock:
                self._forget()
                with suppress(PKCS11Error, OSError, RuntimeError):
                    pkcs11.lib(str(self._module)).reinitialize()
            return self._signed(key, data)

    def _signed(self, key: HeldKey, data: bytes) -> bytes:
        with self._open() as session:
            private = self._found(session, key, pkcs11.ObjectClass.PRIVATE_KEY)
            if key.algorithm is Algorithm.RSA:
                return bytes(private.sign(data, mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS))
            both = bytes(private.sign(hashlib.sha256(data).digest(), mechanism=pkcs11.Mechanism.ECDSA))
            return encode_dss_signature(int.from_bytes(both[:_HALF], "big"), int.from_bytes(both[_HALF:], "big"))

    def drop(self, key: HeldKey) -> None:
        """Destroy both halves; see ``KeyHold.drop``."""
        with self._open() as session:
            for half in (pkcs11.ObjectClass.PRIVATE_KEY, pkcs11.ObjectClass.PUBLIC_KEY):
                with suppress(KeyGone):
                    self._found(session, key, half).destroy()

    def close(self) -> None:
        """Give the session back; the next use opens another."""
        with self._lock:
            self._forget()

    def _found(self, session: Any, key: HeldKey, half: pkcs11.ObjectClass) -> Any:
        try:
            return session.get_key(object_class=half, key_type=_KINDS[key.algorithm], id=bytes.fromhex(key.name))
        except (NoSuchKey, KeyError, ValueError) as error:
            raise KeyGone from error

    @contextmanager
    def _open(self) -> Iterator[Any]:
        with self._lock:
            try:
                if self._session is None:
                    self._session = self._begun()
                yield self._session
            except (PKCS11Error, OSError, RuntimeError) as error:
                # Whatever it was, the next use begins anew.
                self._forget()
                raise HoldUnavailable from error

    def _begun(self) -> Any:
        token = pkcs11.lib(str(self._module)).get_token(token_label=self._label)
        pin = self._pin.read_text("utf-8").strip()
        if self._refused is not None and self._refused == _digest(pin):
            # Tokens lock themselves after a few wrong PINs, and every request would be one more.
            raise HoldUnavailable
        try:
            return token.open(user_pin=pin, rw=True)
        except UserAlreadyLoggedIn:
            # A login is the whole process's (PKCS #11 section 5.6.8); this session shares it.
            return token.open(rw=True)
        except (PinIncorrect, PinLocked, PinExpired):
            self._refused = _digest(pin)
            raise

    def _forget(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(PKCS11Error):
                session.close()


def _digest(pin: str) -> bytes:
    return hashlib.sha256(pin.encode()).digest()


def _encoded(public: Any, algorithm: Algorithm) -> bytes:
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey
    if algorithm is Algorithm.RSA:
        exponent, modulus = (
            int.from_bytes(bytes(public[name]), "big")
            for name in (pkcs11.Attribute.PUBLIC_EXPONENT, pkcs11.Attribute.MODULUS)
        )
        key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    else:
        point = bytes(public[pkcs11.Attribute.EC_POINT])
        # PKCS #11 wraps the point in an octet string; some tokens do not.
        if point[0] == _OCTETS and point[1] == len(point) - 2 == _SHORT_POINT:
            point = point[2:]
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
