# SPDX-License-Identifier: Apache-2.0
"""Every kind of ceremony by its file: what it makes, what it refuses, and what a death midway leaves."""

import dataclasses
import hashlib
import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from audit import Outcome
from ca import CASettings, CertificateRefused, CertificateVerifier, IssueRequest
from ca.ceremony import found
from ca.ceremony.authorities import Constraints, Hall
from ca.errors import IssuerUnusable, NoSuchIssuer, ScriptRefused, SubjectUnsuitable
from ca.hierarchy import Hierarchy
from ca.models import AuthorityName, Reason
from ca.store import Store
from ca.x509 import generate, throw_away
from ca.x509.algorithms import Algorithm
from ca.x509.lint import Linter, Seal
from core.clock import SystemClock
from core.config import ConfigurationError
from tests.fakes.clock import ManualClock
from tests.fakes.people import COMPANY, KIOSK, SmallDirectory
from tests.fakes.recorder import ListRecorder

from .tables import LIST, Table
from .world import World, ask, loaded, open_database, request_for, site_in

HEAD = 'site = "city"\ntitle = "As reviewed"\n'
ROLLOVER = f'kind = "issuers"\n{HEAD}issuers = ["people-2"]\n'
ML_ROOT = f'kind = "root"\n{HEAD}root = "root-ml-dsa"\n'
ML_ISSUERS = f'kind = "issuers"\n{HEAD}root = "root-ml-dsa"\nissuers = ["people-ml-dsa", "organisations-ml-dsa"]\n'
DELEGATE = f'kind = "ocsp-delegate"\n{HEAD}issuers = ["people", "devices"]\n'
UNIT = f'kind = "time-stamping-unit"\n{HEAD}unit = "one"\n'
OTHER = f"""kind = "cross-certificate"
{HEAD}[other]
name = "x"
certificate = "x"
sha256 = "{"a" * 64}"
policies = ["2.999.1"]
"""
LISTS = f'kind = "list"\n{HEAD}issuers = ["people"]\n'


def _shares(table: Table) -> str:
    return "".join((table.shares / f"share-{number}.txt").read_text("ascii") for number in (1, 2, 3)) + "\n"


def _ml_dsa(table: Table) -> None:
    """The parallel hierarchy: a root divided at once, and two authorities below it."""
    table.held(ML_ROOT)
    table.held(ML_ISSUERS, typed=_shares(table))


@pytest.mark.parametrize(
    "script",
    [
        ROLLOVER + 'extra = "x"\n',
        ROLLOVER + '[constraints]\nmail = ["x"]\n',
        ROLLOVER + '[constraints]\ndns = [".X"]\n',
        ROLLOVER + '[constraints]\nnetworks = ["10.0.0.1/8"]\n',
        ROLLOVER.replace("people-2", "people-1"),
        ROLLOVER.replace("people-2", "root"),
        ROLLOVER.replace('["people-2"]', '["people-2", "people-2"]'),
        ROLLOVER.replace('["people-2"]', "[]"),
        ROLLOVER + 'algorithm = "RSA-2048"\n',
        ROLLOVER + 'algorithm = "ML-DSA-65"\n',
        ROLLOVER + 'root = "root-ml-dsa"\n',
        ROLLOVER + 'root = "people"\n',
        ROLLOVER + "days = 100000\n",
        ROLLOVER + 'until = "2026-12-01"\n',
        ROLLOVER + 'unit = "one"\n',
        ML_ROOT + 'algorithm = "P-384"\n',
        ML_ROOT.replace("root-ml-dsa", "root"),
        UNIT.replace('"one"', '"../one"'),
        UNIT + "days = 3\n",
        DELEGATE + 'root = "root-2"\n',
        f'kind = "cross-certificate"\n{HEAD}',
        OTHER.replace('"x"', '"root-2"', 1),
        OTHER.replace("a" * 64, "aa"),
        OTHER.replace("2.999.1", "any"),
    ],
)
def test_a_file_with_anything_unknown_or_impossible_is_refused(table: Table, script: str) -> None:
    before = table.files()
    for hold in (False, True):
        assert isinstance(table.run(script, hold=hold).exception, ConfigurationError)
    assert table.files() == before


