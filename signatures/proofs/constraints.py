# SPDX-License-Identifier: Apache-2.0
"""What the issuers on a path allow each other to certify (RFC 5280, 6.1): names, purposes, and nothing unknown.

An issuer that may certify servers of one organisation is kept by its own certificate from certifying a tax bureau.
"""

from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from pyhanko_certvalidator import name_trees

from . import keys

_NAMES: Any = name_trees
_UNKNOWN_NAMES = (name_trees.NameConstraintError, name_trees.UnsupportedNameTypeError)
# Whatever else is critical must not be passed over (RFC 5280, 4.2). Policies restrict nothing where any is taken.
_UNDERSTOOD = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.NameConstraints,
    x509.SubjectAlternativeName,
    x509.IssuerAlternativeName,
    x509.SubjectKeyIdentifier,
    x509.AuthorityKeyIdentifier,
    x509.AuthorityInformationAccess,
    x509.CRLDistributionPoints,
    x509.FreshestCRL,
    x509.CertificatePolicies,
    x509.PolicyConstraints,
    x509.InhibitAnyPolicy,
)
# Qualified certificates may say so critically (RFC 3739, 3.2.6), and issuers whose policies are alike.
_HARMLESS = frozenset({ObjectIdentifier("1.3.6.1.5.5.7.1.3"), ObjectIdentifier("2.5.29.33")})


def allow(own: x509.Certificate, issuers: Sequence[x509.Certificate], *, purposes: set[ObjectIdentifier]) -> bool:
    """Whether the issuers, from the nearest to the root, allow this certificate for one of these purposes."""
    path = (own, *issuers[:-1])
    try:
        return (
            all(_understood(each) and not keys.weakly_made(each) for each in path)
            and not any(map(keys.short_key, issuers))
            and all(_serves(each, purposes) for each in issuers[:-1])
            and all(_named(issuer, path[: number + 1]) for number, issuer in enumerate(issuers))
        )
    except (ValueError, TypeError, KeyError, x509.DuplicateExtension, *_UNKNOWN_NAMES):
        # Extensions that cannot be read allow nothing.
        return False


def _understood(certificate: x509.Certificate) -> bool:
    return all(
        isinstance(each.value, _UNDERSTOOD) or each.oid in _HARMLESS for each in certificate.extensions if each.critical
    )


def _serves(issuer: x509.Certificate, purposes: set[ObjectIdentifier]) -> bool:
    """Purposes of an issuer bound those of what it certifies; one that names none is not bound (CA/B, ETSI alike)."""
    try:
        said = set(issuer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return True
    return bool(said & (purposes | {ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}))


def _named(issuer: x509.Certificate, below: Sequence[x509.Certificate]) -> bool:
    """Whether the names of everything below are those that the issuer may certify."""
    try:
        issuer.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return True
    bounds = keys.as_asn1(issuer).name_constraints_value
    permitted = _NAMES.PermittedSubtrees(_NAMES.default_permitted_subtrees())
    excluded = _NAMES.ExcludedSubtrees(_NAMES.default_excluded_subtrees())
    if bounds["permitted_subtrees"].native:
        permitted.intersect_with(_NAMES.process_general_subtrees(bounds["permitted_subtrees"]))
    if bounds["excluded_subtrees"].native:
        excluded.union_with(_NAMES.process_general_subtrees(bounds["excluded_subtrees"]))
    found = [keys.as_asn1(each) for each in below]
    return all(permitted.accept_cert(each) and excluded.accept_cert(each) for each in found)
