# SPDX-License-Identifier: Apache-2.0
"""Certification paths as RFC 5280 section 6.1 validates them: everything but status, which is asked apart.

Signatures, dates, names that chain, name constraints, policies with their mapping and inhibition, basic constraints,
path length, key usage, unknown critical extensions. Whatever a path breaks, the answer is one exception that names the
rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from . import der
from .constraints import Constraints, canonical
from .policies import ANY, PolicyTree, read_mappings

_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.POLICY_MAPPINGS,
        ExtensionOID.POLICY_CONSTRAINTS,
        ExtensionOID.INHIBIT_ANY_POLICY,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
_DER = Encoding.DER
T = TypeVar("T", bound=x509.ExtensionType)
_MOST = 8
"""Certificates in a path; ours have two."""


class PathRefused(ValueError):
    """The path breaks a rule; the text names it."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What whoever relies on the path demands (RFC 5280 section 6.1.1); by default nothing."""

    policies: frozenset[str] = frozenset({ANY})
    explicit: bool = False
    no_mapping: bool = False
    no_any: bool = False


def validate(
    path: Sequence[x509.Certificate], *, anchor: x509.Certificate, at: datetime, wishes: Wishes | None = None
) -> None:
    """Check the certificates from below the anchor down to the one that is used.

    Raises:
        PathRefused: a rule is broken, or something in there cannot be read.
    """
    try:
        _Walk(len(path), anchor, at, wishes or Wishes()).along(path)
    except (
        ValueError,
        TypeError,
        InvalidSignature,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise error if isinstance(error, PathRefused) else PathRefused("unreadable or wrongly signed") from error


class _Walk:
    """The state variables of section 6.1.2."""

    def __init__(self, length: int, anchor: x509.Certificate, at: datetime, wishes: Wishes) -> None:
        if not 1 <= length <= _MOST:
            raise PathRefused("length of the path")
        self._at = at
        self._wishes = wishes
        self._key = anchor.public_key()
        self._issuer = anchor.subject
        self._constraints = Constraints()
        self._tree = PolicyTree()
        beyond = length + 1
        self._explicit = 0 if wishes.explicit else beyond
        self._mapping = 0 if wishes.no_mapping else beyond
        self._any = 0 if wishes.no_any else beyond
        self._below = length

    def along(self, path: Sequence[x509.Certificate]) -> None:
        for place, certificate in enumerate(path, 1):
            last = place == len(path)
            own = canonical(certificate.subject) == canonical(certificate.issuer)
            self._basics(certificate)
            if last or not own:
                _demand(self._constraints.allow(certificate), "name constraints")
            self._policies(certificate, may_be_any=self._any > 0 or (own and not last))
            if last:
                self._end(certificate)
            else:
                self._go_on(certificate, own=own)

    def _basics(self, certificate: x509.Certificate) -> None:
        """Section 6.1.3 (a)."""
        _verify(certificate, self._key)
        first, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        _demand(first <= self._at.replace(microsecond=0) <= until, "dates")
        _demand(canonical(certificate.issuer) == canonical(self._issuer), "names that chain")
        for extension in certificate.extensions:
            _demand(not extension.critical or extension.oid in _UNDERSTOOD, "unknown critical extension")

    def _policies(self, certificate: x509.Certificate, *, may_be_any: bool) -> None:
        """Section 6.1.3 (d) to (f)."""
        found = _extension(certificate, x509.CertificatePolicies)
        stated = {each.policy_identifier.dotted_string for each in found.value} if found else None
        self._tree.grow(stated, may_be_any=may_be_any)
        _demand(self._explicit > 0 or bool(self._tree), "explicit policy")

    def _go_on(self, certificate: x509.Certificate, *, own: bool) -> None:
        """Section 6.1.4: prepare for the certificate that this one vouches for."""
        mapped = _raw(certificate, ExtensionOID.POLICY_MAPPINGS)
        if mapped is not None:
            pairs = read_mappings(mapped)
            _demand(all(ANY not in pair for pair in pairs), "mapping of any policy")
            self._tree.map(pairs, allowed=self._mapping > 0)
        named = _extension(certificate, x509.NameConstraints)
        if named:
            self._constraints.narrow(named.value)
        if not own:
            self._explicit, self._mapping, self._any = (
                max(0, each - 1) for each in (self._explicit, self._mapping, self._any)
            )
        self._constrain(certificate)
        inhibited = _extension(certificate, x509.InhibitAnyPolicy)
        if inhibited:
            self._any = min(self._any, inhibited.value.skip_certs)
        basic = _extension(certificate, x509.BasicConstraints)
        _demand(certificate.version is x509.Version.v3 and basic is not None, "basic constraints")
        _demand(basic is not None and basic.value.ca, "an issuer that is no authority")
        if not own:
            _demand(self._below > 0, "path length")
            self._below -= 1
        if basic and basic.value.path_length is not None:
            self._below = min(self._below, basic.value.path_length)
        usage = _extension(certificate, x509.KeyUsage)
        _demand(usage is None or usage.value.key_cert_sign, "key usage of an issuer")
        self._key, self._issuer = certificate.public_key(), certificate.subject

    def _constrain(self, certificate: x509.Certificate) -> None:
        found = _extension(certificate, x509.PolicyConstraints)
        if found and found.value.require_explicit_policy is not None:
            self._explicit = min(self._explicit, found.value.require_explicit_policy)
        if found and found.value.inhibit_policy_mapping is not None:
            self._mapping = min(self._mapping, found.value.inhibit_policy_mapping)

    def _end(self, certificate: x509.Certificate) -> None:
        """Section 6.1.5."""
        self._explicit = max(0, self._explicit - 1)
        found = _extension(certificate, x509.PolicyConstraints)
        if found and found.value.require_explicit_policy == 0:
            self._explicit = 0
        _demand(self._explicit > 0 or self._tree.holds(self._wishes.policies), "policies that are wanted")


def _demand(kept: object, rule: str) -> None:
    if not kept:
        raise PathRefused(rule)


def _extension(certificate: x509.Certificate, kind: type[T]) -> x509.Extension[T] | None:
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def _raw(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> bytes | None:
    for each in certificate.extensions:
        if each.oid == oid:
            encoded: bytes = each.value.public_bytes()
            return encoded
    return None


def _verify(certificate: x509.Certificate, key: object) -> None:
    """The signature by itself: who is named as issuer is compared apart, and more leniently than byte by byte.

    Raises:
        InvalidSignature: the key did not sign it.
        PathRefused: not a kind of key, or of signature, that is believed.
    """
    signature, signed, digest = (
        certificate.signature,
        certificate.tbs_certificate_bytes,
        certificate.signature_hash_algorithm,
    )
    outer = der.Reader(certificate.public_bytes(_DER)).inside(0x30)
    outer.content(0x30)
    inner = der.Reader(signed).inside(0x30)
    if inner.next_is(0xA0):
        inner.content(0xA0)
    inner.content(0x02)
    if outer.element(0x30)[0] != inner.element(0x30)[0]:
        raise PathRefused("two algorithms of one signature")
    if isinstance(key, rsa.RSAPublicKey) and digest is not None:
        key.verify(signature, signed, padding.PKCS1v15(), digest)
    elif isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
        key.verify(signature, signed, ec.ECDSA(digest))
    elif isinstance(key, dsa.DSAPublicKey) and digest is not None:
        key.verify(signature, signed, digest)
    elif isinstance(key, ed25519.Ed25519PublicKey | mldsa.MLDSA65PublicKey):
        key.verify(signature, signed)
    else:
        raise PathRefused("kind of key")
