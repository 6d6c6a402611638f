# SPDX-License-Identifier: Apache-2.0
"""The path validation that gateway and sign-on use, against NIST's suite and against attacks that it lacks."""

import warnings
from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from ca import CertificateRefused, CertificateVerifier
from ca.hierarchy import IssuingAuthority, Root
from ca.models import AuthorityName
from ca.x509.paths import PathRefused, validate
from ca.x509.policies import ANY, PolicyTree
from tests.ca import pkits


@pytest.fixture(autouse=True)
def _quietly() -> Iterator[None]:
    with warnings.catch_warnings():
        # The suite's serial numbers are odd on purpose.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        yield


def test_every_case_is_passed_or_explained() -> None:
    every = list(pkits.cases())
    # 224 tests; two ask about one certificate.
    assert len({case.name for case in every}) == 223
    for case in every:
        if pkits.accepted(case) is not case.expected:
            assert pkits.reason(case), case
            # Believed wrongly only where the suite says otherwise by a revocation list.
            assert case.expected or "status" in pkits.reason(case), case


def test_the_page_tells_what_is_passed() -> None:
    assert pkits.PAGE.read_text("utf-8") == pkits.page(), "run python -m tests.ca.pkits"


def test_the_verifier_believes_none_of_another_authoritys_certificates() -> None:
    known = pkits._certificates()
    root, good = known["TrustAnchorRootCertificate"], known["GoodCACert"]
    assert root is not None
    assert good is not None
    above = Root(name=AuthorityName("root"), certificate=root, withdrawn=frozenset())
    people = IssuingAuthority(name=AuthorityName("people"), certificate=good, root=above)
    verifier = CertificateVerifier(lambda: [people])
    for name, each in known.items():
        if each is None:
            assert "DSAParameter" in name
            continue
        with pytest.raises(CertificateRefused):
            verifier.verify(each.public_bytes(Encoding.PEM), purpose="person", at=pkits.AT)


def test_a_policy_tree_that_doubles_is_refused_before_it_costs_anything() -> None:
    tree = PolicyTree()
    pairs = [(f"2.999.{one}", f"2.999.{other}") for one in range(40) for other in range(40)]
    stated = {f"2.999.{number}" for number in range(40)}
    tree.grow(stated, may_be_any=True)
    tree.map(pairs, allowed=True)
    with pytest.raises(ValueError, match="beyond all use"):
        tree.grow({*stated, ANY}, may_be_any=True)


def test_a_path_without_end_and_one_without_a_beginning_are_refused() -> None:
    root = _signed("root", "root", _KEYS[0])
    for path in ((), (root,) * 9):
        with pytest.raises(PathRefused):
            validate(path, anchor=root, at=pkits.AT)


@pytest.mark.parametrize(
    ("tree", "name", "kept"),
    [
        (x509.DNSName("city.example"), x509.DNSName("tax.CITY.example"), True),
        (x509.DNSName("city.example"), x509.DNSName("electricity.example"), False),
        (x509.RFC822Name(".city.example"), x509.RFC822Name("a@tax.city.example"), True),
        (x509.RFC822Name(".city.example"), x509.RFC822Name("a@city.example"), False),
        (x509.UniformResourceIdentifier("city.example"), x509.UniformResourceIdentifier("https://city.example/"), True),
        (x509.UniformResourceIdentifier("city.example"), x509.UniformResourceIdentifier("urn:uuid:1"), False),
        (x509.UniformResourceIdentifier(".example"), x509.UniformResourceIdentifier("https://127.0.0.1/"), False),
        # What is not constrained is permitted.
        (x509.DNSName("city.example"), x509.RFC822Name("a@elsewhere.example"), True),
    ],
)
def test_names_lie_where_the_issuer_may_name_them(
    tree: x509.GeneralName, name: x509.GeneralName, *, kept: bool
) -> None:
    root = _signed("root", "root", _KEYS[0])
    constraints = x509.NameConstraints(permitted_subtrees=[tree], excluded_subtrees=None)
    issuer = _signed("ca", "root", _KEYS[0], key=_KEYS[1], more=[(constraints, True)], ca=True)
    leaf = _signed("leaf", "ca", _KEYS[1], more=[(x509.SubjectAlternativeName([name]), False)])
    if kept:
        validate((issuer, leaf), anchor=root, at=pkits.AT)
    else:
        with pytest.raises(PathRefused):
            validate((issuer, leaf), anchor=root, at=pkits.AT)


_KEYS = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]


def _signed(
    subject: str,
    issuer: str,
    signing: ec.EllipticCurvePrivateKey,
    *,
    key: ec.EllipticCurvePrivateKey | None = None,
    more: list[tuple[x509.ExtensionType, bool]] | None = None,
    ca: bool = False,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .serial_number(7)
        .public_key((key or signing).public_key())
        .not_valid_before(pkits.AT - timedelta(days=1))
        .not_valid_after(pkits.AT + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    for extension, critical in more or []:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signing, hashes.SHA256())
