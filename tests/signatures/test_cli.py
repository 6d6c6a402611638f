# SPDX-License-Identifier: Apache-2.0
"""`tallygate verify` works for anybody with the root, and its exit code is the answer; `sign` needs no site."""

import csv
import io
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PublicFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from signatures.cli import sign, verify
from signatures.trustlists import Entry, TrustList, written
from tests.signatures import documents, made
from tests.signatures.pki import DOCUMENT_SIGNING, City, Leaf, stranger

# The terminal asks the machine's clock, so these certificates are valid around it.
TODAY = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def current() -> Leaf:
    return _CITY.organisations.leaf(
        "Seal", before=TODAY - DAY, after=TODAY + DAY, purpose=DOCUMENT_SIGNING, organisation="江城市税务局"
    )


_CITY = City()


@pytest.fixture
def folder(tmp_path: Path, current: Leaf) -> Path:
    documents.write(tmp_path, "root.pem", _CITY.root.pem + _CITY.organisations.pem)
    documents.write(tmp_path, "organisations.crl", _CITY.organisations.crl(at=TODAY))
    documents.write(tmp_path, "sealed.pdf", documents.sealed(documents.permit(), current, at=TODAY))
    return tmp_path


def ask(folder: Path, name: str, *more: str) -> Result:
    start = ["--trust", str(folder / "root.pem"), "--crl", str(folder / "organisations.crl")]
    return CliRunner().invoke(verify, [str(folder / name), *start, *more])


def test_trusted_ends_with_zero(folder: Path) -> None:
    found = ask(folder, "sealed.pdf")
    assert found.exit_code == 0, found.output
    assert "This document can be trusted." in found.output
    assert "TOTAL-PASSED" in found.output


def test_not_trusted_ends_with_one(folder: Path) -> None:
    documents.write(folder, "bad.pdf", documents.one_byte_changed((folder / "sealed.pdf").read_bytes()))
    assert ask(folder, "bad.pdf").exit_code == 1
    documents.write(folder, "foreign.pdf", documents.sealed(documents.permit(), stranger()))
    assert ask(folder, "foreign.pdf").exit_code == 1


def test_cannot_tell_ends_with_two(folder: Path) -> None:
    documents.write(folder, "noise.pdf", b"%PDF-1.7 noise")
    assert ask(folder, "noise.pdf").exit_code == 2
    alone = CliRunner().invoke(verify, [str(folder / "sealed.pdf"), "--trust", str(folder / "root.pem")])
    assert alone.exit_code == 2
    assert "list of revoked certificates" in alone.output


def test_chinese_and_json_say_the_same(folder: Path) -> None:
    assert "这份文件可信。" in ask(folder, "sealed.pdf", "--lang", "zh").output
    spoken = json.loads(ask(folder, "sealed.pdf", "--json").output)
    assert spoken["overall"] == "trusted"
    assert spoken["headline"]["zh"] == "这份文件可信。"


def test_the_signed_revision_is_offered_beside_the_present_one(folder: Path) -> None:
    sealed = (folder / "sealed.pdf").read_bytes()
    documents.write(folder, "appended.pdf", documents.page_appended(sealed))
    assert ask(folder, "appended.pdf", "--signed-revision", str(folder / "signed.pdf")).exit_code == 1
    assert (folder / "signed.pdf").read_bytes() == sealed


