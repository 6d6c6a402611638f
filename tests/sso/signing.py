# SPDX-License-Identifier: Apache-2.0
"""What clients sign, rightly and wrongly."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.fakes.clock import ManualClock

AnyKey = EllipticCurvePrivateKey | RSAPrivateKey | Ed25519PrivateKey


class Key:
    """A client's key pair."""

    def __init__(self, kind: str = "ES256") -> None:
        self.algorithm = kind
        made: dict[str, Callable[[], AnyKey]] = {
            "ES256": lambda: generate_private_key(SECP256R1()),
            "PS256": lambda: generate_rsa(65537, 2048),
            "EdDSA": Ed25519PrivateKey.generate,
        }
        self.private = made[kind]()
        maker: Any = {"ES256": ECAlgorithm, "PS256": RSAAlgorithm, "EdDSA": OKPAlgorithm}[kind]
        self.public: dict[str, Any] = maker.to_jwk(self.private.public_key(), as_dict=True)
        self.public.pop("key_ops", None)
        self.kid = f"{kind}-{secrets.token_hex(4)}"

    def jwk(self, **more: Any) -> dict[str, Any]:
        return {**self.public, "kid": self.kid, **more}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        named = {"kid": self.kid, **header}
        return jwt.encode(
            claims,
            self.private,
            algorithm=self.algorithm,
            headers={name: value for name, value in named.items() if value is not None},
        )

    def certificate(self, clock: ManualClock) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a machine")])
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(clock.now() - timedelta(days=1))
            .not_valid_after(clock.now() + timedelta(days=1))
        )
        return made.sign(self.private, None if self.algorithm == "EdDSA" else SHA256())

    @property
    def spki(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwks(*keys: dict[str, Any]) -> str:
    return json.dumps({"keys": list(keys)})


def handmade(header: dict[str, Any], claims: dict[str, Any], key: bytes = b"") -> str:
    """A token that no library would make: any header, HMAC with any bytes, or no signature."""
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    signature = hmac.digest(key, signed.encode(), hashlib.sha256) if key else b""
    return f"{signed}.{base64url(signature)}"


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
