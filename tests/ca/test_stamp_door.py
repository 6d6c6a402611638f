# SPDX-License-Identifier: Apache-2.0
"""The door of a time-stamping unit: only the attributes of a TSTInfo go through, whatever else an attacker brings."""

import hashlib
from pathlib import Path

import pytest
from asn1crypto import cms, core
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.serialization import Encoding

from ca.errors import KeyUnusable, StampUnfit
from ca.signer import StampSigner
from ca.x509.stamps import TST_INFO, StampAttributes

from .tables import Table
from .world import ask, new_key, request_for

UNIT = 'kind = "time-stamping-unit"\nsite = "city"\ntitle = "x"\nunit = "one"\n'


def _attributes(content: str = TST_INFO, digest: bytes = hashlib.sha256(b"x").digest()) -> bytes:
    """Built by a library that the door does not use."""
    found = cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": [cms.ContentType(content)]}),
            cms.CMSAttribute({"type": "message_digest", "values": [core.OctetString(digest)]}),
        ]
    )
    der: bytes = found.dump()
    return der


@pytest.fixture
def unit(table: Table) -> StampSigner:
    table.held(UNIT)
    return StampSigner.load(table.world.site.folder("ca") / "units" / "one.pem")


def test_a_unit_signs_the_attributes_of_a_time_stamp(unit: StampSigner) -> None:
    signature = unit.stamp(StampAttributes(_attributes()))
    key = unit.certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(signature, _attributes(), ec.ECDSA(unit.digest))
    with pytest.raises(InvalidSignature):
        key.verify(signature, _attributes(digest=bytes(32)), ec.ECDSA(unit.digest))


def test_an_ml_dsa_unit_signs_too(table: Table) -> None:
    table.held('kind = "root"\nsite = "city"\ntitle = "x"\nroot = "root-ml-dsa"\n')
    typed = "".join((table.shares / f"share-{each}.txt").read_text("ascii") for each in (1, 2, 3)) + "\n"
    below = 'kind = "issuers"\nsite = "city"\ntitle = "x"\nroot = "root-ml-dsa"\nissuers = ["infrastructure-ml-dsa"]\n'
    table.held(below, typed=typed)
    table.held(UNIT + 'algorithm = "ML-DSA-65"\n')
    found = StampSigner.load(table.world.site.folder("ca") / "units" / "one.pem")
    key = found.certificate.public_key()
    assert isinstance(key, mldsa.MLDSA65PublicKey)
    assert isinstance(found.digest, hashes.SHA512)
    key.verify(found.stamp(StampAttributes(_attributes())), _attributes())


def _certificate_to_be() -> bytes:
    csr = x509.load_pem_x509_csr(request_for())
    return csr.tbs_certrequest_bytes


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"\x31\x00",
        b"\x31\x80\x00\x00",
        b"x" * 100,
        _certificate_to_be(),
        _attributes(content="1.2.840.113549.1.7.1"),
        _attributes(content="1.2.840.113549.1.7.2"),
        _attributes(digest=b"short"),
        _attributes() + b"\0",
        _attributes()[:-1],
        b"\x30" + _attributes()[1:],
    ],
    ids=range(11),
)
def test_nothing_else_goes_through(der: bytes) -> None:
    with pytest.raises(StampUnfit):
        StampAttributes(der)


def test_a_unit_with_another_key_is_not_used(table: Table, unit: StampSigner) -> None:
    assert unit.chain
    path: Path = table.world.site.folder("ca") / "units" / "one.pem"
    issuing = (table.world.site.folder("ca") / "keys" / "people.pem").read_bytes()
    certificates = b"".join(each.public_bytes(Encoding.PEM) for each in (unit.certificate, *unit.chain))
    path.write_bytes(issuing + certificates)
    with pytest.raises(KeyUnusable):
        StampSigner.load(path)
    path.write_bytes(issuing)
    with pytest.raises(KeyUnusable):
        StampSigner.load(path)
    path.chmod(0o644)
    with pytest.raises(KeyUnusable):
        StampSigner.load(path)


def test_a_unit_does_not_vouch_for_people(table: Table, unit: StampSigner) -> None:
    issued = table.world.open().issue(ask(csr=request_for(new_key())))
    leaf = x509.load_pem_x509_certificate(issued.certificate)
    with pytest.raises((ValueError, InvalidSignature)):
        leaf.verify_directly_issued_by(unit.certificate)
