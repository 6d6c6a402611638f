# SPDX-License-Identifier: Apache-2.0
"""A device with passkeys, in software: it answers what pages ask, and can be told to cheat."""

import base64
import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

UP, UV, BE, AT = 0x01, 0x04, 0x08, 0x40


@dataclass
class Device:
    """One key; what it says about itself may be changed before each answer."""

    origin: str
    host: str
    flags: int = UP | UV
    uses: int = 0
    client: dict[str, object] = field(default_factory=dict)
    subject: str = ""
    name: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))

    @property
    def credential(self) -> str:
        """What browsers call the key."""
        return _text(self.name)

    def made(self, options: str, **changes: object) -> str:
        """The answer to ``navigator.credentials.create``."""
        asked = json.loads(options)
        self.subject = _bytes(asked["user"]["id"]).decode()
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + struct.pack(">H", len(self.name)) + self.name + cbor2.dumps(public)
        attestation = {"fmt": "none", "attStmt": {}, "authData": self._data(AT) + attested, **changes}
        client = self._client("webauthn.create", asked["challenge"])
        return self._answer({"clientDataJSON": _text(client), "attestationObject": _text(cbor2.dumps(attestation))})

    def used(self, options: str, **changes: object) -> str:
        """The answer to ``navigator.credentials.get``."""
        self.uses += 1 if self.uses else 0
        data = self._data(0)
        client = self._client("webauthn.get", json.loads(options)["challenge"])
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ECDSA(SHA256()))
        response = {
            "clientDataJSON": _text(client),
            "authenticatorData": _text(data),
            "signature": _text(signature),
            "userHandle": _text(self.subject.encode()),
            **changes,
        }
        return self._answer(response)

    def _data(self, flags: int) -> bytes:
        host = hashlib.sha256(self.host.encode()).digest()
        return host + bytes([self.flags | flags]) + struct.pack(">I", self.uses)

    def _client(self, kind: str, challenge: str) -> bytes:
        said: dict[str, Any] = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps({**said, **self.client}).encode()

    def _answer(self, response: dict[str, Any]) -> str:
        name = _text(self.name)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