@pytest.mark.parametrize("script", [ROLLOVER, ML_ROOT, DELEGATE, UNIT, LISTS])
def test_a_rehearsal_keeps_and_records_nothing(table: Table, script: str) -> None:
    rows, events = table.world.rows(), len(table.world.recorder.events)
    before = table.files()
    done = table.run(script)
    assert done.exit_code == 0, done.exception
    assert table.files() == before
    assert not table.shares.exists()
    assert (len(table.world.recorder.events), table.world.rows()) == (events, rows)


def test_a_file_is_not_held_after_its_last_day(table: Table) -> None:
    last = table.world.clock.now().date()
    script = LIST + f"until = {last.isoformat()}\n"
    before = (table.world.site.public / "root.crl").read_bytes()
    assert table.run(script).exit_code == 0
    table.world.clock.advance(timedelta(days=1))
    for hold in (False, True):
        assert isinstance(table.run(script, hold=hold).exception, ScriptRefused)
    assert (table.world.site.public / "root.crl").read_bytes() == before


def test_the_next_generation_issues_and_the_old_one_is_believed_and_tells_its_own_status(table: Table) -> None:
    world = table.world
    old = world.open().issue(ask())
    transcript = table.held(ROLLOVER)
    authority = world.open()
    authority.renew_responders()
    new = authority.issue(ask())
    first, second = (Hierarchy.load(world.site.public).issuers[name].certificate for name in ("people", "people-2"))
    assert hashlib.sha256(second.public_bytes(Encoding.DER)).hexdigest() in transcript
    assert first.subject != second.subject
    assert loaded(old).issuer == first.subject
    assert loaded(new).issuer == second.subject
    points = loaded(new).extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points[0].full_name is not None
    assert points[0].full_name[0].value.startswith("http://pki.city.localhost:8080/crl/people-2/")
    verifier = CertificateVerifier.load(world.site.public)
    for each in (old, new):
        assert verifier.verify(each.certificate, purpose="person", at=world.clock.now()).serial == each.serial
    # Each is on the list of whoever signed it, and on no other.
    for each in (old, new):
        authority.revoke(each.serial, reason=Reason.SUPERSEDED, actor="x")
    for name, each in (("people", old), ("people-2", new)):
        crl = x509.load_der_x509_crl(authority.crl(name, authority.certificate(each.serial).shard).der)
        assert [f"{entry.serial_number:x}" for entry in crl] == [each.serial]
        signer = Hierarchy.load(world.site.public).issuers[name].certificate
        assert crl.is_signature_valid(signer.public_key())  # type: ignore[arg-type]  # an issuer's key signs
    assert verifier.verify(new.certificate, purpose="person", at=world.clock.now()).issuer == "people"


def test_an_old_generation_ends_and_the_new_one_goes_on(table: Table) -> None:
    world = table.world
    old = world.open().issue(ask())
    world.clock.advance(timedelta(days=3649))
    table.held(ROLLOVER)
    world.clock.advance(timedelta(days=2))
    verifier, authority = CertificateVerifier.load(world.site.public), world.open()
    with pytest.raises(CertificateRefused):
        verifier.verify(old.certificate, purpose="person", at=world.clock.now())
    assert authority.certificate(authority.issue(ask()).serial).issuer == "people-2"
    with pytest.raises(IssuerUnusable):
        authority.issue(ask("device-client", subject=KIOSK.id))


def test_a_generation_is_not_skipped_nor_made_twice(table: Table) -> None:
    assert isinstance(table.run(ROLLOVER.replace("people-2", "people-3"), hold=True).exception, ScriptRefused)
    table.held(ROLLOVER)
    assert isinstance(table.run(ROLLOVER, hold=True).exception, ScriptRefused)
    assert table.world.recorder.events[-1].outcome is Outcome.FAILURE
    assert isinstance(table.run(ROLLOVER.replace("people-2", "people-ml-dsa"), hold=True).exception, ConfigurationError)


