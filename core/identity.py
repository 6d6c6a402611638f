# SPDX-License-Identifier: Apache-2.0
"""The signed identity header that the gateway adds, and its verifier for everybody behind the gateway.

One compact JWT (RFC 7519), ES256, living 60 seconds, bound to host, method and path, so that it cannot be
replayed against another page. An application needs three lines::

    verifier = IdentityVerifier.load(public_key_file, audience="tax.city.localhost")
    identity = verifier.verify(headers.get(HEADER), method=method, path=path, at=clock.now())
    greet(identity.subject)
"""

import base64
import hashlib
import threading
import time
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from .errors import N_, Unauthenticated
from .jose import members, thumbprint

HEADER = "Tallygate-Identity"
ISSUER = "tallygate-gateway"
LIFETIME = timedelta(seconds=60)
LEEWAY = timedelta(seconds=5)
REREAD_EVERY = 1.0
"""Seconds between two looks at the file of keys because of one that is not known."""
REFRESH_EVERY = 60.0
"""Seconds after which it is read again anyhow."""
_END = b"-----END PUBLIC KEY-----"
_TYPE = "tallygate-identity+jwt"
_ADDRESSED = bytes.maketrans(b"+/", b"-_")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_ES256 = ECDSA(SHA256())
_SECONDS = int(LIFETIME.total_seconds())
_MOST_COMMON = 8_192
"""Beginnings of claims that are kept, of some 400 bytes each."""


