# SPDX-License-Identifier: Apache-2.0
"""Every kind of document gets its own right answer, in plain words."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa

from signatures.looks import Locking, Permits, Placement
from signatures.models import Indication, Overall, Profile, Value, Verdict
from signatures.pades.grounds import Grounds
from signatures.pades.inspection import inspect
from signatures.sandbox import ReaderPool
from signatures.verdict import Catalogue, as_json, judge
from tests.signatures import documents
from tests.signatures.pki import DAY, NOW, City, Leaf, client_purpose, stranger

GOOD = ("unchanged", "signer_known", "issuer_trusted", "valid")


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


def look(
    document: bytes,
    city: City,
    *,
    profile: Profile = Profile.STRICT,
    at: datetime = NOW,
    lists: Sequence[bytes] | None = None,
) -> Verdict:
    given = city.lists(at=at) if lists is None else lists
    found = inspect(document, grounds=Grounds(city.trust(), given), profile=profile, at=at)
    return judge(document, found, profile=profile, at=at)


def codes(verdict: Verdict) -> tuple[str, str, str, str]:
    one = verdict.signatures[0]
    return one.unchanged.code, one.signer.code, one.issuer.code, one.valid.code


def said(verdict: Verdict) -> str:
    catalogue = Catalogue()
    one = verdict.signatures[0]
    return " ".join(catalogue.say(a.words, "en") for a in (one.unchanged, one.signer, one.issuer, one.valid))


def test_a_sealed_document_is_trusted(sealed: bytes, city: City) -> None:
    verdict = look(sealed, city)
    assert verdict.overall is Overall.TRUSTED
    assert (verdict.indication, verdict.subindication) == (Indication.TOTAL_PASSED, "")
    assert codes(verdict) == GOOD
    assert "江城市税务局" in said(verdict)
    assert "20 November 2026" in said(verdict)


KEYS: dict[str, Callable[[], Any]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA-2048": lambda: rsa.generate_private_key(65537, 2048),
    "RSA-3072 PSS": lambda: rsa.generate_private_key(65537, 3072),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "ML-DSA-65": mldsa.MLDSA65PrivateKey.generate,
}


@pytest.mark.parametrize("kind", KEYS)
def test_every_supported_kind_of_key_is_read(kind: str, city: City, readers: ReaderPool) -> None:
    leaf, digest = (
        city.people.leaf("Chen Wei", key=KEYS[kind]()),
        "sha512" if kind in {"Ed25519", "ML-DSA-65"} else "sha256",
    )
    signed = documents.signed_with(leaf, digest=digest, prefer_pss="PSS" in kind)
    verdict = look(signed, city)
    assert (codes(verdict), verdict.overall) == (GOOD, Overall.TRUSTED)
    altered = look(documents.one_byte_changed(signed), city)
    assert (altered.subindication, altered.overall) == ("HASH_FAILURE", Overall.NOT_TRUSTED)
    # Locked in, nothing that this kind of key needs is missing.
    there = readers.inspect(signed, trust=city.trust(), lists=city.lists(), profile=Profile.STRICT, at=NOW)
    assert there == documents.inspected(signed, city)


def test_one_changed_byte_is_not_trusted(sealed: bytes, city: City) -> None:
    verdict = look(documents.one_byte_changed(sealed), city)
    assert verdict.overall is Overall.NOT_TRUSTED
    assert (verdict.indication, verdict.subindication) == (Indication.TOTAL_FAILED, "HASH_FAILURE")
    assert verdict.signatures[0].unchanged.code == "content_altered"
    assert verdict.signatures[0].signer.value is Value.UNKNOWN


def test_a_page_appended_after_the_seal_is_not_trusted(sealed: bytes, city: City) -> None:
    for profile in Profile:
        verdict = look(documents.page_appended(sealed), city, profile=profile)
        assert verdict.overall is Overall.NOT_TRUSTED
        assert verdict.signatures[0].unchanged.code == "changed_after"


def test_bytes_after_the_signed_ones_are_found_even_where_the_library_sees_nothing(sealed: bytes, city: City) -> None:
    lenient = documents.same_revision_again(sealed)
    found = documents.inspected(lenient, city)
    assert found.signatures[0].library_trusts
    assert found.signatures[0].digest_matches
    for profile in Profile:
        verdict = look(lenient, city, profile=profile)
        assert verdict.overall is Overall.NOT_TRUSTED
        assert verdict.signatures[0].unchanged.value is Value.NO


def test_a_second_file_behind_the_signed_one_is_never_trusted(sealed: bytes, city: City) -> None:
    assert look(documents.trailing_bytes(sealed), city).overall is not Overall.TRUSTED


@pytest.mark.parametrize("tail", [b"\n", b" ", b"%", b"\0" * 10, b"%%EOF\n"])
def test_even_one_harmless_looking_byte_at_the_end_is_not_trusted(sealed: bytes, city: City, tail: bytes) -> None:
    assert look(sealed + tail, city).overall is not Overall.TRUSTED


def test_a_filled_form_is_refused_by_default_and_listed_when_tolerated(city: City, leaf: Leaf) -> None:
    filled = documents.field_filled(documents.sealed(documents.permit(form=True), leaf))
    assert look(filled, city).signatures[0].unchanged.code == "changed_after"
    tolerated = look(filled, city, profile=Profile.TOLERANT)
    assert tolerated.overall is Overall.TRUSTED
    assert tolerated.signatures[0].unchanged.code == "fields_changed"
    assert "remark" in said(tolerated)


@pytest.mark.parametrize("profile", Profile)
def test_a_further_signature_is_judged_for_itself_and_no_change_under_the_first(city: City, profile: Profile) -> None:
    # pyHanko's signing function takes the machine's clock for the second signature.
    today = datetime.now(UTC)
    first = city.seal(before=today - DAY, after=today + DAY)
    second = city.people.leaf("Wang Xiaoming", before=today - DAY, after=today + DAY)
    twice = documents.signed_again(documents.sealed(documents.permit(), first, at=today), second)
    verdict = look(twice, city, profile=profile, at=today)
    assert [one.unchanged.code for one in verdict.signatures] == ["signed_further", "unchanged"]
    assert [one.overall for one in verdict.signatures] == [Overall.TRUSTED, Overall.TRUSTED]
    assert verdict.overall is Overall.TRUSTED
    # Whoever nobody vouches for adds no picture to what others signed.
    foreign = look(documents.signed_again(twice, stranger()), city, profile=profile, at=today)
    assert foreign.overall is not Overall.TRUSTED
    changed = "changed_after" if profile is Profile.STRICT else "fields_changed"
    assert [one.unchanged.code for one in foreign.signatures] == [changed, changed, "unchanged"]
    # Nor does whoever signed with a certificate that was taken back.
    city.people.revoked[second.certificate.serial_number] = x509.ReasonFlags.key_compromise
    assert look(twice, city, profile=profile, at=today).signatures[0].unchanged.code == changed
    del city.people.revoked[second.certificate.serial_number]


def test_a_form_filled_between_two_signatures_is_a_change_and_no_further_signature(city: City, leaf: Leaf) -> None:
    filled = documents.field_filled(documents.sealed(documents.permit(form=True), leaf))
    twice = documents.sealed(filled, leaf, further=True, placement=Placement(page=1, x=50, y=50))
    verdict = look(twice, city)
    assert [one.unchanged.code for one in verdict.signatures] == ["changed_after", "unchanged"]


def test_what_a_signer_locked_is_told_and_kept(city: City, leaf: Leaf) -> None:
    form = documents.permit(form=True)
    said_of = {
        Locking.ALL: "locked all form fields: nobody",
        Locking.INCLUDE: "locked these form fields: remark",
        Locking.EXCLUDE: "locked all form fields but these: other",
    }
    for locking, words in said_of.items():
        names = {Locking.ALL: (), Locking.INCLUDE: ("remark",), Locking.EXCLUDE: ("other",)}[locking]
        locked = documents.sealed(form, leaf, permits=Permits(locking=locking, fields=names))
        verdict = look(locked, city)
        assert verdict.overall is Overall.TRUSTED
        assert words in " ".join(Catalogue().say(each.words, "en") for each in verdict.problems)
        broken = look(documents.field_filled(locked), city, profile=Profile.TOLERANT)
        assert broken.signatures[0].unchanged.code == "changed_after"
    open_ = documents.sealed(form, leaf, permits=Permits(locking=Locking.EXCLUDE, fields=("remark",)))
    assert look(documents.field_filled(open_), city, profile=Profile.TOLERANT).overall is Overall.TRUSTED


def test_an_unsigned_document_says_so(city: City) -> None:
    verdict = look(documents.permit(), city)
    assert verdict.indication is Indication.NO_SIGNATURE
    assert "Nobody has signed it" in said(verdict)
    assert "no signature" in Catalogue().say(verdict.headline, "en")


def test_a_signature_that_the_newest_revision_hides_is_not_called_unsigned(sealed: bytes, city: City) -> None:
    verdict = look(documents.form_removed(sealed), city)
    assert verdict.overall is Overall.CANNOT_TELL
    assert (verdict.indication, verdict.subindication) == (Indication.INDETERMINATE, "FORMAT_FAILURE")
    assert "contains signature data that we cannot confirm" in said(verdict)


def test_a_second_unreadable_signature_spoils_the_first(sealed: bytes, city: City) -> None:
    body = documents.permit().replace(b"%%EOF", b"% /ByteRange [0 1 2 3]\n%%EOF")
    assert look(body, city).overall is Overall.CANNOT_TELL


def test_an_expired_certificate_cannot_be_told(city: City) -> None:
    old = city.seal(before=NOW - 300 * DAY, after=NOW - DAY)
    verdict = look(documents.sealed(documents.permit(), old, at=NOW - 10 * DAY), city)
    assert verdict.overall is Overall.CANNOT_TELL
    assert verdict.subindication == "OUT_OF_BOUNDS_NO_POE"
    assert codes(verdict) == ("unchanged", "signer_known", "issuer_trusted", "expired")
    assert "19 November 2026" in said(verdict)


def test_signed_after_expiry_by_its_own_word_is_not_trusted(city: City) -> None:
    old = city.seal(before=NOW - 300 * DAY, after=NOW - 5 * DAY)
    verdict = look(documents.sealed(documents.permit(), old, at=NOW - DAY), city)
    assert verdict.overall is Overall.NOT_TRUSTED
    assert verdict.signatures[0].valid.code == "signed_after_validity"


def test_signed_before_the_certificate_existed_is_not_trusted(city: City, leaf: Leaf) -> None:
    verdict = look(documents.sealed(documents.permit(), leaf, at=NOW - 60 * DAY), city)
    assert verdict.signatures[0].valid.code == "signed_before_validity"


def test_signed_in_the_future_cannot_be_told(city: City, leaf: Leaf) -> None:
    verdict = look(documents.sealed(documents.permit(), leaf, at=NOW + timedelta(hours=2)), city)
    assert verdict.overall is Overall.CANNOT_TELL
    assert verdict.signatures[0].valid.code == "signed_in_future"


def test_a_suspended_certificate_cannot_be_told(city: City) -> None:
    held = city.seal()
    document = documents.sealed(documents.permit(), held)
    assert look(document, city).overall is Overall.TRUSTED
    city.organisations.revoke(held, x509.ReasonFlags.certificate_hold)
    verdict = look(document, city)
    assert verdict.overall is Overall.CANNOT_TELL
    assert verdict.subindication == "TRY_LATER"
    assert "suspended since 19 November 2026" in said(verdict)
    del city.organisations.revoked[held.certificate.serial_number]
    assert look(document, city).overall is Overall.TRUSTED


def test_a_revoked_certificate_is_not_trusted(city: City) -> None:
    gone = city.seal()
    city.organisations.revoke(gone)
    verdict = look(documents.sealed(documents.permit(), gone), city)
    assert verdict.overall is Overall.NOT_TRUSTED
    assert verdict.subindication == "REVOKED_NO_POE"
    assert "revoked on 19 November 2026" in said(verdict)


def test_a_foreign_seal_that_looks_the_same_is_not_trusted(city: City) -> None:
    verdict = look(documents.sealed(documents.permit(), stranger()), city)
    assert verdict.overall is Overall.NOT_TRUSTED
    assert verdict.subindication == "NO_CERTIFICATE_CHAIN_FOUND"
    assert codes(verdict) == ("unchanged", "signer_unconfirmed", "issuer_unknown", "not_ours_to_say")
    assert "Far Away Organisations CA" in said(verdict)


def test_without_the_issuers_list_it_cannot_be_told(sealed: bytes, city: City) -> None:
    for lists in ([], [b"nonsense"], city.lists(at=NOW - 5 * DAY), [city.people.crl()]):
        verdict = look(sealed, city, lists=lists)
        assert verdict.overall is Overall.CANNOT_TELL
        assert verdict.signatures[0].valid.code == "status_unavailable"
        assert verdict.subindication == "TRY_LATER"


def test_a_list_of_other_certificates_and_a_delta_count_for_nothing(sealed: bytes, city: City) -> None:
    """They do not name a certificate that is revoked, and say nothing of one that they do not name."""
    elsewhere = x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier("http://pki.city.localhost/crl/organisations/7.crl")],
        relative_name=None,
        only_contains_user_certs=False,
        only_contains_ca_certs=False,
        only_some_reasons=None,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )
    for limit in (elsewhere, x509.DeltaCRLIndicator(1)):
        lists = [city.root.crl(), city.organisations.crl(limits=(limit,))]
        assert look(sealed, city, lists=lists).signatures[0].valid.code == "status_unavailable"


def _some(**said: Any) -> x509.IssuingDistributionPoint:
    whole: dict[str, Any] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**whole, **said})


def test_a_list_of_signers_alone_or_of_issuers_alone_says_all_of_them(sealed: bytes, city: City) -> None:
    users, issuers = _some(only_contains_user_certs=True), _some(only_contains_ca_certs=True)
    for above, own, code in (
        (issuers, users, "valid"),
        (users, users, "valid"),
        (issuers, issuers, "status_unavailable"),
    ):
        lists = [city.root.crl(limits=(above,)), city.organisations.crl(limits=(own,))]
        assert look(sealed, city, lists=lists).signatures[0].valid.code == code


def test_a_list_that_clears_nobody_still_takes_back_whom_it_names() -> None:
    city = City()
    leaf = city.seal()
    document, clean = documents.sealed(documents.permit(), leaf), city.lists()
    some = _some(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise}))
    city.organisations.revoke(leaf)
    for limit in (some, x509.DeltaCRLIndicator(1)):
        for lists in ([*clean, city.organisations.crl(limits=(limit,))], [city.organisations.crl(limits=(limit,))]):
            assert look(document, city, lists=lists).signatures[0].valid.code == "revoked"
    for other in (_some(indirect_crl=True), x509.PolicyConstraints(0, None)):
        lists = [*clean, city.organisations.crl(limits=(other,))]
        assert look(document, city, lists=lists).signatures[0].valid.code == "valid"
    city.organisations.revoke(leaf, x509.ReasonFlags.remove_from_crl)
    lists = [*clean, city.organisations.crl(limits=(x509.DeltaCRLIndicator(1),))]
    assert look(document, city, lists=lists).signatures[0].valid.code == "valid"


def test_a_list_signed_by_somebody_else_counts_for_nothing(sealed: bytes) -> None:
    honest, forger = City(), City()
    document = documents.sealed(documents.permit(), honest.seal())
    # Same issuer name, another key.
    assert look(document, honest, lists=forger.lists()).signatures[0].valid.code == "status_unavailable"


def test_certificates_for_other_purposes_do_not_sign_documents(city: City) -> None:
    for wrong in (
        city.organisations.leaf("Login", purpose=client_purpose()),
        city.devices.leaf("Printer 7"),
    ):
        verdict = look(documents.sealed(documents.permit(), wrong), city)
        assert verdict.overall is Overall.NOT_TRUSTED
        assert verdict.signatures[0].issuer.code == "wrong_purpose"


def test_a_revoked_issuer_is_no_longer_trusted(sealed: bytes) -> None:
    city = City()
    document = documents.sealed(documents.permit(), city.seal())
    city.root.revoked[city.organisations.certificate.serial_number] = x509.ReasonFlags.ca_compromise
    verdict = look(document, city)
    assert verdict.overall is Overall.NOT_TRUSTED
    assert verdict.signatures[0].issuer.code == "issuer_broken"


def test_a_leaf_cannot_issue(city: City) -> None:
    middle = city.seal()
    fake = city.organisations.leaf("Below")
    forged = (
        x509.CertificateBuilder()
        .subject_name(fake.certificate.subject)
        .issuer_name(middle.certificate.subject)
        .public_key(fake.key.public_key())
        .serial_number(4711)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .sign(middle.key, hashes.SHA256())
    )
    leaf = Leaf(fake.key, forged, middle.pem)
    assert look(documents.sealed(documents.permit(), leaf), city).overall is Overall.NOT_TRUSTED


@pytest.mark.parametrize(
    ("name", "document", "code"),
    [
        ("text", b"hello", "not_pdf"),
        ("header only", b"%PDF-1.7\n", "malformed"),
        ("noise", b"%PDF-1.7\n" + bytes(range(256)) * 64, "malformed"),
        ("encrypted", documents.encrypted(documents.permit()), "encrypted"),
    ],
)
def test_what_cannot_be_read_is_indeterminate_and_never_unsigned(
    name: str, document: bytes, code: str, city: City
) -> None:
    verdict = look(document, city)
    assert verdict.overall is Overall.CANNOT_TELL
    assert (verdict.indication, verdict.subindication) == (Indication.INDETERMINATE, "FORMAT_FAILURE")
    assert verdict.signatures[0].unchanged.code == code


def test_every_truncation_is_survived_and_never_trusted(sealed: bytes, city: City) -> None:
    for length in range(0, len(sealed), max(1, len(sealed) // 40)):
        assert look(sealed[:length], city).overall is not Overall.TRUSTED


def test_flipped_bytes_anywhere_are_never_trusted(sealed: bytes, city: City) -> None:
    start = sealed.rindex(b"/Contents")
    end = sealed.index(b">", start)
    # What is left of the room reserved for the signature carries nothing; everything else counts.
    for at in [*range(0, start, max(1, start // 40)), *range(end + 1, len(sealed), 97)]:
        changed = sealed[:at] + bytes([sealed[at] ^ 0x20]) + sealed[at + 1 :]
        assert look(changed, city).overall is not Overall.TRUSTED, at


def test_something_hidden_in_the_room_of_the_signature_is_not_trusted(city: City, leaf: Leaf) -> None:
    sealed = documents.sealed(documents.permit(), leaf, spare=4096)
    assert look(sealed, city).overall is Overall.TRUSTED
    start = sealed.rindex(b"/Contents")
    padding = sealed.index(b"00" * 64, start)
    hidden = sealed[:padding] + b"> /Hidden (x) <" + sealed[padding + 15 :]
    assert look(hidden, city).overall is not Overall.TRUSTED


def test_both_languages_say_everything(sealed: bytes, city: City) -> None:
    spoken = as_json(look(sealed, city), Catalogue())
    for answer in spoken["signatures"][0]["answers"].values():
        assert answer["en"]
        assert any("一" <= character <= "鿿" for character in answer["zh"])
    assert spoken["headline"] == {"en": "This document can be trusted.", "zh": "这份文件可信。"}


def test_names_with_control_characters_reach_no_terminal(city: City) -> None:
    rude = city.organisations.leaf("Bureau\x1b[2J\r\nfake")
    verdict = look(documents.sealed(documents.permit(), rude), city)
    assert "\x1b" not in said(verdict)
    assert "\n" not in said(verdict)