def test_a_generation_that_the_root_took_back_gives_way_to_the_one_before(table: Table) -> None:
    world = table.world
    table.held(ROLLOVER)
    serial = Hierarchy.load(world.site.public).issuers["people-2"].certificate.serial_number
    lost = world.open().issue(ask())
    gone = f'[[revoked]]\nissuer = "people-2"\nserial = "{serial:x}"\nreason = "key-compromise"\n'
    table.held(LIST + gone)
    with pytest.raises(CertificateRefused):
        CertificateVerifier.load(world.site.public).verify(lost.certificate, purpose="person", at=world.clock.now())
    authority = world.open()
    assert authority.certificate(authority.issue(ask()).serial).issuer == "people"


@pytest.mark.parametrize("step", ["keep_issuing", "publish"])
def test_a_death_between_key_and_certificate_leaves_what_is_made_again(
    table: Table, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*_: object) -> None:
        raise MemoryError

    place = "ca.ceremony.creation." + ("KeyFolder.keep_issuing" if step == "keep_issuing" else "publish")
    with monkeypatch.context() as patched:
        patched.setattr(place, die)
        assert isinstance(table.run(ROLLOVER, hold=True).exception, MemoryError)
    assert table.world.recorder.events[-1].outcome is Outcome.FAILURE
    assert "people-2" not in Hierarchy.load(table.world.site.public).issuers
    table.world.open().issue(ask())
    table.held(ROLLOVER)
    table.world.open().issue(ask())


def test_a_kill_in_the_middle_leaves_a_site_that_works_and_a_ceremony_that_can_be_held(table: Table) -> None:
    """The process is gone between keys and certificates: no handler ran, no outcome was recorded."""
    child = os.fork()
    if not child:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("ca.ceremony.creation.publish", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            table.run(ROLLOVER, hold=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert (table.world.site.folder("ca") / "keys" / "people-2.pem").exists()
    assert table.world.open().certificate(table.world.open().issue(ask()).serial).issuer == "people"
    (table.folder / "ceremony.transcript").unlink(missing_ok=True)
    table.held(ROLLOVER)
    assert table.world.open().certificate(table.world.open().issue(ask()).serial).issuer == "people-2"


@pytest.mark.parametrize("step", ["replace", "publish"])
def test_a_root_that_died_in_the_making_counts_for_nothing_and_is_made_again(
    table: Table, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*_: object) -> None:
        raise MemoryError

    place = "ca.ceremony.creation." + ("offline.replace" if step == "replace" else "publish")
    with monkeypatch.context() as patched:
        patched.setattr(place, die)
        assert isinstance(table.run(ML_ROOT, hold=True).exception, MemoryError)
    assert set(Hierarchy.load(table.world.site.public).roots) == {"root"}
    table.shares = table.folder / "again"
    table.held(ML_ROOT)
    assert set(Hierarchy.load(table.world.site.public).roots) == {"root", "root-ml-dsa"}


def test_the_ml_dsa_hierarchy_is_as_rfc_9881_says(table: Table) -> None:
    world = table.world
    _ml_dsa(table)
    assert not (table.offline / "root-ml-dsa.passphrase").exists()
    authority = world.open()
    authority.renew_responders()
    key = mldsa.MLDSA65PrivateKey.generate()
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, None)
    asked = ask("organisation-seal", subject=COMPANY.id, csr=csr.public_bytes(Encoding.PEM))
    issued = authority.issue(asked)
    hierarchy = Hierarchy.load(world.site.public)
    below = hierarchy.issuers["organisations-ml-dsa"]
    chain = (loaded(issued), below.certificate, below.root.certificate)
    for each, signer in zip(chain, (*chain[1:], chain[-1]), strict=True):
        each.verify_directly_issued_by(signer)
        # Section 2: no parameters. Section 5: keys that sign, and nothing else.
        assert each.signature_algorithm_oid.dotted_string == "2.16.840.1.101.3.4.3.18"
        assert each.signature_algorithm_parameters is None
        assert isinstance(each.public_key(), mldsa.MLDSA65PublicKey)
        usage = each.extensions.get_extension_for_class(x509.KeyUsage).value
        assert not any((usage.key_encipherment, usage.data_encipherment, usage.key_agreement))
    # An empty context: the plain verification of `cryptography` has none.
    public = below.certificate.public_key()
    assert isinstance(public, mldsa.MLDSA65PublicKey)
    public.verify(chain[0].signature, chain[0].tbs_certificate_bytes)
    verifier = CertificateVerifier.load(world.site.public)
    assert verifier.verify(issued.certificate, purpose="organisation", at=world.clock.now()).subject == COMPANY.id
    tampered = bytearray(chain[0].public_bytes(Encoding.DER))
    tampered[-1] ^= 1
    pem = x509.load_der_x509_certificate(bytes(tampered)).public_bytes(Encoding.PEM)
    with pytest.raises(CertificateRefused):
        verifier.verify(pem, purpose="organisation", at=world.clock.now())
    # Lists and answers are of the same hierarchy.
    authority.revoke(issued.serial, reason=Reason.SUPERSEDED, actor="x")
    shard = authority.certificate(issued.serial).shard
    crl = x509.load_der_x509_crl(authority.crl("organisations-ml-dsa", shard).der)
    assert crl.is_signature_valid(public)
    assert [f"{each.serial_number:x}" for each in crl] == [issued.serial]
    responder = authority._signer.responder("organisations-ml-dsa")
    assert isinstance(responder.key, mldsa.MLDSA65PrivateKey)
    responder.certificate.verify_directly_issued_by(below.certificate)
    # A classic key still gets a classic certificate.
    seal = authority.issue(ask("organisation-seal", subject=COMPANY.id))
    assert authority.certificate(seal.serial).issuer == "organisations"


def test_without_a_hierarchy_of_its_own_an_ml_dsa_key_gets_no_certificate(world: World) -> None:
    key = mldsa.MLDSA65PrivateKey.generate()
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, None)
    with pytest.raises(IssuerUnusable):
        world.open().issue(ask("citizen-signing", csr=csr.public_bytes(Encoding.PEM)))


