# SPDX-License-Identifier: Apache-2.0
"""The operator's commands, over the peer API of an application in process."""

import csv
import hashlib
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.cli import Hall, group
from ca.errors import AlreadyRevoked, FileRefused, KeyRefused, NotYourBusiness
from ca.models import Standing
from ca.registration import At
from core.errors import TallygateError
from tests.fakes.people import CITIZEN, KIOSK, OFFICER

from .sites import Site
from .world import World, ask, new_key, request_for


def _no_hall() -> Hall:
    raise AssertionError("no ceremony is held here")


def _run(site: Site, *arguments: str) -> str:
    done = CliRunner().invoke(group(site.peer, _no_hall), list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output.strip()


def test_an_operator_issues_shows_suspends_releases_and_revokes(site: Site, world: World, tmp_path: Path) -> None:
    (tmp_path / "w.csr").write_bytes(request_for())
    given = (str(tmp_path / "w.csr"), "--out", str(tmp_path / "w.pem"))
    serial = _run(site, "issue", "citizen", CITIZEN.subject, *given, "--break-glass", "drill")
    assert (tmp_path / "w.pem").read_bytes().count(b"BEGIN CERTIFICATE") == 2
    assert "good" in _run(site, "show", serial)
    _run(site, "suspend", serial)
    assert "suspended" in _run(site, "show", CITIZEN.subject)
    _run(site, "release", serial)
    _run(site, "revoke", serial, "--reason", "key-compromise")
    assert site.authority.status(serial).standing is Standing.REVOKED
    assert world.outbox()[-1].actor == "role:app"
    with pytest.raises(TallygateError) as refused:
        _run(site, "release", serial)
    assert refused.value.code == AlreadyRevoked.code


@pytest.mark.parametrize("named", ["certificate", "request", "key", "hash"])
def test_a_key_is_blocked_and_what_was_made_for_it_is_revoked_and_shown(
    site: Site, world: World, tmp_path: Path, named: str
) -> None:
    key = new_key()
    csr = request_for(key)
    serials = [site.authority.issue(ask(csr=csr)).serial for _ in range(2)]
    other = site.authority.issue(ask()).serial
    public = key.public_key()
    spelt = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    contents = {
        "certificate": site.authority.chained(site.authority.certificate(serials[0])),
        "request": csr,
        "key": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    }
    path = tmp_path / "named.pem"
    path.write_bytes(contents.get(named, b""))
    given = hashlib.sha256(spelt).hexdigest().upper() if named == "hash" else str(path)
    first, *lines = _run(site, "block-key", given).splitlines()
    assert first == "2 revoked"
    assert {each.split()[0] for each in lines} == set(serials)
    assert all("revoked" in each for each in lines)
    assert site.authority.status(other).good
    with pytest.raises(KeyRefused):
        site.authority.issue(ask(csr=csr))
    assert "ca.key.blocked" in world.reported()
    # Once more is no error and revokes nothing more.
    assert _run(site, "block-key", given).startswith("0 revoked")


def test_what_is_no_key_is_not_blocked(site: Site, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no key")
    for named in (str(tmp_path / "x"), str(tmp_path / "absent"), "ab" * 31):
        done = CliRunner().invoke(group(site.peer, _no_hall), ["block-key", named])
        assert done.exit_code == 2, done.output


def test_other_roles_block_no_keys(site: Site) -> None:
    for role in ("sso", "gateway", "signatures"):
        with pytest.raises(TallygateError) as refused:
            site.peer(role).block("ab" * 32, actor="")
        assert refused.value.code == NotYourBusiness.code


def test_a_table_of_devices_is_sent_and_told_of(site: Site, world: World, tmp_path: Path) -> None:
    for name in ("kiosk.csr", "other.csr"):
        (tmp_path / name).write_bytes(request_for())
    table = tmp_path / "meters.csv"
    # Requests may lie beside the table; a line that cannot be is told of, and holds nobody up.
    table.write_text(f"device,file\n{KIOSK.id},kiosk.csr\n{uuid.uuid4()},other.csr\n", "utf-8")
    report, issued = tmp_path / "report.csv", tmp_path / "issued.pem"
    files = ("--report", str(report), "--certificates", str(issued))
    first = _run(site, "enrol", str(table), "--reference", "file 7", *files)
    identifier, _, rest = first.partition(" ")
    assert rest == "waiting: 2 lines, 1 ready, 0 taken, 0 issued, 1 refused"
    assert issued.read_bytes() == b""
    job = site.bulk.job(identifier)
    assert (job.asker, job.reference, job.name, job.profile) == ("role:app", "file 7", "meters.csv", "device-client")
    site.bulk.approve(identifier, At(officer=OFFICER.subject, assurance=3, zone="management"), digest=job.digest)
    while site.bulk.step(identifier):
        pass
    assert site.bulk.finish(identifier)
    assert (
        _run(site, "enrol", "--job", identifier, *files)
        == f"{identifier} done: 2 lines, 0 ready, 0 taken, 1 issued, 1 refused"
    )
    with report.open(encoding="utf-8-sig", newline="") as file:
        good, bad = csv.DictReader(file)
    assert (good["device"], good["result"], bad["result"]) == (KIOSK.id, "issued", "refused")
    assert bad["reason"]
    (leaf, *_) = x509.load_pem_x509_certificates(issued.read_bytes())
    assert good["serial"] == format(leaf.serial_number, "x")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "name either a table or --job"),
        (["T", "--job", "ab"], "name either a table or --job"),
        (["T"], "--reference is missing"),
        (["absent.csv", "--reference", "x"], "does not exist"),
        (["T", "--reference", "x", "--profile", "citizen"], "'citizen' is not one of"),
    ],
)
def test_a_table_that_is_not_told_of_right_is_not_sent(site: Site, tmp_path: Path, given: list[str], said: str) -> None:
    table = tmp_path / "t.csv"
    table.write_text("device,csr\n", "utf-8")
    arguments = ["enrol", *(str(table) if each == "T" else each for each in given)]
    done = CliRunner().invoke(group(site.peer, _no_hall), arguments)
    assert done.exit_code == 2
    assert said in done.output
    assert site.bulk.newest()[0] == []


def test_a_table_that_cannot_be_read_or_a_job_that_is_none_is_refused(site: Site, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("device,nothing\n", "utf-8")
    with pytest.raises(FileRefused):
        _run(site, "enrol", str(table), "--reference", "x")
    with pytest.raises(TallygateError):
        _run(site, "enrol", "--job", "0" * 32)