def test_a_trust_list_is_all_that_the_terminal_needs(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    found = TrustList(
        name="city",
        number=1,
        issued=TODAY - DAY,
        next_issue=TODAY + DAY,
        entries=(
            Entry(certificate=made.own(_CITY.root.certificate)),
            Entry(certificate=made.own(_CITY.organisations.certificate), authority="organisations", signs=True),
        ),
    )
    documents.write(folder, "city.jws", written(found, key))
    for holder, code in ((key, 0), (ec.generate_private_key(ec.SECP256R1()), 1)):
        public = holder.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        documents.write(folder, "list.pem", public)
        start = ["--trust-list", str(folder / "city.jws"), "--list-key", str(folder / "list.pem")]
        lists = ["--crl", str(folder / "organisations.crl")]
        said = CliRunner().invoke(verify, [str(folder / "sealed.pdf"), *start, *lists])
        assert said.exit_code == code, said.output
        # Whoever names a list names their own.
        assert "stands on the trust list" not in said.output


def test_a_folder_gets_a_table_with_a_line_for_each_file(folder: Path, current: Leaf) -> None:
    sealed = (folder / "sealed.pdf").read_bytes()
    inbox = folder / "inbox"
    (inbox / "deeper").mkdir(parents=True)
    documents.write(inbox, "=good.pdf", sealed)
    documents.write(inbox, "bad.pdf", documents.one_byte_changed(sealed))
    documents.write(inbox / "deeper", "letter.txt", made.LETTER)
    signed = made.cades(made.LETTER, [current], at=TODAY, detached=True)
    documents.write(inbox / "deeper", "letter.txt.p7s", signed)
    documents.write(inbox, "noise", b"noise")
    found = ask(folder, "inbox")
    assert found.exit_code == 1, found.output
    rows = list(csv.DictReader(io.StringIO(found.stdout)))
    assert {row["file"]: row["verdict"] for row in rows} == {
        "'=good.pdf": "trusted",
        "bad.pdf": "not_trusted",
        "deeper/letter.txt.p7s": "trusted",
        "noise": "cannot_tell",
    }
    lines = [json.loads(line) for line in ask(folder, "inbox", "--json").stdout.splitlines()]
    assert [line["file"] for line in lines] == ["=good.pdf", "bad.pdf", "deeper/letter.txt.p7s", "noise"]


def test_nothing_is_trusted_without_being_named(folder: Path) -> None:
    assert CliRunner().invoke(verify, [str(folder / "sealed.pdf")]).exit_code == 2
    start = ["--trust", str(folder / "sealed.pdf")]
    assert CliRunner().invoke(verify, [str(folder / "sealed.pdf"), *start]).exit_code != 0


def test_a_person_signs_on_the_own_machine(folder: Path) -> None:
    leaf = _CITY.organisations.leaf("王小明 Wang Xiaoming", before=TODAY - DAY, after=TODAY + DAY)
    store = serialize_key_and_certificates(
        b"me", leaf.key, leaf.certificate, [_CITY.organisations.certificate], BestAvailableEncryption(b"secret")
    )
    documents.write(folder, "me.p12", store)
    documents.write(folder, "word", b"secret\n")
    documents.write(folder, "wrong", b"guess\n")
    documents.write(folder, "plain.pdf", documents.permit())
    arguments = [str(folder / "plain.pdf"), "--key", str(folder / "me.p12"), "--out", str(folder / "signed.pdf")]
    assert CliRunner().invoke(sign, [*arguments, "--passphrase", str(folder / "wrong")]).exit_code == 1
    made = CliRunner().invoke(sign, [*arguments, "--passphrase", str(folder / "word")])
    assert made.exit_code == 0, made.output
    found = ask(folder, "signed.pdf")
    assert found.exit_code == 0, found.output
    assert "Wang Xiaoming" in found.output


def test_poppler_agrees(folder: Path) -> None:
    pdfsig = shutil.which("pdfsig")
    assert pdfsig, "poppler-utils belongs to scripts/bootstrap --dev"

    def look(name: str) -> str:
        told = subprocess.run([pdfsig, "-nocert", str(folder / name)], capture_output=True, text=True, check=False)
        return told.stdout + told.stderr

    sealed = (folder / "sealed.pdf").read_bytes()
    assert "Signature is Valid." in look("sealed.pdf")
    assert "Total document signed" in look("sealed.pdf")
    assert "ETSI.CAdES.detached" in look("sealed.pdf")
    documents.write(folder, "bad.pdf", documents.one_byte_changed(sealed))
    assert "Digest Mismatch" in look("bad.pdf")
    documents.write(folder, "appended.pdf", documents.page_appended(sealed))
    assert "Not total document signed" in look("appended.pdf")
    documents.write(folder, "plain.pdf", documents.permit())
    assert "does not contain any signatures" in look("plain.pdf")


def test_the_seal_shows_on_paper(folder: Path) -> None:
    pdftoppm = shutil.which("pdftoppm")
    assert pdftoppm, "poppler-utils belongs to scripts/bootstrap --dev"
    subprocess.run(
        [pdftoppm, "-r", "40", str(folder / "sealed.pdf"), str(folder / "page")], check=True, capture_output=True
    )
    pixels = (folder / "page-1.ppm").read_bytes()
    red = sum(
        1 for at in range(15, len(pixels) - 2, 3) if pixels[at] > 150 and pixels[at + 1] < 90 and pixels[at + 2] < 90
    )
    assert red > 200


def test_a_revoked_issuer_list_is_read_from_its_file(folder: Path, current: Leaf) -> None:
    _CITY.organisations.revoke(current, x509.ReasonFlags.certificate_hold)
    try:
        documents.write(folder, "organisations.crl", _CITY.organisations.crl(at=TODAY))
    finally:
        _CITY.organisations.revoked.clear()
    found = ask(folder, "sealed.pdf")
    assert found.exit_code == 2
    assert "suspended since" in found.output