def test_an_authority_in_the_wrong_hierarchy_stops_the_start(table: Table) -> None:
    public = table.world.site.public
    folder = public / "ml-dsa" / "issuers"
    folder.mkdir(parents=True)
    (folder / "people-ml-dsa.pem").write_bytes((public / "issuers" / "people.pem").read_bytes())
    with pytest.raises(Exception, match="not the certificates of one site"):
        CertificateVerifier.load(public)


def test_a_delegate_is_replaced(table: Table) -> None:
    path = table.world.site.folder("ca") / "keys" / "ocsp-people.pem"
    before = path.read_bytes()
    transcript = table.held(DELEGATE)
    assert path.read_bytes() != before
    made = x509.load_pem_x509_certificate(path.read_bytes())
    assert made.fingerprint(hashes.SHA256()).hex() in transcript
    assert ExtendedKeyUsageOID.OCSP_SIGNING in made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert table.world.recorder.types()[-4:] == [
        "ca.ceremony.intended",
        "ca.certificate.intended",
        "ca.certificate.intended",
        "ca.ceremony.completed",
    ]
    assert isinstance(table.run(DELEGATE.replace("devices", "devices-2"), hold=True).exception, NoSuchIssuer)


@pytest.mark.parametrize("algorithm", ["P-256", "P-384"])
def test_a_time_stamping_unit_gets_key_and_certificate(table: Table, algorithm: str) -> None:
    table.held(UNIT + f'algorithm = "{algorithm}"\n')
    path = table.world.site.folder("ca") / "units" / "one.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    leaf, issuer = x509.load_pem_x509_certificates(path.read_bytes())
    leaf.verify_directly_issued_by(issuer)
    extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert extended.critical
    assert list(extended.value) == [ExtendedKeyUsageOID.TIME_STAMPING]
    assert isinstance(table.run(UNIT, hold=True).exception, ScriptRefused)


