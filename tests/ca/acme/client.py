# SPDX-License-Identifier: Apache-2.0
"""An ACME client of a few lines over the test client, which can also be made to do everything wrong."""

import base64
import hashlib
import hmac
import ipaddress
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from werkzeug.test import TestResponse

from ca.acme import Holder
from tests.ca.sites import Site
from tests.fakes.people import COMPANY, KIOSK, OFFICER

ORIGIN = "https://acme.city.localhost:8443"
DIRECTORY = f"{ORIGIN}/acme/directory"
HOST = "kiosk7.city.localhost"
ERROR = "urn:ietf:params:acme:error:"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def jwk(key: Key) -> dict[str, str]:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        numbers = key.public_key().public_numbers()
        size = (key.curve.key_size + 7) // 8
        crv = "P-384" if key.curve.name == "secp384r1" else "P-256"
        x, y = (b64(each.to_bytes(size, "big")) for each in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": crv, "x": x, "y": y}
    if isinstance(key, rsa.RSAPrivateKey):
        public = key.public_key().public_numbers()
        n = public.n.to_bytes((public.n.bit_length() + 7) // 8, "big")
        return {"kty": "RSA", "n": b64(n), "e": b64(b"\x01\x00\x01")}
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().public_bytes_raw())}


def thumbprint(key: Key) -> str:
    document = json.dumps(jwk(key), sort_keys=True, separators=(",", ":"))
    return b64(hashlib.sha256(document.encode()).digest())


def algorithm(key: Key) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return "ES384" if key.curve.name == "secp384r1" else "ES256"
    return "RS256" if isinstance(key, rsa.RSAPrivateKey) else "EdDSA"


def sign(key: Key, header: dict[str, Any], payload: bytes) -> dict[str, str]:
    protected, content = b64(json.dumps(header).encode()), b64(payload)
    message = f"{protected}.{content}".encode()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.curve.key_size + 7) // 8
        used = hashes.SHA384() if key.curve.name == "secp384r1" else hashes.SHA256()
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(used)))
        signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    elif isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = key.sign(message)
    return {"protected": protected, "payload": content, "signature": b64(signature)}


def bind(kid: str, secret: str, key: Key, *, url: str) -> dict[str, str]:
    """An external account binding."""
    protected = b64(json.dumps({"alg": "HS256", "kid": kid, "url": url}).encode())
    payload = b64(json.dumps(jwk(key)).encode())
    mac = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    code = hmac.new(mac, f"{protected}.{payload}".encode(), hashlib.sha256).digest()
    return {"protected": protected, "payload": payload, "signature": b64(code)}


def request_for(*names: str, key: Key | None = None, common: str = "") -> bytes:
    """A certificate request, DER."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)] if common else [])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        found = [general(each) for each in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(found), critical=False)
    used = key or ec.generate_private_key(ec.SECP256R1())
    hashed = None if isinstance(used, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(used, hashed).public_bytes(Encoding.DER)


def general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass
class Client:
    """One account key; ``kid`` once it has an account."""

    site: Site
    key: Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    kid: str = ""
    nonce: str = ""

    def fresh(self) -> str:
        answer = self.site.client().head("/acme/new-nonce", base_url=ORIGIN)
        return answer.headers["Replay-Nonce"]

    def header(self, url: str) -> dict[str, Any]:
        named: dict[str, Any] = {"kid": self.kid} if self.kid else {"jwk": jwk(self.key)}
        return {"alg": algorithm(self.key), "nonce": self.nonce or self.fresh(), "url": url, **named}

    def send(self, url: str, document: Any, *, content_type: str = "application/jose+json") -> TestResponse:
        path = url.removeprefix(ORIGIN)
        return self.site.client().post(path, base_url=ORIGIN, data=json.dumps(document), content_type=content_type)

    def post(self, url: str, payload: Any = None, /, **changed: Any) -> TestResponse:
        """One request; ``changed`` replaces members of the protected header, or takes them out (None)."""
        url = url if url.startswith("https:") else f"{ORIGIN}/acme{url}"
        header = {name: value for name, value in {**self.header(url), **changed}.items() if value is not None}
        content = b"" if payload is None else json.dumps(payload).encode()
        answer = self.send(url, sign(self.key, header, content))
        self.nonce = answer.headers.get("Replay-Nonce", "")
        return answer

    def bound(self, kid: str, secret: str, **more: Any) -> TestResponse:
        """Ask for an account."""
        url = f"{ORIGIN}/acme/new-account"
        binding = bind(kid, secret, self.key, url=url)
        answer = self.post(url, {"termsOfServiceAgreed": True, "externalAccountBinding": binding, **more})
        if answer.status_code in (200, 201):
            self.kid = answer.headers["Location"]
        return answer

    def order(self, *names: str, **more: Any) -> TestResponse:
        identifiers = [{"type": "ip" if each[0].isdigit() or ":" in each else "dns", "value": each} for each in names]
        return self.post("/new-order", {"identifiers": identifiers, **more})


def grant(site: Site, *names: str, holder: Holder = Holder.DEVICE, subject: str = "") -> tuple[str, str]:
    """What an officer hands out."""
    whom = subject or (KIOSK.id if holder is Holder.DEVICE else COMPANY.id)
    made, secret = site.acme.grants.make(
        holder=holder, subject=whom, names=list(names) or [f".{HOST}"], officer=OFFICER.subject
    )
    return made.kid, secret


def member(site: Site, *names: str, holder: Holder = Holder.DEVICE, key: Key | None = None) -> Client:
    """A client with an account."""
    client = Client(site) if key is None else Client(site, key)
    answer = client.bound(*grant(site, *names, holder=holder))
    assert answer.status_code == 201, answer.get_json()
    return client


def refused(answer: TestResponse, type_: str, status: int) -> dict[str, Any]:
    """The problem document of a refusal of that type."""
    document: dict[str, Any] = answer.get_json()
    assert (document["type"], answer.status_code) == (ERROR + type_, status), document
    assert answer.content_type == "application/problem+json"
    assert answer.headers["Replay-Nonce"]
    return document
