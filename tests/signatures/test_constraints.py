# SPDX-License-Identifier: Apache-2.0
"""An issuer kept to servers, to other names or to unknown rules vouches for no signer, in any kind of file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from signatures.formats import inspect
from signatures.models import Format, Overall, Profile, Trust, Verdict
from signatures.pades.grounds import Grounds
from signatures.verdict import judge
from tests.signatures import documents, made
from tests.signatures.pki import DOCUMENT_SIGNING, EDGE, NOW, Authority, Leaf


@dataclass(frozen=True)
class Bound:
    """What an issuer's own certificate says beside the usual."""

    value: x509.ExtensionType
    critical: bool = True


def _directory(organisation: str) -> x509.DirectoryName:
    country = x509.NameAttribute(NameOID.COUNTRY_NAME, "CN")
    return x509.DirectoryName(x509.Name([country, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)]))


def _names(*, permitted: Sequence[x509.GeneralName] = (), excluded: Sequence[x509.GeneralName] = ()) -> Bound:
    return Bound(x509.NameConstraints(list(permitted) or None, list(excluded) or None))


_OURS, _SILK = _directory("江城市税务局 Jiangcheng Tax Bureau"), _directory("江城丝绸公司 Jiangcheng Silk")
_STRANGE = x509.UnrecognizedExtension(ObjectIdentifier("2.999.7"), b"\x05\x00")
REFUSED = {
    "for servers": Bound(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False),
    "for other names": _names(permitted=[_SILK]),
    "for all names but these": _names(excluded=[_OURS]),
    "under a rule that nobody knows": Bound(_STRANGE),
}
TAKEN = {
    "for documents": Bound(x509.ExtendedKeyUsage([DOCUMENT_SIGNING])),
    "for these names": _names(permitted=[_OURS]),
    "for all names but others": _names(excluded=[_SILK]),
    "with a word that may be passed over": Bound(_STRANGE, critical=False),
}


@pytest.fixture(scope="module")
def root() -> Authority:
    return Authority("Far Away Root CA")


def _issuer(
    root: Authority, bound: Bound, *, without: type[x509.ExtensionType] | None = None, key: Any = None
) -> Authority:
    """An issuer below the root whose certificate bears the bound, in the place of what it usually bears."""
    found = Authority("Far Away Issuing CA", root)
    found.key = key or found.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(found.subject)
        .issuer_name(root.subject)
        .public_key(found.key.public_key())
        .serial_number(7)
        .not_valid_before(EDGE)
        .not_valid_after(found.certificate.not_valid_after_utc)
    )
    for each in found.certificate.extensions:
        if without is not None and isinstance(each.value, without):
            continue
        builder = builder.add_extension(each.value, critical=each.critical)
    found.certificate = builder.add_extension(bound.value, critical=bound.critical).sign(root.key, hashes.SHA256())
    found.pem = found.certificate.public_bytes(Encoding.PEM)
    return found


def look(document: bytes, root: Authority, issuer: Authority) -> Verdict:
    grounds = Grounds(Trust(roots=(root.pem.decode(),), issuers={}), [root.crl(), issuer.crl()])
    found = inspect(document, grounds=grounds, profile=Profile.STRICT, at=NOW)
    return judge(document, found, profile=Profile.STRICT, at=NOW)


def _signed(leaf: Leaf) -> dict[Format, bytes]:
    return {
        Format.CMS: made.cades(made.LETTER, [leaf]),
        Format.JWS: made.jws(made.LETTER, leaf),
        Format.PDF: documents.sealed(documents.permit(), leaf),
    }


@pytest.mark.parametrize("name", REFUSED)
def test_what_an_issuer_may_not_certify_is_not_trusted(name: str, root: Authority) -> None:
    issuer = _issuer(root, REFUSED[name])
    for kind, document in _signed(issuer.leaf("Jiangcheng Tax Bureau Seal")).items():
        verdict = look(document, root, issuer)
        assert (verdict.overall, verdict.signatures[0].issuer.code) == (Overall.NOT_TRUSTED, "issuer_broken"), kind


@pytest.mark.parametrize("name", TAKEN)
def test_what_it_may_certify_is(name: str, root: Authority) -> None:
    issuer = _issuer(root, TAKEN[name])
    for kind, document in _signed(issuer.leaf("Jiangcheng Tax Bureau Seal")).items():
        assert look(document, root, issuer).overall is Overall.TRUSTED, kind


def test_an_issuer_that_came_with_the_document_counts_while_somebody_answers_for_it(root: Authority) -> None:
    """Its key may be stolen: what that signs comes with a list of its own, by the same key."""
    issuer = _issuer(root, TAKEN["for documents"])
    trust = Trust(roots=(root.pem.decode(),), issuers={})
    known = Trust(roots=trust.roots, issuers={"abroad": issuer.pem.decode()})
    root.revoked[issuer.certificate.serial_number] = x509.ReasonFlags.ca_compromise
    try:
        revoked = root.crl()
    finally:
        root.revoked.clear()
    for kind, document in _signed(issuer.leaf("Jiangcheng Tax Bureau Seal")).items():
        for given, lists, expected in (
            (trust, [issuer.crl()], (Overall.CANNOT_TELL, "status_unavailable")),
            (trust, [issuer.crl(), root.crl()], (Overall.TRUSTED, "valid")),
            (known, [issuer.crl()], (Overall.TRUSTED, "valid")),
        ):
            found = inspect(document, grounds=Grounds(given, lists), profile=Profile.STRICT, at=NOW)
            verdict = judge(document, found, profile=Profile.STRICT, at=NOW)
            assert (verdict.overall, verdict.signatures[0].valid.code) == expected, kind
        found = inspect(document, grounds=Grounds(known, [issuer.crl(), revoked]), profile=Profile.STRICT, at=NOW)
        verdict = judge(document, found, profile=Profile.STRICT, at=NOW)
        assert verdict.signatures[0].issuer.code == "issuer_broken", kind


def test_a_list_counts_if_its_issuer_may_make_lists(root: Authority) -> None:
    """Whoever may only certify, and had that key stolen, says nothing of who was revoked."""
    usage = {"key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"}
    usage |= {"digital_signature", "content_commitment"}
    for crl_sign, expected in (
        (True, (Overall.TRUSTED, "valid")),
        (False, (Overall.CANNOT_TELL, "status_unavailable")),
    ):
        may = x509.KeyUsage(**dict.fromkeys(usage, False), key_cert_sign=True, crl_sign=crl_sign)
        issuer = _issuer(root, Bound(may), without=x509.KeyUsage)
        document = made.cades(made.LETTER, [issuer.leaf("Jiangcheng Tax Bureau Seal")])
        verdict = look(document, root, issuer)
        assert (verdict.overall, verdict.signatures[0].valid.code) == expected


def test_an_issuer_whose_key_can_be_computed_vouches_for_nobody(root: Authority) -> None:
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - the attack itself
    issuer = _issuer(root, TAKEN["for documents"], key=short)
    verdict = look(made.cades(made.LETTER, [issuer.leaf("Jiangcheng Tax Bureau Seal")]), root, issuer)
    assert (verdict.overall, verdict.signatures[0].issuer.code) == (Overall.NOT_TRUSTED, "issuer_broken")