def test_a_list_is_made_where_no_role_runs(table: Table) -> None:
    authority = table.world.open()
    serial = authority.issue(ask()).serial
    authority.revoke(serial, reason=Reason.SUPERSEDED, actor="x")
    table.held(LISTS)
    shard = authority.certificate(serial).shard
    crl = x509.load_der_x509_crl((table.world.site.public / "lists" / f"people-{shard}.crl").read_bytes())
    assert [f"{each.serial_number:x}" for each in crl] == [serial]


def _strangers_root(table: Table) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The root of a neighbouring city."""
    site = table.world.site
    other = type(site)(**{**site.__dict__, "name": "town", "title": "Neighbour"})
    hall = Hall(site=other, settings=table.world.settings, linter=Linter(Seal()), at=table.world.clock.now())
    made = hall.root()
    assert isinstance(made.key, ec.EllipticCurvePrivateKey)
    (table.folder / "town.pem").write_bytes(made.certificate.public_bytes(Encoding.PEM))
    return made.certificate, made.key


def _cross(sha256: str) -> str:
    return (
        f'kind = "cross-certificate"\n{HEAD}days = 730\n[other]\nname = "town"\ncertificate = "town.pem"\n'
        f'sha256 = "{sha256}"\npolicies = ["2.999.1.4"]\npath_length = 1\n[constraints]\ndns = ["town.example"]\n'
    )


def test_another_root_is_vouched_for_within_limits(table: Table) -> None:
    other, _ = _strangers_root(table)
    digest = other.fingerprint(hashes.SHA256()).hex()
    before = table.files()
    assert table.run(_cross(digest)).exit_code == 0
    assert isinstance(table.run(_cross("a" * 64), hold=True).exception, ScriptRefused)
    assert table.files() == before
    table.held(_cross(digest))
    public = table.world.site.public
    made = x509.load_pem_x509_certificate((public / "cross" / "town.pem").read_bytes())
    made.verify_directly_issued_by(x509.load_pem_x509_certificate((public / "root.pem").read_bytes()))
    assert (made.subject, made.public_key()) == (other.subject, other.public_key())
    own = other.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert made.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value == own
    names = made.extensions.get_extension_for_class(x509.NameConstraints)
    assert names.critical
    assert names.value.permitted_subtrees == [x509.DNSName("town.example")]
    assert made.not_valid_after_utc - made.not_valid_before_utc == timedelta(days=730) - timedelta(seconds=1)


def test_a_certificate_that_did_not_sign_itself_is_no_root(table: Table) -> None:
    people = table.world.site.public / "issuers" / "people.pem"
    (table.folder / "town.pem").write_bytes(people.read_bytes())
    digest = x509.load_pem_x509_certificate(people.read_bytes()).fingerprint(hashes.SHA256()).hex()
    before = table.files()
    assert table.run(_cross(digest), hold=True).exit_code != 0
    assert table.files() == before


def test_a_constrained_authority_speaks_of_nothing_else(table: Table) -> None:
    narrow = '[constraints]\ndns = ["meters.city.localhost"]\nnetworks = ["127.0.0.0/8"]\n'
    table.held(ROLLOVER.replace("people-2", "devices-2") + narrow)
    authority = table.world.open()
    inside = _server("a.meters.city.localhost", "127.0.0.1")
    assert authority.certificate(authority.issue(inside).serial).issuer == "devices-2"
    for hosts in (("kiosk.city.localhost",), ("a.meters.city.localhost", "::1")):
        with pytest.raises(SubjectUnsuitable):
            authority.issue(_server(*hosts))


def _server(*hosts: str) -> IssueRequest:
    return dataclasses.replace(ask("device-server", subject=KIOSK.id, csr=request_for()), hosts=hosts)


# Every algorithm, judged by others.


def _made(world: World, algorithm: Algorithm, folder: Path) -> tuple[Path, Path]:
    """A root and an issuing authority of one algorithm, linted on the way; files of both."""
    name = AuthorityName("people", algorithm is Algorithm.ML_DSA_65)
    hall = Hall(site=world.site, settings=world.settings, linter=Linter(Seal()), at=_today())
    # RSA keys take seconds; which key of an algorithm signs makes no difference to what is judged here.
    key = throw_away(algorithm) if algorithm.value.startswith("RSA") else generate(algorithm)
    root = hall.root(AuthorityName("root", name.ml_dsa), key=key)
    below = hall.issuer(name, root, key=key, constraints=Constraints(dns=("city.localhost",)))
    below.certificate.verify_directly_issued_by(root.certificate)
    x509.load_der_x509_crl(hall.root_list(root, number=1))
    for each, file in ((root, "root.pem"), (below, "issuer.pem")):
        (folder / file).write_bytes(each.certificate.public_bytes(Encoding.PEM))
    return folder / "root.pem", folder / "issuer.pem"


@pytest.mark.parametrize("algorithm", [Algorithm.P256, Algorithm.P384, Algorithm.RSA3072, Algorithm.ED25519])
def test_openssl_and_gnutls_accept_authorities_of_every_algorithm(
    world: World, tmp_path: Path, algorithm: Algorithm
) -> None:
    root, issuer = _made(world, algorithm, tmp_path)
    command = ["openssl", "verify", "-x509_strict", "-CAfile", str(root), str(issuer)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    _certtool(tmp_path, issuer.read_bytes(), root.read_bytes())


def _today() -> datetime:
    """What openssl and certtool take for now, a little earlier."""
    return SystemClock().now().replace(microsecond=0) - timedelta(minutes=5)


@pytest.fixture
def today(tmp_path: Path) -> Iterator[Table]:
    """A site founded on the machine's own clock."""
    site = site_in(tmp_path / "today")
    site.folder("ca").mkdir(parents=True, mode=0o700)
    database, recorder, clock = open_database(site), ListRecorder(), ManualClock(_today())
    found(site=site, settings=CASettings(), database=database, recorder=recorder, clock=clock)
    world = World(
        site=site,
        clock=clock,
        recorder=recorder,
        database=database,
        store=Store(database),
        directory=SmallDirectory(),
    )
    (tmp_path / "table").mkdir()
    yield Table(world, tmp_path / "table")
    database.close()


