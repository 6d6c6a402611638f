# SPDX-License-Identifier: Apache-2.0
"""Signed bytes shown as something else, text around a signature, and algorithms that are weaker than they look."""

import base64
import hashlib
from collections.abc import Callable

import pytest
from asn1crypto import algos, cms, core
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from signatures.formats import inspect
from signatures.models import Format, Overall, Profile, Verdict
from signatures.pades.grounds import Grounds
from signatures.verdict import judge
from tests.signatures import documents, made
from tests.signatures.pki import NOW, City, Leaf

_TEXT = b"The city owes you 9000 yuan.\n"


def look(document: bytes, city: City, content: bytes | None = None) -> Verdict:
    grounds = Grounds(city.trust(), city.lists())
    found = inspect(document, grounds=grounds, profile=Profile.STRICT, at=NOW, content=content)
    return judge(document, found, profile=Profile.STRICT, at=NOW, content=content)


def _rebuilt(document: bytes, content: bytes | None) -> bytes:
    """The same signature without its signed attributes, over this content."""
    data = cms.ContentInfo.load(document)["content"]
    signer = data["signer_infos"][0]
    kept = ("version", "sid", "digest_algorithm", "signature_algorithm", "signature")
    inside = {"content_type": "data", **({"content": content} if content is not None else {})}
    other = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": data["digest_algorithms"],
            "encap_content_info": inside,
            "certificates": data["certificates"],
            "signer_infos": [cms.SignerInfo({name: signer[name] for name in kept})],
        }
    )
    found: bytes = cms.ContentInfo({"content_type": "signed_data", "content": other}).dump()
    return found


def _replaced(document: bytes, *, algorithm: str, sign: Callable[[bytes], bytes]) -> bytes:
    """Its attributes signed by another algorithm."""
    whole = cms.ContentInfo.load(document)
    signer = whole["content"]["signer_infos"][0]
    signer["signature"] = sign(b"\x31" + signer["signed_attrs"].dump()[1:])
    signer["signature_algorithm"] = algos.SignedDigestAlgorithm({"algorithm": algorithm})
    found: bytes = whole.dump(force=True)
    return found


def test_signed_attributes_are_no_content_of_their_own(city: City, leaf: Leaf) -> None:
    """What was signed is their encoding: shown without attributes it verifies as a content that nobody wrote."""
    signed = made.cades(made.LETTER, [leaf])
    attributes = b"\x31" + cms.ContentInfo.load(signed)["content"]["signer_infos"][0]["signed_attrs"].dump()[1:]
    for document, content in ((_rebuilt(signed, attributes), None), (_rebuilt(signed, None), attributes)):
        verdict = look(document, city, content)
        assert (verdict.overall, verdict.subindication) == (Overall.NOT_TRUSTED, "HASH_FAILURE")
        assert "signature_forged" in {problem.code for problem in verdict.problems}


def test_a_signature_without_attributes_is_still_read(city: City, leaf: Leaf) -> None:
    for content in (made.LETTER, b"\x31\x00", b"\x31\x03\x02\x01\x05"):
        raw = leaf.key.sign(content, ec.ECDSA(hashes.SHA256()))
        whole = cms.ContentInfo.load(_rebuilt(made.cades(content, [leaf]), content))
        whole["content"]["signer_infos"][0]["signature"] = raw
        assert look(whole.dump(force=True), city).overall is Overall.TRUSTED


def test_text_around_a_signature_in_letters_is_not_taken_for_signed(city: City, leaf: Leaf) -> None:
    armoured = b"-----BEGIN CMS-----\n" + base64.encodebytes(made.cades(made.LETTER, [leaf])) + b"-----END CMS-----\n"
    assert look(b"\n" + armoured + b" \n", city).overall is Overall.TRUSTED
    first = b"-----BEGIN CMS-----\n" + _TEXT + b"-----END CMS-----\n"
    for forged in (armoured + _TEXT, armoured + armoured, first + armoured, armoured.replace(b"END CMS", b"END PKCS7")):
        verdict = look(forged, city)
        assert (verdict.overall, verdict.subindication) == (Overall.CANNOT_TELL, "FORMAT_FAILURE")


def test_a_weak_algorithm_behind_a_strong_digest_is_named(city: City, leaf: Leaf) -> None:
    weak = _replaced(
        made.cades(made.LETTER, [leaf]),
        algorithm="sha1_ecdsa",
        sign=lambda data: leaf.key.sign(data, ec.ECDSA(hashes.SHA1())),  # noqa: S303 - the attack itself
    )
    verdict = look(weak, city)
    assert (verdict.overall, verdict.signatures[0].unchanged.code) == (Overall.CANNOT_TELL, "algorithm_weak")


@pytest.fixture(scope="module")
def short(city: City) -> Leaf:
    """Somebody whose key can be computed from the certificate."""
    return city.organisations.leaf("Jiangcheng Old Seal", key=rsa.generate_private_key(65537, 1024))  # noqa: S505 - as above


