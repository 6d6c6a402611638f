# SPDX-License-Identifier: Apache-2.0
"""Several people in one signature of a PDF: each is judged, the worst decides, and openssl finds the same."""

import shutil
import subprocess
from pathlib import Path

import pytest
from asn1crypto import cms as asn1
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from signatures.models import Level, Overall, Profile, Verdict
from signatures.pades import cms
from signatures.sandbox import ReaderPool
from signatures.verdict import Catalogue, as_json, judge
from tests.signatures import documents, forgeries, stamper
from tests.signatures.pki import NOW, City, Leaf
from tests.signatures.test_witnesses import gap


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


@pytest.fixture(scope="module")
def second(city: City) -> Leaf:
    return city.people.leaf("Chen Wei")


@pytest.fixture(scope="module")
def both(leaf: Leaf, second: Leaf) -> bytes:
    return documents.signed_by(forgeries.draft(), [leaf, second])


def look(document: bytes, city: City, profile: Profile = Profile.STRICT) -> Verdict:
    return judge(document, documents.inspected(document, city, profile), profile=profile, at=NOW)


def names(verdict: Verdict) -> set[str]:
    return {one.facts.certificate.name for one in verdict.signatures if one.facts}


def test_each_signer_has_an_answer_and_the_worst_is_that_of_the_file(
    both: bytes, city: City, leaf: Leaf, second: Leaf
) -> None:
    good = look(both, city)
    assert good.overall is Overall.TRUSTED, good.problems
    assert names(good) == {"Jiangcheng Tax Bureau Seal", "Chen Wei"}
    told = [problem for problem in as_json(good, Catalogue())["problems"] if problem["code"] == "several_signers"]
    assert [each["signature"] for each in told] == [1, 2]
    assert all("2" in each["en"] and "2" in each["zh"] for each in told)
    stranger = look(documents.signed_by(documents.permit(), [leaf, City().seal()]), city)
    assert {one.overall for one in stranger.signatures} == {Overall.TRUSTED, Overall.NOT_TRUSTED}
    assert stranger.overall is Overall.NOT_TRUSTED
    unit = stamper.unit(city.organisations)
    stamped = look(documents.signed_by(documents.permit(), [leaf, second, leaf], by=unit), city)
    assert [one.facts.level for one in stamped.signatures if one.facts] == [Level.T] * 3


def test_one_forged_signer_among_good_ones_is_named(both: bytes, city: City) -> None:
    found = gap(both)[0]
    values = [info["signature"].native for info in asn1.ContentInfo.load(found)["content"]["signer_infos"]]
    for value in values:
        other = bytes([*value[:-1], value[-1] ^ 1])
        forged = both.replace(value.hex().encode(), other.hex().encode())
        forged = forged if forged != both else both.replace(value.hex().upper().encode(), other.hex().upper().encode())
        assert forged != both
        verdict = look(forged, city)
        assert sorted(one.unchanged.code for one in verdict.signatures) == ["signature_forged", "unchanged"]
        assert verdict.overall is Overall.NOT_TRUSTED


def test_openssl_finds_what_we_find_and_what_openssl_makes_is_judged(
    both: bytes, city: City, leaf: Leaf, second: Leaf, tmp_path: Path
) -> None:
    openssl = shutil.which("openssl")
    assert openssl, "scripts/bootstrap --dev brings it"
    roots = documents.write(tmp_path, "roots.pem", "".join(city.trust().roots).encode())
    issuers = documents.write(tmp_path, "issuers.pem", "".join(city.trust().issuers.values()).encode())

    def verified(document: bytes) -> bool:
        signature, content = gap(document)
        whole = asn1.ContentInfo.load(signature).dump()
        given = documents.write(tmp_path, "s.der", whole), documents.write(tmp_path, "content", content)
        done = subprocess.run(
            [openssl, "cms", "-verify", "-binary", "-inform", "DER", "-in", given[0], "-content", given[1], "-CAfile",
             roots, "-certfile", issuers, "-purpose", "any", "-no_check_time", "-out", "/dev/null"],
            capture_output=True, check=False,
        )  # fmt: skip
        return done.returncode == 0

    assert verified(both)
    assert not verified(documents.signed_by(documents.permit(), [leaf, City().seal()]))
    prepared = documents.room_for(documents.permit(), leaf)
    command: list[str | Path] = [
        openssl, "cms", "-sign", "-binary", "-outform", "DER", "-md", "sha256", "-cades", "-certfile", issuers,
        "-in", documents.write(tmp_path, "covered", documents.covered(prepared)),
    ]  # fmt: skip
    for number, each in enumerate((leaf, second)):
        key = each.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        signer = documents.write(tmp_path, f"{number}.pem", each.pem)
        command += ["-signer", signer, "-inkey", documents.write(tmp_path, f"{number}.key", key)]
    content = subprocess.run(command, capture_output=True, check=True).stdout
    theirs = cms.put_into(prepared.document, start=prepared.start, end=prepared.end, content=content)
    assert verified(theirs)
    verdict = look(theirs, city)
    assert names(verdict) == {"Jiangcheng Tax Bureau Seal", "Chen Wei"}
    # Their clock is the machine's, which is another than that of the tests.
    assert {one.unchanged.code for one in verdict.signatures} == {"unchanged"}


@pytest.mark.parametrize("name", [*forgeries.INCREMENTAL, *forgeries.SHADOW, *forgeries.COVERING])
def test_two_signers_are_fooled_no_more_easily_than_one(name: str, both: bytes, city: City) -> None:
    forged = forgeries.EVERY[name](both)
    for profile in Profile:
        verdict = look(forged, city, profile)
        assert verdict.overall is not Overall.TRUSTED
        assert not {one.unchanged.code for one in verdict.signatures} & {"unchanged", "archived"}


def test_a_later_signature_by_two_of_whom_one_is_a_stranger_is_a_change(
    both: bytes, leaf: Leaf, second: Leaf, city: City
) -> None:
    first = documents.sealed(documents.permit(), leaf)
    good = look(documents.signed_by(first, [second, leaf]), city)
    assert (good.overall, good.signatures[0].unchanged.code) == (Overall.TRUSTED, "signed_further")
    bad = look(documents.signed_by(first, [second, City().people.leaf("Mallory")]), city)
    assert bad.signatures[0].unchanged.code == "changed_after"
    # Who stands beside whom decides nothing about a signature elsewhere that no parser sees.
    hidden = both + b"% /ByteRange [0 1 2 3]\n"
    assert look(hidden, city).overall is not Overall.TRUSTED


def test_locked_in_they_are_read_alike(both: bytes, city: City, readers: ReaderPool) -> None:
    there = readers.inspect(both, trust=city.trust(), lists=city.lists(), profile=Profile.STRICT, at=NOW)
    assert there == documents.inspected(both, city)
    assert [each.signers for each in there.signatures] == [2, 2]
