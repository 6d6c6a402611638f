# SPDX-License-Identifier: Apache-2.0
"""Time-stamps beside a document of the archive are judged with it: in its ZIP file, or sent along."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from signatures.cli import verify
from signatures.formats import inspect
from signatures.models import Format, Level, Overall, Profile, StampState, Verdict
from signatures.pades.grounds import Grounds
from signatures.reports import xml
from signatures.sandbox import ReaderPool
from signatures.verdict import Catalogue, as_json, judge
from tests.signatures import documents, made, stamper
from tests.signatures.archived import Kept, kept
from tests.signatures.pki import DAY, NOW, Authority, City, Leaf

SOON = timedelta(days=400)


@pytest.fixture(scope="module")
def lattice(city: City) -> Leaf:
    return stamper.unit(city.devices, key=MLDSA65PrivateKey.generate())


@pytest.fixture(scope="module")
def classical(city: City) -> Leaf:
    return stamper.unit(city.devices, after=NOW + 350 * DAY)


@pytest.fixture(scope="module")
def notice(city: City, sealed: bytes, classical: Leaf, lattice: Leaf) -> Kept:
    return kept(city, sealed, classical=classical, lattice=lattice)


def look(document: bytes, city: City, *beside: bytes, at: datetime = NOW) -> Verdict:
    grounds = Grounds(city.trust(), city.lists(at=at))
    found = inspect(document, grounds=grounds, profile=Profile.STRICT, at=at, beside=beside)
    return judge(document, found, profile=Profile.STRICT, at=at)


def codes(verdict: Verdict) -> set[str]:
    return {each.code for each in verdict.problems}


def states(verdict: Verdict) -> list[tuple[str, bool, StampState]]:
    facts = verdict.signatures[0].facts
    assert facts is not None
    return [(each.algorithm, each.beside, each.state) for each in facts.stamps]


def flipped(data: bytes, at: int = -9) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def test_the_stamp_beside_is_named_with_the_document_in_its_zip_file(city: City, notice: Kept) -> None:
    verdict = look(notice.container, city)
    assert (verdict.overall, verdict.format) == (Overall.TRUSTED, Format.KEPT), verdict.problems
    assert states(verdict) == [("P-256", False, StampState.GOOD), ("ML-DSA-65", True, StampState.GOOD)]
    said = as_json(verdict, Catalogue())
    (signature,) = said["signatures"]
    assert (signature["level"], signature["covered"], signature["uncovered"]) == (Level.LTA, ["notice.pdf"], [])
    assert [each["beside"] for each in signature["stamps"]] == [False, True]
    assert signature["stamps"][1]["sha256"] == hashlib.sha256(notice.token).hexdigest()
    (told,) = [each for each in said["problems"] if each["code"] == "stamp_beside_lasting"]
    assert told["severity"] == "notice"
    assert "ML-DSA-65" in told["en"]
    assert "ML-DSA-65" in told["zh"]
    assert b">beside</" in xml(said)
    # Nobody cuts a revision of the PDF out of the bytes of the ZIP file.
    assert signature["revision"] == 0


def test_it_proves_on_where_the_one_in_the_file_has_ended(city: City, notice: Kept) -> None:
    later = NOW + SOON
    assert look(notice.document, city, at=later).overall is Overall.CANNOT_TELL
    for verdict in (look(notice.container, city, at=later), look(notice.document, city, notice.token, at=later)):
        assert verdict.overall is Overall.TRUSTED, verdict.problems
        assert states(verdict) == [("P-256", False, StampState.REFUSED), ("ML-DSA-65", True, StampState.GOOD)]


def test_once_its_own_unit_has_ended_it_proves_nothing_and_says_so(city: City, notice: Kept) -> None:
    verdict = look(notice.container, city, at=NOW + 1000 * DAY)
    assert verdict.overall is not Overall.TRUSTED
    assert "stamp_beside_refused" in codes(verdict)


def test_a_document_alone_says_that_one_stands_beside_it(city: City, notice: Kept) -> None:
    alone = look(notice.document, city)
    assert (alone.overall, codes(alone)) == (Overall.TRUSTED, {"stamp_beside_absent"})
    together = look(notice.document, city, notice.token)
    assert (together.overall, codes(together)) == (Overall.TRUSTED, {"stamp_beside_lasting"})


def _without(files: dict[str, bytes], kept: Kept, *, line: bool) -> dict[str, bytes]:
    del files["beside-1.tst"]
    if line:
        files["proof.txt"] = b"".join(
            each for each in files["proof.txt"].splitlines(keepends=True) if not each.startswith(b"beside-1")
        )
    return files


ATTACKS: Mapping[str, tuple[Callable[[dict[str, bytes], Kept], dict[str, bytes]], Overall, str]] = {
    "altered": (
        lambda files, kept: {**files, "beside-1.tst": flipped(kept.token)},
        Overall.CANNOT_TELL,
        "stamp_beside_broken",
    ),
    "nothing like one": (
        lambda files, _: {**files, "beside-1.tst": b"0\x00"},
        Overall.CANNOT_TELL,
        "stamp_beside_broken",
    ),
    "missing": (
        lambda files, kept: _without(files, kept, line=False),
        Overall.CANNOT_TELL,
        "stamp_beside_missing",
    ),
    "missing and its line too": (
        lambda files, kept: _without(files, kept, line=True),
        Overall.CANNOT_TELL,
        "stamp_beside_missing",
    ),
    "one more file": (
        lambda files, _: {**files, "read me.txt": b"The fee is one yuan."},
        Overall.CANNOT_TELL,
        "partly_signed",
    ),
    "another text": (
        lambda files, _: {**files, "proof.txt": files["proof.txt"] + b"The fee is one yuan.\n"},
        Overall.CANNOT_TELL,
        "partly_signed",
    ),
    "no certificates": (
        lambda files, _: {**files, "roots.pem": b"The fee is one yuan.\n" + files["roots.pem"]},
        Overall.CANNOT_TELL,
        "partly_signed",
    ),
    "one more document": (
        lambda files, _: {**files, "annex.PDF": documents.permit()},
        Overall.CANNOT_TELL,
        "malformed",
    ),
    "another document": (
        lambda files, kept: {**files, "notice.pdf": documents.one_byte_changed(kept.document)},
        Overall.NOT_TRUSTED,
        "content_altered",
    ),
    "another name": (
        lambda files, _: {"n.pdf" if each == "notice.pdf" else each: files[each] for each in files},
        Overall.CANNOT_TELL,
        "partly_signed",
    ),
    "text in the name": (
        lambda files, _: {"a\nb.pdf" if each == "notice.pdf" else each: files[each] for each in files},
        Overall.CANNOT_TELL,
        "malformed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_somebody_did_to_the_zip_file_is_told(city: City, notice: Kept, attack: str) -> None:
    change, overall, code = ATTACKS[attack]
    verdict = look(made.zipped(change(made.unzipped(notice.container), notice)), city)
    assert verdict.overall is overall, verdict.problems
    assert code in codes(verdict)


def test_the_same_files_packed_by_somebody_else_are_as_good(city: City, notice: Kept) -> None:
    assert look(made.zipped(made.unzipped(notice.container)), city).overall is Overall.TRUSTED


def test_a_stamp_over_something_else_is_no_proof_of_this(city: City, notice: Kept, lattice: Leaf) -> None:
    for over in (b"", notice.document, notice.covered + b"."):
        token = stamper.token(over, lattice, NOW)
        verdict = look(notice.document, city, token)
        assert (verdict.overall, "stamp_beside_broken" in codes(verdict)) == (Overall.CANNOT_TELL, True)
        files = {**made.unzipped(notice.container), "beside-1.tst": token}
        verdict = look(made.zipped(files), city)
        assert verdict.overall is Overall.CANNOT_TELL
        assert {"stamp_beside_broken", "stamp_beside_missing"} <= codes(verdict)
    # Beside the right one a wrong one is told too.
    verdict = look(notice.document, city, notice.token, stamper.token(b"x", lattice, NOW))
    assert verdict.overall is Overall.CANNOT_TELL


def test_a_stamp_by_somebody_nobody_trusts_proves_nothing(city: City, notice: Kept, lattice: Leaf) -> None:
    stranger = stamper.unit(Authority("Far Away CA", Authority("Far Away Root CA")), key=lattice.key)
    token = stamper.token(notice.covered, stranger, NOW)
    verdict = look(notice.document, city, token)
    assert ("ML-DSA-65", True, StampState.UNKNOWN) in states(verdict)
    assert "stamp_unconfirmed" in codes(verdict)
    assert look(notice.document, city, token, at=NOW + SOON).overall is Overall.CANNOT_TELL


def test_it_is_over_nothing_beside_a_file_of_another_kind(city: City, notice: Kept, leaf: Leaf) -> None:
    verdict = look(made.cades(made.LETTER, [leaf]), city, notice.token)
    assert (verdict.overall, "stamp_beside_broken" in codes(verdict)) == (Overall.CANNOT_TELL, True)
    assert look(notice.document, city, *[notice.token] * 65).overall is Overall.CANNOT_TELL


@pytest.fixture
def start(city: City, tmp_path: Path) -> list[str]:
    lists = [documents.write(tmp_path, f"{number}.crl", der) for number, der in enumerate(city.lists())]
    issuers = (city.root, city.organisations, city.people, city.devices)
    trust = documents.write(tmp_path, "trust.pem", b"".join(each.pem for each in issuers))
    crls = [part for each in lists for part in ("--crl", str(each))]
    return ["--trust", str(trust), *crls, "--at", f"{NOW:%Y-%m-%dT%H:%M:%S}", "--json"]


def test_the_terminal_and_the_reading_process_say_the_same(
    city: City, notice: Kept, start: list[str], tmp_path: Path, readers: ReaderPool
) -> None:
    def told(file: Path, *more: str) -> dict[str, Any]:
        said: Result = CliRunner().invoke(verify, [str(file), *start, *more])
        found: dict[str, Any] = json.loads(said.output)
        return found

    token = documents.write(tmp_path, "beside-1.tst", notice.token)
    whole = documents.write(tmp_path, "archive.zip", notice.container)
    alone = documents.write(tmp_path, "notice.pdf", notice.document)
    packed, sent = told(whole), told(alone, "--beside", str(token))
    assert packed["overall"] == sent["overall"] == "trusted"
    assert packed["signatures"][0]["stamps"] == sent["signatures"][0]["stamps"]
    found = readers.inspect(
        notice.document,
        trust=city.trust(),
        lists=city.lists(),
        profile=Profile.STRICT,
        at=NOW,
        tokens=[flipped(notice.token)],
    )
    wrong = documents.write(tmp_path, "wrong.tst", flipped(notice.token))
    assert judge(b"", found, profile=Profile.STRICT, at=NOW).overall is Overall.CANNOT_TELL
    assert told(alone, "--beside", str(wrong))["overall"] == "cannot_tell"
    assert packed["headline"]["zh"] == "这份文件可信。"