def test_a_short_key_is_named_in_every_kind_of_file(city: City, leaf: Leaf, short: Leaf) -> None:
    def sign(data: bytes) -> bytes:
        found: bytes = short.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return found

    named = x509.load_pem_x509_certificate(short.pem)
    letter = _replaced(made.cades(made.LETTER, [_with(short, leaf)]), algorithm="sha256_rsa", sign=sign)
    token = made.jws(made.LETTER, _with(short, leaf), alg="RS256")
    protected, payload, _ = token.split(b".")
    signed = base64.urlsafe_b64encode(sign(protected + b"." + payload)).rstrip(b"=")
    for document in (letter, b".".join((protected, payload, signed))):
        verdict = look(document, city)
        assert (verdict.overall, verdict.signatures[0].unchanged.code) == (Overall.CANNOT_TELL, "algorithm_weak")
        assert str(verdict.signatures[0].unchanged.words.parameters["algorithm"]).endswith("RSA-1024")
    assert named.public_key().key_size == 1024  # type: ignore[union-attr]  # it is RSA


def _with(named: Leaf, signing: Leaf) -> Leaf:
    """The certificate of one and the key of another, whose signature is replaced afterwards."""
    return Leaf(signing.key, named.certificate, named.chain)


def test_a_payload_in_the_clear_is_read_only_where_everybody_must_see_that_it_is(city: City, leaf: Leaf) -> None:
    assert look(made.jws(made.LETTER, leaf), city).overall is Overall.TRUSTED
    verdict = look(made.jws(made.LETTER, leaf, b64=False), city)
    assert (verdict.overall, verdict.signatures[0].unchanged.code) == (Overall.CANNOT_TELL, "part_malformed")
    # A moment that no calendar has spoils its own signature and not the file.
    odd = look(made.jws(made.LETTER, leaf, iat=10**30, sigT=None), city)
    assert (odd.overall, odd.signatures[0].unchanged.code) == (Overall.CANNOT_TELL, "part_malformed")


def test_a_file_beside_what_signs_itself_is_not_taken_for_signed(city: City, leaf: Leaf) -> None:
    """Any good letter would else be a signature on any file that is sent along."""
    files = {"letter.txt": made.LETTER}
    for signed in (
        documents.sealed(documents.permit(), leaf),
        made.xades(made.LETTER, leaf),
        made.xades(made.LETTER, leaf, enveloping=True),
        made.asic_xades(files, leaf),
        made.asic(files, lambda listed: made.cades(listed, [leaf], detached=True)),
    ):
        assert look(signed, city).overall is Overall.TRUSTED
        verdict = look(signed, city, _TEXT)
        (one,) = verdict.signatures
        assert (verdict.overall, one.unchanged.code) == (Overall.CANNOT_TELL, "partly_signed"), verdict.format
        assert one.unchanged.words.parameters["files"] == f"SHA-256 {hashlib.sha256(_TEXT).hexdigest()}"


def test_a_pdf_within_is_the_only_one_that_a_viewer_finds(city: City, leaf: Leaf) -> None:
    """Viewers open whatever has the header of a PDF near its beginning, and read it from its end."""
    paper, other = documents.permit(), documents.permit(pages=2)
    letter = made.cades(paper, [leaf])
    assert (look(letter, city).overall, look(letter, city).format) == (Overall.TRUSTED, Format.CMS)
    whole = cms.ContentInfo.load(letter)
    whole["content"]["signer_infos"][0]["unsigned_attrs"] = [
        cms.CMSAttribute({"type": "2.999.8", "values": [core.OctetString(other)]})
    ]
    files = made.unzipped(made.asic_xades({"permit.pdf": paper}, leaf))
    first = {"permit.pdf": files.pop("permit.pdf"), **files}
    assert look(made.zipped(first), city).overall is Overall.TRUSTED
    assert look(made.zipped({**first, "META-INF/a.tst": b"stamp"}), city).overall is Overall.TRUSTED
    for forged in (
        whole.dump(force=True),
        made.zipped({**first, "META-INF/a.tst": other}),
        made.zipped({"META-INF/a.tst": other, **first}),
    ):
        assert look(forged, city).overall is Overall.CANNOT_TELL


def test_a_pdf_in_pieces_is_the_one_that_is_signed(city: City, leaf: Leaf) -> None:
    """Programs that sign while they read write the content in pieces, and nobody reads between them."""
    paper, other = documents.permit(), documents.permit(pages=2)
    for content in (paper, made.LETTER):
        for size in (7, 1000, len(content)):
            assert look(made.streamed(made.cades(content, [leaf]), size), city).overall is Overall.TRUSTED
    whole = cms.ContentInfo.load(made.cades(paper, [leaf]))
    whole["content"]["signer_infos"][0]["unsigned_attrs"] = [
        cms.CMSAttribute({"type": "2.999.8", "values": [core.OctetString(other)]})
    ]
    assert look(made.streamed(whole.dump(force=True), 1000), city).overall is Overall.CANNOT_TELL
