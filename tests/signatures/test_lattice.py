# SPDX-License-Identifier: Apache-2.0
"""Kept keys of the kind ML-DSA-65 sign PDF and CMS: judged by us, and checked against the bare arithmetic."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import cms as asn1
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

from signatures.config import SignatureSettings
from signatures.formats import inspect
from signatures.holds import Algorithm, FileHold, UsedKey
from signatures.models import Overall, Profile, Verdict
from signatures.pades import cms
from signatures.pades.anchors import of_site, stamping_too
from signatures.pades.grounds import Grounds
from signatures.sandbox import ReaderPool
from signatures.verdict import judge
from tests.signatures import made
from tests.signatures.fakes import CITIZEN
from tests.signatures.pki import NOW, City
from tests.signatures.signing_person import House, house, person
from tests.signatures.test_witnesses import gap

LETTER = made.LETTER


@pytest.fixture
def home(tmp_path: Path, city: City, readers: ReaderPool) -> Iterator[House]:
    home = house(tmp_path, city, readers, algorithm=Algorithm.ML_DSA_65)
    yield home
    home.close()


def look(document: bytes, city: City, *, at: timedelta = timedelta()) -> Verdict:
    found = inspect(document, grounds=Grounds(city.trust(), city.lists()), profile=Profile.STRICT, at=NOW + at)
    return judge(document, found, profile=Profile.STRICT, at=NOW + at)


def signed(home: House) -> bytes:
    home.enrolling.enrol(person(), header="")
    (result,) = home.finish(home.begin(home.bring()))
    return home.desk.read(CITIZEN, result)


def test_a_person_signs_a_pdf_with_such_a_key(home: House, city: City) -> None:
    document = signed(home)
    verdict = look(document, city)
    assert verdict.overall is Overall.TRUSTED, verdict.problems
    assert verdict.signatures[0].facts is not None
    assert verdict.signatures[0].facts.certificate.name
    at = document.index(b"/Contents")
    forged = document[: at - 1000] + bytes([document[at - 1000] ^ 1]) + document[at - 999 :]
    assert look(forged, city).overall is not Overall.TRUSTED
    kinds = {str(each.attributes.get("algorithm")) for each in home.recorder.events if "key" in each.type}
    assert kinds == {"ML-DSA-65"}


def test_the_signature_is_pure_ml_dsa_over_the_attributes_with_a_digest_as_strong_as_the_key(
    home: House, city: City
) -> None:
    content, covered = gap(signed(home))
    data = asn1.ContentInfo.load(content)["content"]
    (info,) = data["signer_infos"]
    assert info["digest_algorithm"]["algorithm"].native == "sha512"
    assert info["signature_algorithm"]["algorithm"].dotted == "2.16.840.1.101.3.4.3.18"
    assert info["signature_algorithm"]["parameters"].native is None
    (digest,) = [each["values"][0].native for each in info["signed_attrs"] if each["type"].native == "message_digest"]
    assert digest == hashlib.sha512(covered).digest()
    credential = home.enrolling.credential(CITIZEN)
    assert credential is not None
    key = x509.load_pem_x509_certificate(credential.certificate.encode()).public_key()
    assert isinstance(key, MLDSA65PublicKey)
    value, attributes = info["signature"].native, info["signed_attrs"].untag().dump()
    key.verify(value, attributes)
    with pytest.raises(InvalidSignature):
        key.verify(value, attributes + b"\0")


def test_a_file_beside_which_such_a_signature_stands_is_judged(tmp_path: Path, city: City) -> None:
    hold = FileHold(tmp_path, b"h" * 32)
    key = hold.make(Algorithm.ML_DSA_65)
    leaf = city.organisations.leaf("Seal", key=hold._private(key.name))
    signer = cms.KeySigner(key=UsedKey(hold, key), certificate=leaf.pem, chain=leaf.chain)
    assert signer.digest == "sha512"
    beside = signer.sign_beside(hashlib.sha512(LETTER).digest(), at=NOW)
    for content, overall in ((LETTER, Overall.TRUSTED), (LETTER + b".", Overall.NOT_TRUSTED)):
        grounds = Grounds(city.trust(), city.lists())
        found = inspect(beside, grounds=grounds, profile=Profile.STRICT, at=NOW, content=content)
        assert judge(beside, found, profile=Profile.STRICT, at=NOW).overall is overall


def test_a_certificate_of_another_key_is_refused(tmp_path: Path, city: City) -> None:
    hold = FileHold(tmp_path, b"h" * 32)
    first, second = hold.make(Algorithm.ML_DSA_65), hold.make(Algorithm.ML_DSA_65)
    leaf = city.organisations.leaf("Seal", key=hold._private(first.name))
    with pytest.raises(cms.KeyMismatch):
        cms.KeySigner(key=UsedKey(hold, second), certificate=leaf.pem, chain=leaf.chain)


def test_a_token_is_refused_such_keys_when_the_settings_are_read(tmp_path: Path) -> None:
    token = {"keys": "token", "token_module": tmp_path, "token_label": "people", "token_pin": tmp_path}
    with pytest.raises(ValueError, match="keeps no keys of the kind ML-DSA-65"):
        SignatureSettings(key_kind="ML-DSA-65", **token)  # type: ignore[arg-type]  # settings by name
    assert SignatureSettings(key_kind="ML-DSA-65").key_kind == "ML-DSA-65"


def test_the_parallel_hierarchy_of_a_site_signs_documents_and_stamps_time(tmp_path: Path, city: City) -> None:
    """Its people may sign like those of the first one, its infrastructure only stamps, its devices do neither."""
    public = tmp_path / "public"
    for folder in ("issuers", "ml-dsa/issuers"):
        (public / folder).mkdir(parents=True)
    (public / "root.pem").write_bytes(city.trust().roots[0].encode())
    (public / "ml-dsa" / "root-ml-dsa.pem").write_bytes(city.trust().roots[0].encode())
    issuer = next(iter(city.trust().issuers.values()))
    for name in ("people", "organisations", "devices", "infrastructure-2"):
        (public / "issuers" / f"{name}.pem").write_text(issuer, "ascii")
    for name in ("people-ml-dsa", "people-ml-dsa-2", "infrastructure-ml-dsa", "devices-ml-dsa"):
        (public / "ml-dsa" / "issuers" / f"{name}.pem").write_text(issuer, "ascii")
    trust = of_site(public)
    assert len(trust.roots) == 2
    assert trust.signing == {"people", "organisations", "people-ml-dsa", "people-ml-dsa-2"}
    assert stamping_too(trust) == trust.signing | {"infrastructure-2", "infrastructure-ml-dsa"}
