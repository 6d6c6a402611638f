# SPDX-License-Identifier: Apache-2.0
"""JSON Web Signatures (RFC 7515, ETSI TS 119 182-1) that hold their signer's certificate, compact or JSON.

Of what may stand beside a signature without being signed (``etsiU``) the time-stamps over the signature are used, and
the certificates, lists and answers that a later reader needs; archive time-stamps are not.
"""

import hashlib
import hmac
import json
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa, utils

from ..models import Format
from ..proofs import keys
from ..proofs.signed_data import NOBODY, Signer
from .facts import Found, Setting

_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
# Header parameters that may be critical; one that is and is not here makes the signature unreadable (RFC 7515, 4.1.11).
_UNDERSTOOD = frozenset({"b64", "sigT", "x5t#S256", "sigD"})
# What must not be said beside a signature (RFC 7515, 4.1.11; RFC 7797, 3).
_SIGNED_ALONE = frozenset({"crit", "b64"})
# Files elsewhere, by their names and digests (TS 119 182-1, 5.2.8.3.3).
_BY_DIGESTS = "http://uri.etsi.org/19182/ObjectIdByURIHash"
_LISTED = {"S256": "sha256", "S384": "sha384", "S512": "sha512"}
_MOST = 20


class _NotOurs(ValueError):
    """One signature cannot be read; the message is a short word."""


def read_file(document: bytes, content: bytes | None, setting: Setting) -> Found:
    """All signatures.

    Raises:
        ValueError: not JWS.
    """
    found = Found()
    payload, parts = _parts(document.strip())
    if len({_in_the_clear(protected) for protected, _, _ in parts}) > 1:
        # One payload cannot be two contents (RFC 7797, 3).
        raise ValueError("two contents")
    for number, (protected, signature, beside) in enumerate(parts[:_MOST], start=1):
        try:
            signer = _signer(protected, signature, payload, content, _Beside.of(beside))
        except _NotOurs as error:
            found.unread.append(str(error))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError):
            found.unread.append("part_malformed")
        else:
            found.add(signer, setting, format=Format.JWS, name=str(number))
    found.enclose(content)
    for each in _held(payload):
        found.enclose(each)
    return found


def _in_the_clear(protected: bytes) -> bool:
    try:
        return json.loads(_plain(protected)).get("b64") is False
    except (ValueError, AttributeError):
        # Told where it is read.
        return False


def _held(payload: bytes | None) -> Iterator[bytes]:
    """In the clear or in base64url, as the headers say; one that is a document is none in the other form."""
    if payload is not None:
        yield payload
        with suppress(ValueError):
            yield _plain(payload)


@dataclass(frozen=True)
class _Beside:
    """What stands beside a signature, unsigned."""

    tokens: tuple[bytes, ...]
    certificates: tuple[bytes, ...]
    lists: tuple[bytes, ...]
    answers: tuple[bytes, ...]
    # What else is said there.
    named: frozenset[str]
    # Who countersigned; what a countersignature is over here (TS 119 182-1, 5.3.2) is not looked at.
    counters: int

    @classmethod
    def of(cls, header: Any) -> Self:
        """Read it.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: malformed.
        """
        held: dict[str, list[bytes]] = {"tstTokens": [], "xVals": [], "crlVals": [], "ocspVals": []}
        counters = 0
        for each in (header or {}).get("etsiU", ())[:_MOST]:
            said = json.loads(_plain(each.encode()), object_pairs_hook=_once) if isinstance(each, str) else each
            counters += "cSig" in said
            held["tstTokens"] += _values(said.get("sigTst", {}).get("tstTokens", ()))
            held["xVals"] += _values([one.get("x509Cert", {}) for one in said.get("xVals", ())])
            for name in ("crlVals", "ocspVals"):
                held[name] += _values(said.get("rVals", {}).get(name, ()))
        tokens, certificates, lists, answers = (tuple(found[:_MOST]) for found in held.values())
        return cls(tokens, certificates, lists, answers, named=frozenset(header or {}), counters=counters)


def _values(found: Any) -> list[bytes]:
    return [b64decode(each["val"], validate=True) for each in found if "val" in each]


def _parts(document: bytes) -> tuple[bytes | None, list[tuple[bytes, bytes, Any]]]:
    if not document.startswith(b"{"):
        protected, payload, signature = document.split(b".")
        return payload or None, [(protected, signature, None)]
    whole = json.loads(document, object_pairs_hook=_once)
    given = whole.get("payload")
    parts = whole.get("signatures") or [whole]
    if not isinstance(parts, list) or len(parts) > _MOST:
        raise ValueError("signatures")
    return (given.encode() if given else None), [
        (one["protected"].encode(), one["signature"].encode(), one.get("header")) for one in parts
    ]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        # Which of two values counts is every parser's own choice.
        raise ValueError("a name twice")
    return found


