# SPDX-License-Identifier: Apache-2.0
"""Programs that are not ours check what we sign, at every level: pdfsig, qpdf, openssl cms and openssl ts."""

import hashlib
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from asn1crypto import cms as asn1

from core.db import Database, migrate
from signatures.formats import inspect
from signatures.looks import Placement
from signatures.models import Level, Overall, Profile, SealOrder
from signatures.pades.grounds import Grounds
from signatures.sandbox import ReaderPool
from signatures.service import Sealing
from signatures.store import Store
from signatures.verdict import judge
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures import documents, stamper
from tests.signatures.fakes import CLERK, COMMITMENTS, TestAuthority, encode, sealing
from tests.signatures.pki import NOW, City
from tests.signatures.test_blocks import codes

MIGRATIONS = Path(__file__).parents[2] / "signatures" / "migrations"
CONTENT = "年度预算,1000\n".encode() * 50
ORDER = SealOrder(document=documents.permit(), organisation="tax-bureau", actor=CLERK, caller="app", assurance=2)


@dataclass
class Made:
    folder: Path
    roots: Path
    sealings: dict[Level, Sealing]
    sealed: dict[Level, bytes]
    beside: dict[Level, bytes]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, city: City, readers: ReaderPool) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("witnesses")
    database = Database.open(f"sqlite:///{folder}/signatures.db")
    migrate(database, MIGRATIONS)
    unit, clock, authority = stamper.unit(city.people), ManualClock(), TestAuthority(city)
    store = Store(database, encode=encode)
    sealings = {
        level: sealing(
            store=store,
            readers=readers,
            folder=folder / "keys",
            authority=authority,
            recorder=ListRecorder(),
            clock=clock,
            level=level,
            stamp=lambda over: stamper.token(over, unit, clock.now()),
            lists=city.lists,
        )
        for level in Level
    }
    sealings[Level.B].establish("tax-bureau")
    roots = documents.write(folder, "roots.pem", "".join(city.trust().roots).encode())
    documents.write(folder, "issuers.pem", "".join(city.trust().issuers.values()).encode())
    sealed = {level: one.seal(ORDER) for level, one in sealings.items()}
    beside = {level: sealings[level].sign_beside(replace(ORDER, document=CONTENT)) for level in (Level.B, Level.T)}
    yield Made(folder, roots, sealings, sealed, beside)
    database.close()


def told(*command: str | Path) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    return f"{done.returncode}\n{done.stdout}\n{done.stderr}"


def gap(document: bytes) -> tuple[bytes, bytes]:
    """The first signature of a document and the bytes it covers."""
    found = re.search(rb"/ByteRange\s*\[\s*0 (\d+) (\d+) (\d+)\s*\]", document)
    assert found
    first, second, rest = map(int, found.groups())
    return bytes.fromhex(document[first + 1 : second - 1].decode()), document[:first] + document[second : second + rest]


def openssl(made: Made, signature: bytes, content: bytes, *more: str) -> str:
    at = documents.write(made.folder, "s.der", asn1.ContentInfo.load(signature).dump())
    of = documents.write(made.folder, "content", content)
    return told(
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", at, "-content", of, "-CAfile", made.roots,
        "-certfile", made.folder / "issuers.pem", "-purpose", "any", "-no_check_time", "-out", "/dev/null", *more,
    )  # fmt: skip


def stamps(made: Made, signature: bytes) -> str:
    info = asn1.ContentInfo.load(signature)["content"]["signer_infos"][0]
    (token,) = [
        each["values"][0] for each in info["unsigned_attrs"] if each["type"].native == "signature_time_stamp_token"
    ]
    at = documents.write(made.folder, "token.der", token.dump())
    of = documents.write(made.folder, "value", info["signature"].native)
    return told(
        "openssl", "ts", "-verify", "-data", of, "-in", at, "-token_in", "-CAfile", made.roots,
        "-untrusted", made.folder / "issuers.pem", "-no_check_time",
    )  # fmt: skip


@pytest.mark.parametrize("level", Level)
def test_others_find_our_seals_good_at_every_level(made: Made, level: Level) -> None:
    document = made.sealed[level]
    path = documents.write(made.folder, f"{level}.pdf", document)
    shown = told("pdfsig", "-nocert", path)
    assert "Signature is Valid." in shown
    assert shown.count("Signature #") == (2 if level is Level.LTA else 1)
    assert told("qpdf", "--check", path).startswith("0\n")
    signature, covered = gap(document)
    assert openssl(made, signature, covered, "-cades").startswith("0\n")
    assert not openssl(made, signature, covered + b" ").startswith("0\n")
    if level is not Level.B:
        assert stamps(made, signature).startswith("0\n")


@pytest.mark.parametrize("level", [Level.B, Level.T])
def test_others_and_we_find_signatures_beside_any_file_good(made: Made, city: City, level: Level) -> None:
    signature = made.beside[level]
    assert openssl(made, signature, CONTENT, "-cades").startswith("0\n")
    assert not openssl(made, signature, CONTENT[1:], "-cades").startswith("0\n")
    if level is Level.T:
        assert stamps(made, signature).startswith("0\n")
    grounds = Grounds(city.trust(), city.lists())
    for content, overall in ((CONTENT, Overall.TRUSTED), (CONTENT + b"x", Overall.NOT_TRUSTED)):
        found = inspect(signature, content=content, grounds=grounds, profile=Profile.STRICT, at=NOW)
        verdict = judge(signature, found, profile=Profile.STRICT, at=NOW, content=content)
        assert verdict.overall is overall
    (facts,) = inspect(signature, content=CONTENT, grounds=grounds, profile=Profile.STRICT, at=NOW).signatures
    assert (facts.level, facts.claimed_at) == (level, NOW)


@pytest.mark.parametrize("level", [Level.B, Level.LTA])
def test_several_sign_one_after_the_other_and_all_stay_good(made: Made, city: City, level: Level) -> None:
    document = made.sealed[level]
    for turn in range(2):
        further = replace(ORDER, document=document, further=True, placement=Placement(page=1, x=40, y=60 + 140 * turn))
        signed = made.sealings[level].seal(further)
        assert signed.startswith(document)
        document = signed
    verdict = judge(document, documents.inspected(document, city), profile=Profile.STRICT, at=NOW)
    assert [one.unchanged.code for one in verdict.signatures][:2] == ["signed_further", "signed_further"]
    assert verdict.overall is Overall.TRUSTED
    assert {one.facts.level for one in verdict.signatures if one.facts} == {level}
    shown = told("pdfsig", "-nocert", documents.write(made.folder, "several.pdf", document))
    # It does not know time-stamps over documents.
    assert shown.count("Signature is Valid.") == 3


def test_a_code_beside_a_seal_leads_to_the_verification_page_with_the_document_s_commitment(made: Made) -> None:
    sealed = made.sealings[Level.B].seal(replace(ORDER, code=True))
    assert codes(sealed) == [f"https://verify.city.localhost/?document={COMMITMENTS.of(ORDER.document)}"]
    assert hashlib.sha256(ORDER.document).hexdigest() not in codes(sealed)[0]
