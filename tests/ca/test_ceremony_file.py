# SPDX-License-Identifier: Apache-2.0
"""Ceremonies by their reviewed file: rehearsed, held, recorded, and survived whatever breaks midway."""

import hashlib
import re
from itertools import combinations

import pytest
from cryptography import x509

from audit import Outcome, RecordUnavailable
from ca.ceremony import offline
from ca.errors import KeyUnusable, ScriptRefused, ShareRefused
from ca.x509.lint import Linter, Seal
from core.config import ConfigurationError
from core.errors import TallygateError

from .tables import CUSTODY, LIST, Table
from .world import World, ask


@pytest.mark.parametrize(
    "script",
    [
        LIST + "extra = 1\n",
        LIST + '[[revoked]]\nissuer = "people"\nserial = "1"\nreason = "superseded"\nnote = "x"\n',
        LIST + "[custodians]\nneeded = 2\n",
        LIST + '[[revoked]]\nissuer = "root"\nserial = "1"\nreason = "superseded"\n',
        LIST + '[[revoked]]\nissuer = "people"\nserial = "zz"\nreason = "superseded"\n',
        LIST + '[[revoked]]\nissuer = "people"\nserial = "1"\nreason = "certificate-hold"\n',
        CUSTODY + "[custodians]\ncount = 2\nneeded = 3\n",
        CUSTODY + "[custodians]\nneeded = 1\n",
        CUSTODY + '[custodians]\nnames = ["Zhao"]\n',
        CUSTODY + "[custodians]\nshares = 5\n",
        'kind = "party"\nsite = "city"\ntitle = "x"\n',
        'site = "city"\ntitle = "x"\n',
        "kind = ",
        "\0",
    ],
)
def test_a_file_with_anything_unknown_or_impossible_is_refused(table: Table, script: str) -> None:
    before = table.files()
    for hold in (False, True):
        done = table.run(script, hold=hold)
        assert isinstance(done.exception, ConfigurationError | TallygateError), done.output
    assert table.files() == before


@pytest.mark.parametrize("script", [LIST, CUSTODY])
def test_a_rehearsal_keeps_and_records_nothing(table: Table, script: str) -> None:
    before, events = table.files(), len(table.world.recorder.events)
    done = table.run(script)
    assert done.exit_code == 0, done.exception
    assert "a rehearsal; nothing is kept or recorded" in done.output
    # What to type to hold just this file.
    assert f"--hold {hashlib.sha256(script.encode()).hexdigest()}" in done.output
    assert table.files() == before
    assert not table.shares.exists()
    assert len(table.world.recorder.events) == events


def test_a_rehearsal_signs_nothing_with_the_roots_key(table: Table) -> None:
    root = x509.load_pem_x509_certificate((table.world.site.public / "root.pem").read_bytes())
    made: list[bytes] = []
    real = x509.load_der_x509_crl

    def seen(der: bytes) -> x509.CertificateRevocationList:
        made.append(der)
        return real(der)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ca.ceremony.holding.x509.load_der_x509_crl", seen)
        assert table.run(LIST).exit_code == 0
    # The list that stands there, and the draft.
    verified = [real(der).is_signature_valid(root.public_key()) for der in made]  # type: ignore[arg-type]  # the root's key signs
    assert verified == [True, False]


def test_only_the_reviewed_file_is_held(table: Table) -> None:
    before = table.files()
    done = table.run(LIST, "--hold", hashlib.sha256(b"another").hexdigest())
    assert isinstance(done.exception, ScriptRefused)
    assert isinstance(table.run(LIST.replace("city", "town"), hold=True).exception, ScriptRefused)
    assert table.files() == before


def test_a_list_is_made_recorded_and_written_down(table: Table) -> None:
    transcript = table.held(LIST)
    path = table.world.site.public / "root.crl"
    made = x509.load_der_x509_crl(path.read_bytes())
    assert made.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 2
    assert path.stat().st_mode & 0o777 == 0o644
    assert f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}" in transcript
    intent, outcome = table.world.recorder.events[-2:]
    digest = hashlib.sha256(LIST.encode()).hexdigest()
    assert (intent.type, intent.attributes) == ("ca.ceremony.intended", {"kind": "root-list", "script": digest})
    assert (outcome.type, outcome.outcome) == ("ca.ceremony.completed", Outcome.SUCCESS)
    # The record holds the digest of all that stands above the line that says so.
    above = transcript[: transcript.index("transcript so far")]
    assert outcome.attributes["transcript"] == hashlib.sha256(above.encode()).hexdigest()


def test_an_issuing_authority_is_revoked_by_the_serial_that_reviewers_saw(table: Table) -> None:
    people = x509.load_pem_x509_certificate((table.world.site.public / "issuers" / "people.pem").read_bytes())
    script = LIST + f'[[revoked]]\nissuer = "people"\nserial = "{people.serial_number:x}"\nreason = "key-compromise"\n'
    wrong = script.replace("people", "devices")
    assert isinstance(table.run(wrong, hold=True).exception, ScriptRefused)
    table.held(script)
    (entry,) = x509.load_der_x509_crl((table.world.site.public / "root.crl").read_bytes())
    assert entry.serial_number == people.serial_number
    assert isinstance(table.run(script, hold=True).exception, ScriptRefused)
    assert table.world.recorder.events[-1].outcome is Outcome.FAILURE


