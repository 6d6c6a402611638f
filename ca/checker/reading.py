# SPDX-License-Identifier: Apache-2.0
"""Certificates read by asn1crypto, of which issuance knows nothing; whatever is not DER in its only form is refused."""

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import algos, core, keys, x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

_ALGORITHMS = {
    "1.2.840.10045.4.3.2": hashes.SHA256(),
    "1.2.840.10045.4.3.3": hashes.SHA384(),
    "1.2.840.10045.4.3.4": hashes.SHA512(),
    "1.2.840.113549.1.1.11": hashes.SHA256(),
    "1.2.840.113549.1.1.12": hashes.SHA384(),
    "1.2.840.113549.1.1.13": hashes.SHA512(),
    "1.3.101.112": None,
    # ML-DSA-65.
    "2.16.840.1.101.3.4.3.18": None,
}
_LEAST_RSA, _MOST_RSA = 3072, 8192
_ML_DSA_65 = "2.16.840.1.101.3.4.3.18"
_before: Any = keys.PublicKeyInfo._spec_callbacks["public_key"]  # noqa: SLF001 - the library has no other place for it


def _key_of(info: Any) -> Any:
    """What an ML-DSA key is made of: plain bits (RFC 9881 section 4), of which the library knows nothing yet."""
    if info["algorithm"]["algorithm"].dotted == _ML_DSA_65:
        return core.OctetBitString, None
    # A method of the library, or what another one has put there.
    return _before(info)


keys.PublicKeyInfo._spec_callbacks["public_key"] = _key_of  # noqa: SLF001 - as above


class Unreadable(Exception):
    """Bytes that are no certificate in DER."""


@dataclass(frozen=True)
class Extension:
    """One extension: whether critical, and its parsed value."""

    critical: bool
    value: Any


@dataclass(frozen=True)
class Names:
    """Alternative names by kind."""

    uris: tuple[str, ...] = ()
    upns: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    others: int = 0


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """One certificate, taken apart."""

    version: str
    serial: int
    issuer: bytes
    subject: bytes
    # Type and text, in their order.
    name: tuple[tuple[str, str], ...]
    not_before: datetime
    not_after: datetime
    spki: bytes
    key: Any
    extensions: Mapping[str, Extension]
    algorithm: str
    inner_algorithm: str
    tbs: bytes
    signature: bytes
    ids: tuple[bytes, bytes]
    alternatives: Names

    @property
    def key_hash(self) -> str:
        """SHA-256 of the subjectPublicKeyInfo, hexadecimal."""
        return hashlib.sha256(self.spki).hexdigest()


def parse(der: bytes) -> Parsed:
    """Read one certificate.

    Raises:
        Unreadable: it is none, or not in the one form that DER has for it.
    """
    try:
        return _parse(der)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, UnsupportedAlgorithm) as error:
        raise Unreadable(type(error).__name__) from error


def _parse(der: bytes) -> Parsed:
    certificate = x509.Certificate.load(der, strict=True)
    tbs = certificate["tbs_certificate"]
    body = tbs.dump()
    if certificate.dump(force=True) != der:
        raise ValueError("not DER")
    extensions: dict[str, Extension] = {}
    for each in tbs["extensions"]:
        oid = each["extn_id"].dotted
        if oid in extensions:
            raise ValueError("an extension twice")
        extensions[oid] = Extension(bool(each["critical"].native), each["extn_value"].parsed)
    spki = tbs["subject_public_key_info"].dump()
    own, above = extensions.get(SUBJECT_KEY), extensions.get(AUTHORITY_KEY)
    return Parsed(
        version=tbs["version"].native,
        serial=int(tbs["serial_number"].native),
        issuer=tbs["issuer"].dump(),
        subject=tbs["subject"].dump(),
        name=_name(tbs["subject"]),
        not_before=tbs["validity"]["not_before"].native,
        not_after=tbs["validity"]["not_after"].native,
        spki=spki,
        key=load_der_public_key(spki),
        extensions=extensions,
        algorithm=_algorithm(certificate["signature_algorithm"]),
        inner_algorithm=_algorithm(tbs["signature"]),
        tbs=body,
        signature=bytes(certificate["signature_value"].native),
        ids=(
            bytes(own.value.native) if own else b"",
            bytes(above.value["key_identifier"].native or b"") if above else b"",
        ),
        alternatives=_alternatives(extensions[ALTERNATIVES].value) if ALTERNATIVES in extensions else Names(),
    )


ALTERNATIVES, SUBJECT_KEY, AUTHORITY_KEY = "2.5.29.17", "2.5.29.14", "2.5.29.35"


def signed_by(parsed: Parsed, issuer_key: Any) -> bool:
    """Whether the signature is the issuer's, by the algorithm that both places name."""
    if parsed.algorithm != parsed.inner_algorithm:
        return False
    return verified(issuer_key, parsed.signature, parsed.tbs, parsed.algorithm)


def verified(key: Any, signature: bytes, body: bytes, algorithm: str) -> bool:
    """Whether a signature by one of the algorithms that our authorities use is good."""
    oid = algorithm.partition(" ")[0]
    if oid not in _ALGORITHMS:
        return False
    hashed = _ALGORITHMS[oid]
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and hashed and oid.startswith("1.2.840.10045."):
            key.verify(signature, body, ec.ECDSA(hashed))
        elif isinstance(key, rsa.RSAPublicKey) and hashed and oid.startswith("1.2.840.113549."):
            key.verify(signature, body, padding.PKCS1v15(), hashed)
        elif isinstance(key, ed25519.Ed25519PublicKey | mldsa.MLDSA65PublicKey) and hashed is None:
            key.verify(signature, body)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def kind_of(key: Any) -> str:
    """What profiles call such a key; empty for any other."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return {"secp256r1": "P-256", "secp384r1": "P-384"}.get(key.curve.name, "")
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return "RSA" if _LEAST_RSA <= key.key_size <= _MOST_RSA and numbers.e >= 1 << 16 else ""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    return "ML-DSA-65" if isinstance(key, mldsa.MLDSA65PublicKey) else ""


def _algorithm(found: algos.SignedDigestAlgorithm) -> str:
    parameters = found["parameters"]
    said = "" if isinstance(parameters, core.Null | core.Void) else " with parameters"
    return str(found["algorithm"].dotted) + said


def _name(name: x509.Name) -> tuple[tuple[str, str], ...]:
    found = []
    for relative in name.chosen:
        if len(relative) != 1:
            raise ValueError("several attributes at one place")
        found.append((relative[0]["type"].dotted, str(relative[0]["value"].native)))
    return tuple(found)


def _alternatives(names: x509.GeneralNames) -> Names:
    uris, upns, hosts, addresses, others = [], [], [], [], 0
    for each in names:
        if each.name == "uniform_resource_identifier":
            uris.append(each.native)
        elif each.name == "dns_name":
            hosts.append(each.native)
        elif each.name == "ip_address":
            addresses.append(str(ipaddress.ip_address(each.chosen.contents)))
        elif each.name == "other_name" and each.chosen["type_id"].dotted == "1.3.6.1.4.1.311.20.2.3":
            upns.append(str(each.chosen["value"].native))
        else:
            others += 1
    return Names(tuple(uris), tuple(upns), tuple(hosts), tuple(addresses), others)
