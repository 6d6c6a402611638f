# SPDX-License-Identifier: Apache-2.0
"""Tokens of published examples, and those of known attacks made anew for whatever place they are to be tried at."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.jose import members

_JOE = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"


@dataclass(frozen=True)
class Published:
    """One signed example of an RFC, and the key it gives with it."""

    token: str
    key: Mapping[str, str]


PUBLISHED = {
    "RFC 7515 A.1, HS256": Published(
        f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{_JOE}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        {
            "kty": "oct",
            "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        },
    ),
    "RFC 7515 A.2, RS256": Published(
        f"eyJhbGciOiJSUzI1NiJ9.{_JOE}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5Y"
        "Kt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0"
        "GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AX"
        "LIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        {
            "kty": "RSA",
            "e": "AQAB",
            "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0B"
            "m4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5"
            "z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7"
            "aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        },
    ),
    "RFC 7515 A.3, ES256": Published(
        f"eyJhbGciOiJFUzI1NiJ9.{_JOE}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6N"
        "U1Q",
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        },
    ),
    "RFC 7515 A.5, none": Published(f"eyJhbGciOiJub25lIn0.{_JOE}.", {}),
    "RFC 8037 A.4, EdDSA": Published(
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4k"
        "i4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    ),
}


@dataclass(frozen=True, kw_only=True)
class Good:
    """A token that a place takes: what attacks begin with."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    key: EllipticCurvePrivateKey
    # Whether the header brings the key along, as proofs of possession do.
    brings_key: bool = False

    def token(self) -> str:
        """As its owner signs it."""
        return signed(self.header, self.claims, self.key)

    def public(self) -> dict[str, str]:
        """What everybody knows of its key."""
        return members(self.key.public_key())


def encoded(part: Any) -> str:
    """One part of a token."""
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(header: Mapping[str, Any], claims: Any, key: EllipticCurvePrivateKey) -> str:
    """ES256, by hand."""
    text = f"{encoded(header)}.{encoded(claims)}"
    r, s = decode_dss_signature(key.sign(text.encode(), ECDSA(SHA256())))
    return f"{text}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


_STRANGER = generate_private_key(SECP256R1())
_WIDER = generate_private_key(SECP384R1())
_RSA = generate_rsa(65537, 2048)


def _none(name: str) -> Callable[[Good], str]:
    return lambda good: f"{encoded({**good.header, 'alg': name})}.{encoded(good.claims)}."


def _hmac(key: Callable[[Good], bytes]) -> Callable[[Good], str]:
    def made(good: Good) -> str:
        text = f"{encoded({**good.header, 'alg': 'HS256'})}.{encoded(good.claims)}"
        return f"{text}.{encoded(hmac.digest(key(good), text.encode(), hashlib.sha256))}"

    return made


def _with(**header: Any) -> Callable[[Good], str]:
    """Rightly signed, and the header says more than it may."""
    return lambda good: signed({**good.header, **header}, good.claims, good.key)


def _by_stranger(more: Callable[[], Mapping[str, Any]]) -> Callable[[Good], str]:
    """Signed with another key, which the header brings along or points to."""
    return lambda good: signed({**good.header, **more()}, good.claims, _STRANGER)


def _signature(change: Callable[[bytes], bytes]) -> Callable[[Good], str]:
    def made(good: Good) -> str:
        head, claims, signature = good.token().split(".")
        return f"{head}.{claims}.{encoded(change(base64.urlsafe_b64decode(signature + '==')))}"

    return made


def _der(good: Good) -> str:
    text = f"{encoded(good.header)}.{encoded(good.claims)}"
    return f"{text}.{encoded(good.key.sign(text.encode(), ECDSA(SHA256())))}"


def _rsa(good: Good) -> str:
    text = f"{encoded({**good.header, 'alg': 'RS256'})}.{encoded(good.claims)}"
    return f"{text}.{encoded(_RSA.sign(text.encode(), PKCS1v15(), SHA256()))}"


def _wider(good: Good) -> str:
    text = f"{encoded({**good.header, 'alg': 'ES384'})}.{encoded(good.claims)}"
    r, s = decode_dss_signature(_WIDER.sign(text.encode(), ECDSA(SHA384())))
    return f"{text}.{encoded(r.to_bytes(48, 'big') + s.to_bytes(48, 'big'))}"


def _json(good: Good) -> str:
    head, claims, signature = good.token().split(".")
    return json.dumps({"payload": claims, "signatures": [{"protected": head, "signature": signature}]})


def _changed(good: Good) -> str:
    head, _, signature = good.token().split(".")
    return f"{head}.{encoded({**good.claims, 'sub': 'somebody else', 'jti': 'another'})}.{signature}"


ATTACKS: Mapping[str, Callable[[Good], str]] = {
    "no signature": _none("none"),
    "no signature, other spelling": _none("nOnE"),
    "no algorithm": lambda good: good.token().replace(
        encoded(good.header), encoded({name: value for name, value in good.header.items() if name != "alg"}), 1
    ),
    "the public key as a shared secret (PEM)": _hmac(
        lambda good: good.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    ),
    "the public key as a shared secret (JWK)": _hmac(lambda good: json.dumps(good.public()).encode()),
    "an empty shared secret": _hmac(lambda _good: b""),
    "zero signature (CVE-2022-21449)": _signature(lambda _signature: bytes(64)),
    "signature of the order": _signature(lambda _signature: b"\xff" * 64),
    "signature in DER": _der,
    "signature cut": _signature(lambda signature: signature[:-1]),
    "signature longer": _signature(lambda signature: signature + b"\0"),
    "signature of another token": _changed,
    "another key of the same kind": lambda good: signed(good.header, good.claims, _STRANGER),
    "RS256 by another key": _rsa,
    "ES384 by another key": _wider,
    "ES256 called ES384": _with(alg="ES384"),
    "ES256 called EdDSA": _with(alg="EdDSA"),
    "key brought along (CVE-2018-0114)": _by_stranger(lambda: {"jwk": members(_STRANGER.public_key())}),
    "key at an address": _by_stranger(lambda: {"jku": "https://evil.example/jwks"}),
    "certificate at an address": _by_stranger(lambda: {"x5u": "https://evil.example/x5u"}),
    "certificate brought along": _by_stranger(lambda: {"x5c": ["MIIB"]}),
    "key named by a path": _by_stranger(lambda: {"kid": "../../../../dev/null"}),
    "key named by a query": _by_stranger(lambda: {"kid": "' UNION SELECT 'x"}),
    "an extension nobody knows": _with(crit=["exp"], exp=1),
    "a payload that is not encoded (RFC 7797)": _with(crit=["b64"], b64=False),
    "all signatures in one document": _json,
    "an encrypted token": lambda good: f"{encoded({'alg': 'dir', 'enc': 'A256GCM'})}..AAAA.{encoded(good.claims)}.AAAA",
    "a space within": lambda good: good.token().replace(".", ". ", 1),
    "padding": lambda good: good.token() + "=",
    "a fourth part": lambda good: good.token() + ".AAAA",
    "claims that are a list": lambda good: signed(good.header, [good.claims], good.key),
    "claims that are no JSON": lambda good: signed(good.header, b"Example of Ed25519 signing", good.key),
}
