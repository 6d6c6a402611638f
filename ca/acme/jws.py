# SPDX-License-Identifier: Apache-2.0
"""Signed requests (RFC 8555 section 6.2), read as strictly as that section writes them.

One flattened JSON serialization, one signature, a protected header of known members only, canonical base64url, one
algorithm for each kind of key. Nothing in a request is believed before ``verify``.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from .problems import Problem, Type

LONGEST = 64 * 1024
"""Bytes of a request; one that carries an RSA-8192 request has about 6 KiB."""
ALGORITHMS = ("ES256", "ES384", "RS256", "EdDSA")
_MACS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
_CURVES: dict[str, tuple[ec.EllipticCurve, str, int]] = {
    "P-256": (ec.SECP256R1(), "ES256", 32),
    "P-384": (ec.SECP384R1(), "ES384", 48),
}
_SHORTEST_RSA, _LONGEST_RSA, _EXPONENT = 2048, 8192, 65537
_ED25519_BYTES = 32
_LONGEST_TEXT = 1024

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True)
class AccountKey:
    """A public key with its one algorithm."""

    key: PublicKey
    algorithm: str
    # The required members in lexical order and nothing else (RFC 7638 section 3).
    jwk: str

    @property
    def thumbprint(self) -> str:
        """RFC 7638, base64url."""
        return b64url(hashlib.sha256(self.jwk.encode()).digest())

    @property
    def public(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        return self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's."""
        if isinstance(self.key, ec.EllipticCurvePublicKey):
            used = ECAlgorithm.SHA384 if self.algorithm == "ES384" else ECAlgorithm.SHA256
            return ECAlgorithm(used).verify(message, self.key, signature)
        if isinstance(self.key, rsa.RSAPublicKey):
            return RSAAlgorithm(RSAAlgorithm.SHA256).verify(message, self.key, signature)
        return OKPAlgorithm().verify(message, self.key, signature)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request that was read and not yet verified."""

    algorithm: str
    url: str
    # Exactly one of the two names the key.
    kid: str
    jwk: AccountKey | None
    nonce: str
    payload: bytes
    signed: bytes
    signature: bytes

    def verify(self, key: AccountKey) -> None:
        """Check the signature.

        Raises:
            Problem: it is not by this key, or not by its algorithm.
        """
        if self.algorithm != key.algorithm or not key.verifies(self.signed, self.signature):
            raise Problem(Type.MALFORMED, "the signature is not by this key")

    def verify_mac(self, key: bytes) -> None:
        """Check the code of an external account binding.

        Raises:
            Problem: it is another's.
        """
        made = hmac.new(key, self.signed, _MACS[self.algorithm]).digest()
        if not hmac.compare_digest(made, self.signature):
            raise Problem(Type.UNAUTHORIZED, "the external account binding is not by this key")

    def document(self) -> dict[str, Any]:
        """The payload as a JSON object.

        Raises:
            Problem: it is none.
        """
        return read_object(self.payload, "the payload")


def read_request(unverified: bytes) -> Request:
    """An outer request: it has a nonce and a URL.

    Raises:
        Problem: malformed, or of an algorithm that is not accepted.
    """
    return _read(_body(unverified), known=frozenset({"alg", "kid", "jwk", "nonce", "url"}), algorithms=ALGORITHMS)


def read_inner(unverified: object) -> Request:
    """The request inside a key change: by the new key, without a nonce (RFC 8555 section 7.3.5).

    Raises:
        Problem: malformed.
    """
    found = _read(unverified, known=frozenset({"alg", "jwk", "url"}), algorithms=ALGORITHMS)
    if found.jwk is None:
        raise Problem(Type.MALFORMED, "the inner request of a key change carries the new key")
    return found


def read_binding(unverified: object) -> Request:
    """An external account binding (RFC 8555 section 7.3.4): by a code, with the key's identifier.

    Raises:
        Problem: malformed.
    """
    return _read(unverified, known=frozenset({"alg", "kid", "url"}), algorithms=tuple(_MACS))


def read_object(unverified: bytes, what: str) -> dict[str, Any]:
    """One JSON object with unique names (RFC 7493).

    Raises:
        Problem: it is none.
    """
    try:
        found = json.loads(unverified.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
        # Half a character, which JSON can spell and nothing can store.
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Problem(Type.MALFORMED, f"{what} is not JSON with unique names") from error
    if not isinstance(found, dict):
        raise Problem(Type.MALFORMED, f"{what} is no JSON object")
    return found


def read_key(unverified: object) -> AccountKey:
    """A public key with its required members and no others but ``alg``, ``use`` and ``kid``.

    Raises:
        Problem: malformed, of another kind, or weak.
    """
    if not isinstance(unverified, dict):
        raise Problem(Type.MALFORMED, "a key is a JSON object")
    members = {name: value for name, value in unverified.items() if name not in ("alg", "use", "kid", "key_ops")}
    try:
        key, algorithm = _public_key(members)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Problem(Type.BAD_PUBLIC_KEY, "this key cannot be used as an account key") from error
    if unverified.get("alg", algorithm) != algorithm or unverified.get("use", "sig") != "sig":
        raise Problem(Type.BAD_PUBLIC_KEY, "the key says that it is for something else")
    return AccountKey(key, algorithm, json.dumps(members, sort_keys=True, separators=(",", ":")))


def b64url(content: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def unb64url(text: object, what: str) -> bytes:
    """The reverse; only the canonical spelling is read.

    Raises:
        Problem: anything else.
    """
    if isinstance(text, str) and text.isascii():
        try:
            found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            found = b""
        if b64url(found) == text:
            return found
    raise Problem(Type.MALFORMED, f"{what} is not base64url without padding")


def _body(unverified: bytes) -> dict[str, Any]:
    if len(unverified) > LONGEST:
        raise Problem(Type.MALFORMED, "the request is too long", status=413)
    return read_object(unverified, "the request")


def _read(unverified: object, *, known: frozenset[str], algorithms: tuple[str, ...]) -> Request:
    if not isinstance(unverified, dict) or set(unverified) != {"protected", "payload", "signature"}:
        raise Problem(Type.MALFORMED, "a request has the members protected, payload and signature, and no others")
    header = read_object(unb64url(unverified["protected"], "the protected header"), "the protected header")
    payload = unb64url(unverified["payload"], "the payload")
    if not set(header) <= known:
        raise Problem(Type.MALFORMED, f"the protected header holds other members than {', '.join(sorted(known))}")
    if header.get("alg") not in algorithms:
        more = {"algorithms": list(algorithms)}
        raise Problem(Type.BAD_SIGNATURE_ALGORITHM, "this algorithm is not accepted here", more=more)
    if ("kid" in header) == ("jwk" in header):
        raise Problem(Type.MALFORMED, "the protected header names its key by kid or by jwk, one of the two")
    return Request(
        algorithm=header["alg"],
        url=_text(header, "url"),
        kid=_text(header, "kid") if "kid" in header else "",
        jwk=read_key(header["jwk"]) if "jwk" in header else None,
        nonce=_text(header, "nonce") if "nonce" in known else "",
        payload=payload,
        signed=f"{unverified['protected']}.{unverified['payload']}".encode(),
        signature=unb64url(unverified["signature"], "the signature"),
    )


def _text(header: dict[str, Any], name: str) -> str:
    found = header.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= _LONGEST_TEXT:
        if name == "nonce":
            raise Problem(Type.BAD_NONCE, "the protected header has no nonce")
        raise Problem(Type.MALFORMED, f"the protected header has no {name}")
    return found


def _public_key(members: dict[str, Any]) -> tuple[PublicKey, str]:
    kind = members.get("kty")
    if kind == "EC" and set(members) == {"kty", "crv", "x", "y"}:
        curve, algorithm, size = _CURVES[_known(members["crv"], _CURVES)]
        numbers = ec.EllipticCurvePublicNumbers(_number(members["x"], size), _number(members["y"], size), curve)
        return numbers.public_key(), algorithm
    if kind == "RSA" and set(members) == {"kty", "n", "e"}:
        modulus, exponent = _number(members["n"]), _number(members["e"])
        if not _SHORTEST_RSA <= modulus.bit_length() <= _LONGEST_RSA or exponent != _EXPONENT or modulus % 2 == 0:
            raise ValueError("weak")
        return rsa.RSAPublicNumbers(exponent, modulus).public_key(), "RS256"
    if kind == "OKP" and set(members) == {"kty", "crv", "x"} and members["crv"] == "Ed25519":
        raw = unb64url(members["x"], "a key")
        if len(raw) != _ED25519_BYTES:
            raise ValueError("of another length")
        return ed25519.Ed25519PublicKey.from_public_bytes(raw), "EdDSA"
    raise ValueError("of an unknown kind")


def _known(value: object, among: dict[str, Any]) -> str:
    if not isinstance(value, str) or value not in among:
        raise ValueError("unknown")
    return value


def _number(text: object, size: int = 0) -> int:
    raw = unb64url(text, "a key")
    if not raw or (size and len(raw) != size) or (not size and raw[0] == 0):
        raise ValueError("not in its shortest or fixed length")
    return int.from_bytes(raw, "big")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
