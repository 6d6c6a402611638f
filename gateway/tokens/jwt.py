# SPDX-License-Identifier: Apache-2.0
"""Access tokens (RFC 9068) and ID tokens (OpenID Connect Core 3.1.3.7), ES256 only, by key id.

The algorithm is never taken from the token (RFC 8725 section 3.1), the key set holds P-256 keys only; time comes in.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from jwt.algorithms import ECAlgorithm

from core.jose import base64url
from core.proofs import Asked, Proof, proof_of

from ..errors import TokenRefused
from ..models import ProgramToken, SignOn, Token

LEEWAY = 5
"""Seconds that clocks of one site may differ."""
LONGEST_LIFE = 3600
"""Seconds; a token that claims to live longer is not one of our sign-on's."""
HIGHEST_ASSURANCE = 3


class KeySet:
    """The sign-on's public keys."""

    def __init__(self, keys: Mapping[str, EllipticCurvePublicKey]) -> None:
        self._keys = dict(keys)

    @classmethod
    def read(cls, document: bytes) -> Self:
        """Parse a JWK set (RFC 7517); keys that are not P-256 signing keys are left out.

        Raises:
            ValueError: not a key set.
        """
        keys: dict[str, EllipticCurvePublicKey] = {}
        found = json.loads(document)
        if not isinstance(found, dict) or not isinstance(found.get("keys"), list):
            raise ValueError("not a key set")  # noqa: TRY004 - the content, not the type, is wrong
        for entry in found["keys"]:
            if not isinstance(entry, dict) or entry.get("kty") != "EC" or entry.get("crv") != "P-256":
                continue
            if "d" in entry or not isinstance(entry.get("kid"), str) or entry.get("use", "sig") != "sig":
                continue
            try:
                key = ECAlgorithm.from_jwk(entry)
            except (jwt.InvalidKeyError, ValueError) as error:
                raise ValueError("a key cannot be read") from error
            if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
                keys[entry["kid"]] = key
        return cls(keys)

    def knows(self, kid: object) -> bool:
        """Whether a key has this id."""
        return isinstance(kid, str) and kid in self._keys

    def claims(self, unverified: str, *, types: Sequence[str | None], audience: str, issuer: str, at: datetime) -> Any:
        """The claims of a token that is signed, typed, addressed and timely.

        Raises:
            TokenRefused: for every reason alike.
        """
        try:
            header = jwt.get_unverified_header(unverified)
            kid = header.get("kid")
            if header.get("alg") != "ES256" or not isinstance(kid, str) or "crit" in header:
                raise TokenRefused
            if header.get("typ") not in types or not self.knows(kid):
                raise TokenRefused
            claims = jwt.decode(
                unverified,
                self._keys[kid],
                algorithms=["ES256"],
                audience=audience,
                issuer=issuer,
                options={
                    "require": ["exp", "iat", "sub", "aud", "iss"],
                    "strict_aud": True,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
            _timely(claims, at)
        except (jwt.InvalidTokenError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise TokenRefused from error
        return claims


def unverified_audience(unverified: str) -> object:
    """Whom a token says it is for; only chooses which of several that would do it is held to."""
    try:
        return jwt.decode(unverified, options={"verify_signature": False}).get("aud")
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        return None


def access_token(unverified: str, keys: KeySet, *, audience: str, issuer: str, at: datetime) -> Token:
    """Verify an access token.

    Raises:
        TokenRefused: for every reason alike.
    """
    claims = keys.claims(unverified, types=("at+jwt",), audience=audience, issuer=issuer, at=at)
    return Token(
        subject=_text(claims, "sub"),
        session=_text(claims, "sid"),
        client=_text(claims, "client_id"),
        grant=_text(claims, "grant"),
        identifier=_text(claims, "jti"),
        acr=_assurance(claims),
        methods=_methods(claims),
        mandate=_mandate(claims),
        expires_at=int(claims["exp"]),
        **_confirmation(claims),
    )


def program_token(
    unverified: str, keys: KeySet, *, audience: str, issuer: str, scope: str, at: datetime
) -> ProgramToken:
    """Verify an access token that a program got for itself: nobody's session, no exchange, bound, with this scope.

    Raises:
        TokenRefused: for every reason alike.
    """
    claims = keys.claims(unverified, types=("at+jwt",), audience=audience, issuer=issuer, at=at)
    if any(name in claims for name in ("sid", "acr", "act", "on_behalf_of")):
        raise TokenRefused
    client = _text(claims, "client_id")
    confirmation = _confirmation(claims)
    if not hmac.compare_digest(client.encode(), _text(claims, "sub").encode()) or not confirmation:
        raise TokenRefused
    scopes = frozenset(_text(claims, "scope").split())
    if scope not in scopes:
        raise TokenRefused
    return ProgramToken(
        client=client,
        grant=_text(claims, "grant"),
        identifier=_text(claims, "jti"),
        scopes=scopes,
        expires_at=int(claims["exp"]),
        **confirmation,
    )


def holds(
    token: Token | ProgramToken, *, bound: bool, unverified_proof: str, unverified_certificate: bytes, asked: Asked
) -> Proof | None:
    """Whether whoever presents a token holds what it is bound to; the proof, if it was one by key, counts once.

    Raises:
        TokenRefused: it does not, or presents a token of the other kind.
    """
    if bound is not bool(token.jkt) or bool(unverified_certificate) is not bool(token.x5t):
        raise TokenRefused
    try:
        if token.x5t:
            der = x509.load_pem_x509_certificate(unverified_certificate).public_bytes(Encoding.DER)
            if not hmac.compare_digest(base64url(hashlib.sha256(der).digest()).encode(), token.x5t.encode()):
                raise TokenRefused
        if not token.jkt:
            return None
        proof = proof_of(unverified_proof, asked)
    except ValueError as error:
        raise TokenRefused from error
    if not hmac.compare_digest(proof.jkt.encode(), token.jkt.encode()):
        raise TokenRefused
    return proof


def serial_of(certificate: bytes) -> str:
    """By which its issuer ends a certificate that was read before."""
    return format(x509.load_pem_x509_certificate(certificate).serial_number, "x")


def id_token(unverified: str, keys: KeySet, *, client: str, issuer: str, nonce: str, at: datetime) -> SignOn:
    """Verify the ID token of one login; an access token cannot stand in for it.

    Raises:
        TokenRefused: for every reason alike.
    """
    claims = keys.claims(unverified, types=("JWT", None), audience=client, issuer=issuer, at=at)
    if not hmac.compare_digest(_text(claims, "nonce").encode(), nonce.encode()):
        raise TokenRefused
    if claims.get("azp", client) != client:
        raise TokenRefused
    return SignOn(
        subject=_text(claims, "sub"),
        session=_text(claims, "sid"),
        acr=_assurance(claims),
        methods=_methods(claims),
        at=datetime.fromtimestamp(_seconds(claims, "iat"), UTC),
        mandate=(mandate := _mandate(claims)),
        mandate_ends=_seconds(claims, "mandate_exp") if mandate else 0,
    )


def _confirmation(claims: Any) -> dict[str, str]:
    """What the token is bound to (RFC 7800); in a way that is not known here it works with nothing."""
    if "cnf" not in claims:
        return {}
    said = claims["cnf"]
    if not isinstance(said, dict) or len(said) != 1:
        raise TokenRefused
    if "jkt" in said:
        return {"jkt": _text(said, "jkt")}
    return {"x5t": _text(said, "x5t#S256")}


def _timely(claims: Any, at: datetime) -> None:
    now = at.timestamp()
    issued, expires = _seconds(claims, "iat"), _seconds(claims, "exp")
    starts = _seconds(claims, "nbf") if "nbf" in claims else issued
    if not issued - LEEWAY <= now <= expires or starts > now + LEEWAY or expires - issued > LONGEST_LIFE:
        raise TokenRefused


def _seconds(claims: Any, name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 <= value < 1 << 40:
        raise TokenRefused
    return value


def _text(claims: Any, name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value or len(value) > 200:  # noqa: PLR2004 - every id of ours is shorter
        raise TokenRefused
    return value


def _assurance(claims: Any) -> int:
    value = claims.get("acr")
    if not isinstance(value, str) or value not in {str(level) for level in range(HIGHEST_ASSURANCE + 1)}:
        raise TokenRefused
    return int(value)


def _methods(claims: Any) -> tuple[str, ...]:
    value = claims.get("amr", [])
    if not isinstance(value, list) or not all(isinstance(item, str) and len(item) < 40 for item in value):  # noqa: PLR2004 - RFC 8176 names
        raise TokenRefused
    return tuple(value)


def _mandate(claims: Any) -> str:
    """On whose behalf; a claim that cannot be read is no reason to take the bearer for themselves."""
    said = claims.get("on_behalf_of")
    if said is None:
        return ""
    if not isinstance(said, dict) or said.get("kind") not in {"organisation", "person"}:
        raise TokenRefused
    return ":".join(_text(said, name) for name in ("kind", "id", "service"))