class IdentityRefused(Unauthenticated):
    """The header is absent, forged, stale or meant for another request."""

    code = "identity_refused"
    message = N_("This page can only be reached through the gateway.")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whom the gateway let through, how sure it was, and which decision allowed it."""

    # Random identifier of the person, device or client; never a name.
    subject: str
    # "person", "device" or "client".
    kind: str
    # Sign-on session, empty for devices and clients.
    session: str
    # Directory roles at the time of the decision.
    roles: frozenset[str]
    # Assurance 0 to 3: the lower of proofing and authentication.
    assurance: int
    # How the login was made (RFC 8176 values).
    methods: tuple[str, ...]
    # Zone of the listener the request came in by.
    zone: str
    # Identifier of the decision entry in the audit log.
    decision: str
    # The proxy's number of the request; empty if it gave none.
    request: str = ""
    # On whose behalf the person acts, as ``kind:identifier:service``; empty if for themselves.
    on_behalf_of: str = ""


@dataclass(frozen=True)
class _Signing:
    """A key that signs, its name, and the first part of every header: made once, for every request waits for one."""

    key: EllipticCurvePrivateKey
    kid: str
    head: bytes

    @classmethod
    def of(cls, key: EllipticCurvePrivateKey) -> Self:
        kid = thumbprint(key.public_key())
        head = {"alg": "ES256", "typ": _TYPE, "kid": kid}
        return cls(key, kid, base64.urlsafe_b64encode(orjson.dumps(head)).rstrip(b"=") + b".")


class IdentityIssuer:
    """The gateway's side; which key signs may change while others use it."""

    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        self._signing = _Signing.of(key)
        self._others: tuple[EllipticCurvePublicKey, ...] = ()
        self._commons: dict[tuple[object, ...], bytes] = {}

    def become(self, key: EllipticCurvePrivateKey, *, others: Iterable[EllipticCurvePublicKey]) -> None:
        """Sign with this key from now on; ``others`` will sign, or did, and count as well."""
        # Told before it signs: a reader of the set in between finds one key more, and never one less.
        self._others = (key.public_key(), *others)
        self._signing = _Signing.of(key)

    def keys(self) -> dict[str, list[dict[str, str]]]:
        """The public keys as a JWK set (RFC 7517), for whoever reads the header with software of their own."""
        found = {thumbprint(each): each for each in (self._signing.key.public_key(), *self._others)}
        return {"keys": [{**members(key), "kid": kid, "use": "sig", "alg": "ES256"} for kid, key in found.items()]}

    def issue(self, identity: Identity, *, audience: str, method: str, path: str, at: datetime) -> str:
        """The header's value for one request; ``path`` is the raw request target with its query."""
        issued = int(at.timestamp())
        own = {
            "iat": issued,
            "exp": issued + _SECONDS,
            "decision": identity.decision,
            "rid": identity.request,
            "hth": _path_hash(path),
        }
        claims = self._common(identity, audience, method) + _encoded(orjson.dumps(own)[1:])
        # Key and its name in one look, for they may change meanwhile.
        signing = self._signing
        signed = signing.head + claims.rstrip(b"=")
        r, s = decode_dss_signature(signing.key.sign(signed, _ES256))
        # RFC 7518 section 3.4: both numbers, 32 bytes each.
        signature = _encoded(r.to_bytes(32) + s.to_bytes(32)).rstrip(b"=")
        return (signed + b"." + signature).decode("ascii")

    def _common(self, identity: Identity, audience: str, method: str) -> bytes:
        """The beginning of the claims, encoded: what one caller's requests to one host have in common."""
        same = (
            audience,
            method,
            identity.subject,
            identity.kind,
            identity.session,
            identity.roles,
            identity.assurance,
            identity.methods,
            identity.zone,
            identity.on_behalf_of,
        )
        known = self._commons.get(same)
        if known is not None:
            return known
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "sub": identity.subject,
            "kind": identity.kind,
            "sid": identity.session,
            "roles": sorted(identity.roles),
            "aal": identity.assurance,
            "amr": list(identity.methods),
            "zone": identity.zone,
            "htm": method,
            **({"obo": identity.on_behalf_of} if identity.on_behalf_of else {}),
        }
        begun = orjson.dumps(claims)[:-1] + b","
        # Three bytes become four letters, so what follows is encoded by itself; blanks say nothing in JSON.
        known = base64.urlsafe_b64encode(begun + b" " * (-len(begun) % 3))
        if len(self._commons) >= _MOST_COMMON:
            self._commons.clear()
        self._commons[same] = known
        return known

    def attest(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """Sign something else of the gateway's; by its type it never passes for an identity.

        Raises:
            ValueError: it would.
        """
        if typ == _TYPE:
            raise ValueError(typ)
        signing = self._signing
        return jwt.encode(dict(claims), signing.key, algorithm="ES256", headers={"typ": typ, "kid": signing.kid})


class KeysAt:
    """The gateway's public keys in files: read at first, now and then, and when a header names one that is not known.

    A key that was taken out of the file is believed for ``REFRESH_EVERY`` at most; a header with an invented key costs
    a look at the file once in ``REREAD_EVERY``.
    """

    def __init__(self, *paths: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        """The first of ``paths`` that is there counts.

        Raises:
            OSError: none can be read.
            ValueError: not P-256 public keys in PEM.
        """
        self._paths = paths
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys = self._read()
        self._read_at = monotonic()

    def key(self, kid: object) -> EllipticCurvePublicKey | None:
        """The key of this name; None if there is none."""
        with self._lock:
            now = self._monotonic()
            known = isinstance(kid, str) and kid in self._keys
            if now - self._read_at >= (REFRESH_EVERY if known else REREAD_EVERY):
                self._read_at = now
                # A file that cannot be read now is no reason to believe nobody.
                with suppress(OSError, ValueError):
                    self._keys = self._read()
            return self._keys.get(kid) if isinstance(kid, str) else None

    def _read(self) -> Mapping[str, EllipticCurvePublicKey]:
        for path in self._paths[:-1]:
            with suppress(OSError):
                return _public_keys(path.read_bytes(), path)
        return _public_keys(self._paths[-1].read_bytes(), self._paths[-1])


class IdentityVerifier:
    """The application's side."""

    def __init__(self, key: EllipticCurvePublicKey | KeysAt, *, audience: str) -> None:
        """``key`` is the one that is pinned, or where all lie that count."""
        self._keys = key if isinstance(key, KeysAt) else None
        self._pinned = None if isinstance(key, KeysAt) else (thumbprint(key), key)
        self._audience = audience

    @classmethod
    def load(cls, path: Path, *, audience: str, newer: Path | None = None) -> Self:
        """Read the gateway's public keys from a PEM file, and again when they change; ``newer`` comes first if there.

        Raises:
            OSError: unreadable.
            ValueError: not a P-256 public key.
        """
        return cls(KeysAt(*([newer] if newer else []), path), audience=audience)

    def verify(self, header: str | None, *, method: str, path: str, at: datetime) -> Identity:
        """Return the identity this very request was let through with.

        Raises:
            IdentityRefused: for every reason alike.
        """
        try:
            claims = self._claims(header, at)
            if claims["htm"] != method or claims["hth"] != _path_hash(path):
                raise IdentityRefused
            return _identity(claims)
        except (jwt.InvalidTokenError, KeyError, TypeError) as error:
            raise IdentityRefused from error

    def verify_passed_on(self, header: str | None, *, at: datetime) -> Identity:
        """Return who stands behind a call of the audience's role, which passes on the header it was asked with.

        Only a request that changes something is a wish: whoever looked at a page has asked for nothing.

        Raises:
            IdentityRefused: for every reason alike.
        """
        try:
            claims = self._claims(header, at)
            if claims["htm"] in _READING:
                raise IdentityRefused
            return _identity(claims)
        except (jwt.InvalidTokenError, KeyError, TypeError) as error:
            raise IdentityRefused from error

    def verify_shown(self, header: str | None, *, at: datetime) -> tuple[Identity, datetime]:
        """Return whom the audience was asked by and when that was decided; for whoever is told of it, within a minute.

        Whoever shows a header shows that the gateway let somebody in there; it proves no wish, and opens nothing.

        Raises:
            IdentityRefused: for every reason alike.
        """
        try:
            claims = self._claims(header, at)
            return _identity(claims), datetime.fromtimestamp(claims["iat"], UTC)
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise IdentityRefused from error

    def _key(self, header: str) -> EllipticCurvePublicKey:
        kid = jwt.get_unverified_header(header).get("kid")
        if self._keys is not None:
            found = self._keys.key(kid)
        else:
            found = self._pinned[1] if self._pinned and kid == self._pinned[0] else None
        if found is None:
            raise IdentityRefused
        return found

    def _claims(self, header: str | None, at: datetime) -> Mapping[str, Any]:
        token = jwt.decode_complete(
            header or "",
            self._key(header or ""),
            algorithms=["ES256"],
            audience=self._audience,
            issuer=ISSUER,
            options={
                "require": ["exp", "iat", "sub", "aud", "iss"],
                "strict_aud": True,
                "verify_exp": False,
                "verify_iat": False,
            },
        )
        claims: Mapping[str, Any] = token["payload"]
        if token["header"].get("typ") != _TYPE:
            raise IdentityRefused
        if not claims["iat"] - LEEWAY.total_seconds() <= at.timestamp() <= claims["exp"]:
            raise IdentityRefused
        return claims


def _identity(claims: Mapping[str, Any]) -> Identity:
    return Identity(
        subject=claims["sub"],
        kind=claims["kind"],
        session=claims["sid"],
        roles=frozenset(claims["roles"]),
        assurance=claims["aal"],
        methods=tuple(claims["amr"]),
        zone=claims["zone"],
        decision=claims["decision"],
        # A gateway of an older version does not say it.
        request=claims.get("rid", ""),
        on_behalf_of=claims.get("obo", ""),
    )


def _public_keys(content: bytes, path: Path) -> Mapping[str, EllipticCurvePublicKey]:
    found: dict[str, EllipticCurvePublicKey] = {}
    for each in content.split(_END)[:-1]:
        key = load_pem_public_key(each + _END)
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise ValueError(f"{path}: not an elliptic-curve key of P-256")  # noqa: TRY004 - the content, not the type, is wrong
        found[thumbprint(key)] = key
    if not found:
        raise ValueError(f"{path}: no key")
    return found


def _path_hash(path: str) -> str:
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
    return _encoded(digest).rstrip(b"=").decode()


def _encoded(content: bytes) -> bytes:
    """Base64 for addresses (RFC 4648 section 5); what the library does in two calls for each."""
    return b2a_base64(content, newline=False).translate(_ADDRESSED)