def test_three_of_five_custodians_open_the_root_and_nobody_else(table: Table) -> None:
    names = '[custodians]\nnames = ["赵", "钱", "孙", "李", "周"]\n'
    old = (table.offline / "passphrase").read_bytes().strip()
    transcript = table.held(CUSTODY + names)
    assert re.search(r"custodian 3 +孙", transcript)
    assert not (table.offline / "passphrase").exists()
    kept = sorted(table.shares.iterdir())
    assert [path.name for path in kept] == [f"share-{number}.txt" for number in range(1, 6)]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert all(table.opens(*three) for three in combinations(range(1, 6), 3))
    assert not any(table.opens(*two) for two in combinations(range(1, 6), 2))
    with pytest.raises(KeyUnusable):
        offline._opened((table.offline / "root.key").read_bytes(), old)
    # Nothing of the secret is in transcript or record.
    for path in kept:
        assert path.read_text("ascii").strip() not in transcript
    assert table.world.recorder.events[-1].attributes["needed"] == 3


def test_custodians_bring_their_shares_in_files_or_type_them(table: Table) -> None:
    table.held(CUSTODY)
    files = [str(table.shares / f"share-{number}.txt") for number in (5, 1, 3)]
    assert "custodians who came    5, 1, 3" in table.held(LIST, *(word for file in files for word in ("--share", file)))
    typed = "".join((table.shares / f"share-{number}.txt").read_text("ascii") for number in (2, 3, 4))
    table.held(LIST, typed=f"{typed}\n")
    made = x509.load_der_x509_crl((table.world.site.public / "root.crl").read_bytes())
    assert made.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 3


@pytest.mark.parametrize("numbers", [(), (1, 2), (1, 2, 2)])
def test_too_few_custodians_make_no_list_and_the_record_says_so(table: Table, numbers: tuple[int, ...]) -> None:
    table.held(CUSTODY)
    before = (table.world.site.public / "root.crl").read_bytes()
    typed = "".join((table.shares / f"share-{number}.txt").read_text("ascii") for number in numbers)
    done = table.run(LIST, typed=f"{typed}\n", hold=True)
    assert isinstance(done.exception, ShareRefused)
    assert (table.world.site.public / "root.crl").read_bytes() == before
    last = table.world.recorder.events[-1]
    assert (last.type, last.outcome) == ("ca.ceremony.completed", Outcome.FAILURE)
    assert not (table.folder / "ceremony.transcript").exists()


def test_without_a_rehearsals_custodians_it_says_that_they_must_come(table: Table) -> None:
    table.held(CUSTODY)
    done = table.run(LIST)
    assert done.exit_code == 0, done.exception
    assert re.search(r"root key +with its custodians", done.output)


def test_custodians_can_be_replaced_and_old_shares_open_nothing(table: Table) -> None:
    table.held(CUSTODY)
    old = table.shares
    typed = "".join((old / f"share-{number}.txt").read_text("ascii") for number in (1, 2, 3))
    assert isinstance(table.run(CUSTODY, typed=f"{typed}\n", hold=True).exception, ScriptRefused)
    table.shares = table.folder / "new"
    table.held(CUSTODY + "[custodians]\ncount = 3\nneeded = 2\n", typed=f"{typed}\n")
    assert table.opens(1, 3)
    table.shares = old
    assert not table.opens(1, 2, 3)


def test_without_a_record_nothing_is_done(table: Table) -> None:
    before = table.files()
    table.world.recorder.down = True
    for script in (LIST, CUSTODY):
        assert isinstance(table.run(script, hold=True).exception, RecordUnavailable)
    assert table.files() == before


@pytest.mark.parametrize("step", ["encrypted", "replace", "forget_passphrase"])
def test_a_death_at_any_step_of_the_division_leaves_a_way_in(
    table: Table, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(f"ca.ceremony.offline.{step}", die)
        assert isinstance(table.run(CUSTODY, hold=True).exception, MemoryError)
    assert table.world.recorder.events[-1].outcome is Outcome.FAILURE
    by_passphrase = table.run(LIST, hold=True).exit_code == 0
    assert by_passphrase is (step != "forget_passphrase")
    if not by_passphrase:
        # The passphrase that still lies there opens nothing any more; the custodians do.
        typed = "".join((table.shares / f"share-{number}.txt").read_text("ascii") for number in (1, 2, 3))
        table.held(LIST, typed=f"{typed}\n")


def test_every_list_passes_lint(world: World) -> None:
    authority = world.open()
    serials = [authority.issue(ask()).serial for _ in range(3)]
    authority.suspend(serials[0], actor="x")
    linter = Linter(Seal())
    for issuer in ("people", "devices", "organisations", "infrastructure", "root"):
        for shard in authority.shards(issuer) if issuer != "root" else (0,):
            assert linter.list_findings(authority.crl(issuer, shard).der) == []
            if shard:
                assert linter.list_findings(authority.crl(issuer, shard, delta=True).der) == []
    assert linter.list_findings(b"0\x00") != []