def test_gnutls_and_openssl_accept_the_chains_of_both_generations(today: Table, tmp_path: Path) -> None:
    world = today.world
    old = world.open().issue(ask())
    today.held(ROLLOVER)
    new = world.open().issue(ask())
    root = world.site.public / "root.pem"
    for each in (old, new):
        _certtool(tmp_path, each.certificate, each.chain, root.read_bytes())
        (tmp_path / "leaf.pem").write_bytes(each.certificate)
        (tmp_path / "issuer.pem").write_bytes(each.chain)
        command = ["openssl", "verify", "-x509_strict", "-policy_check", "-CAfile", str(root)]
        command += ["-untrusted", str(tmp_path / "issuer.pem"), str(tmp_path / "leaf.pem")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def _certtool(folder: Path, *chain: bytes) -> None:
    """Certificate first, root last; certtool has no clock but the machine's."""
    (folder / "chain.pem").write_bytes(b"".join(chain))
    command = ["certtool", "--verify-chain", "--infile", str(folder / "chain.pem")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The certificate is trusted" in done.stdout, done.stdout


def test_ml_dsa_authorities_pass_lint_and_verify(world: World, tmp_path: Path) -> None:
    root, issuer = _made(world, Algorithm.ML_DSA_65, tmp_path)
    linter = Linter(Seal())
    for each in (root, issuer):
        der = x509.load_pem_x509_certificate(each.read_bytes()).public_bytes(Encoding.DER)
        assert linter.findings(der) == []