def _signer(
    protected: bytes, signature: bytes, payload: bytes | None, content: bytes | None, beside: _Beside
) -> Signer:
    header = json.loads(_plain(protected), object_pairs_hook=_once)
    if not beside.named.isdisjoint({*header, *_SIGNED_ALONE}):
        # Which of two counts, or whether one that nobody signed does, is every reader's own choice (RFC 7515, 7.2.1).
        raise _NotOurs("part_malformed")
    critical, encoded = header.get("crit", ["alg"]), header.get("b64", True)
    if not isinstance(critical, list) or not critical or not isinstance(encoded, bool):
        # Readers that ask only whether there is something read another content (RFC 7797, 3).
        raise _NotOurs("part_malformed")
    if "crit" in header and set(critical) - _UNDERSTOOD:
        raise _NotOurs("unknown_algorithm")
    if not encoded and "b64" not in header.get("crit", ()):
        # Who does not know the parameter reads another content, and nothing stops them (RFC 7797, 6).
        raise _NotOurs("part_malformed")
    chain = [b64decode(text, validate=True) for text in header.get("x5c", ())][:_MOST]
    if not chain:
        raise _NotOurs("no_certificate")
    own = x509.load_der_x509_certificate(chain[0])
    if payload is not None and content is not None and _read(payload, encoded=encoded) != content:
        raise _NotOurs("part_malformed")
    body = payload if payload is not None else _beside(content, encoded=encoded)
    matches: bool | None = None if body is None else True
    if "sigD" in header:
        if payload is not None or "sigD" not in header.get("crit", ()):
            # It takes the place of a payload, and whoever does not know it must see that (TS 119 182-1, 5.1.9).
            raise _NotOurs("part_malformed")
        body, matches = b"", None if content is None else _listed(header["sigD"], content, encoded=encoded)
    raw = _plain(signature)
    verifies = body is not None and _verifies(header["alg"], own, raw, protected + b"." + body)
    named = header.get("x5t#S256")
    return Signer(
        certificate=chain[0],
        others=(*chain[1:], *beside.certificates),
        # One signature over header and content: a changed content and a changed signature look alike.
        digest_matches=matches,
        signature_verifies=verifies or body is None,
        claimed_at=_claimed(header),
        algorithm=str(header["alg"])[:20] + keys.short_key(own),
        weak=keys.short_key(own) != "",
        other_certificate=named is not None
        and not hmac.compare_digest(_plain(str(named).encode()), hashlib.sha256(chain[0]).digest()),
        # Time-stamps are over the signature as it is written (TS 119 182-1, 5.3.4).
        signature=signature,
        tokens=beside.tokens,
        archived=False,
        lists=beside.lists,
        answers=beside.answers,
        value=raw,
        counters=(NOBODY,) * beside.counters,
    )


def _beside(content: bytes | None, *, encoded: bool) -> bytes | None:
    if content is None or not encoded:
        return content
    return urlsafe_b64encode(content).rstrip(b"=")


def _listed(detached: Any, content: bytes, *, encoded: bool) -> bool:
    """Whether the only file of a list is the one that came beside."""
    digest = _LISTED.get(str(detached.get("hashM")), "")
    names, values = detached["pars"], detached.get("hashV", ())
    if detached.get("mId") != _BY_DIGESTS or not digest or len(names) != 1 or len(values) != 1:
        # Of several files one alone can come beside.
        raise _NotOurs("detached_list")
    read = urlsafe_b64encode(content).rstrip(b"=") if encoded else content
    return hmac.compare_digest(_plain(values[0].encode()), hashlib.new(digest, read).digest())


def _read(payload: bytes, *, encoded: bool) -> bytes:
    return _plain(payload) if encoded else payload


def _plain(text: bytes) -> bytes:
    try:
        return urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except NotBase64 as error:
        raise ValueError("not base64url") from error


def _claimed(header: Mapping[str, Any]) -> datetime | None:
    if isinstance(header.get("sigT"), str):
        return datetime.fromisoformat(header["sigT"]).astimezone(UTC)
    if isinstance(header.get("iat"), int):
        return datetime.fromtimestamp(header["iat"], UTC)
    return None


def _verifies(algorithm: str, own: x509.Certificate, signature: bytes, data: bytes) -> bool:
    try:
        key = own.public_key()
    except (UnsupportedAlgorithm, ValueError) as error:
        raise _NotOurs("unknown_algorithm") from error
    digest = _HASHES.get(algorithm[2:])
    try:
        if digest is None:
            _edwards_or_lattice(algorithm, key, signature, data)
        elif algorithm in _CURVES and isinstance(key, ec.EllipticCurvePublicKey):
            half = (key.key_size + 7) // 8
            if key.curve.name != _CURVES[algorithm] or len(signature) != 2 * half:
                return False
            pair = (int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
            key.verify(utils.encode_dss_signature(*pair), data, ec.ECDSA(digest))
        elif algorithm[:2] == "RS" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), digest)
        elif algorithm[:2] == "PS" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        else:
            raise _NotOurs("unknown_algorithm")
    except InvalidSignature:
        return False
    return True


def _edwards_or_lattice(algorithm: str, key: object, signature: bytes, data: bytes) -> None:
    edwards = algorithm in {"EdDSA", "Ed25519"} and isinstance(key, ed25519.Ed25519PublicKey)
    lattice = algorithm == "ML-DSA-65" and isinstance(key, mldsa.MLDSA65PublicKey)
    if not edwards and not lattice:
        raise _NotOurs("unknown_algorithm")
    key.verify(signature, data)  # type: ignore[attr-defined]  # one of the two
