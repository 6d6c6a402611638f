# SPDX-License-Identifier: Apache-2.0
"""Chains of a certificate: by its issuer, and by whatever else vouches for the same key (RFC 8555 section 7.4.2)."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MOST = 8
"""Chains offered for one certificate."""
_LONGEST = 4


def pool(public: Path) -> list[x509.Certificate]:
    """Every authority's certificate that the site has published; read anew, for a ceremony may have added one."""
    found = []
    for path in sorted(public.rglob("*.pem")):
        text = path.read_bytes()
        if b"-----BEGIN CERTIFICATE-----" in text:
            found += [each for each in x509.load_pem_x509_certificates(text) if _is_authority(each)]
    return list(dict.fromkeys(found))


def chains(leaf: x509.Certificate, known: Iterable[x509.Certificate]) -> list[list[x509.Certificate]]:
    """Every chain from the issuer up, without what vouches for itself; the shortest first, then the newest.

    Relying parties hold the root themselves; a root that another one vouches for stands in its chain as such.
    """
    known = list(known)
    found = sorted(
        _above(leaf, known, ()),
        key=lambda chain: (len(chain), [-each.not_valid_before_utc.timestamp() for each in chain]),
    )
    return found[:MOST]


def written(leaf: x509.Certificate, chain: Iterable[x509.Certificate]) -> bytes:
    """The certificate and its chain, PEM."""
    return b"".join(each.public_bytes(Encoding.PEM) for each in (leaf, *chain))


def _above(
    certificate: x509.Certificate, known: list[x509.Certificate], below: tuple[x509.Certificate, ...]
) -> Iterator[list[x509.Certificate]]:
    if len(below) >= _LONGEST:
        return
    above = [each for each in known if each.subject == certificate.issuer and each not in below]
    above = [each for each in above if _vouches(each, certificate)]
    # The chain ends below whoever vouches for itself, and where nobody we know vouches any more.
    if below and (not above or any(each.subject == each.issuer for each in above)):
        yield list(below)
    for each in above:
        if each.subject == each.issuer:
            continue
        if any(_key(each) == _key(one) for one in below):
            continue
        yield from _above(each, known, (*below, each))


def _vouches(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _key(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
