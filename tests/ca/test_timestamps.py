# SPDX-License-Identifier: Apache-2.0
"""The time-stamping authority: what strangers' tools make of its stamps, and everything it must not stamp."""

import hashlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import parser, tsp
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, VerifierBuilder, decode_timestamp_response
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.test import TestResponse

from audit import Outcome
from ca import CASettings
from ca.config import TimestampSettings
from ca.errors import NoSuchUnit
from ca.models import Reason
from ca.service import Stamping, issue_unit, open_stamping, unit_folder
from ca.timestamps import LONGEST_QUESTION, ClockWatch, Failure, Kernel, Unfit, read_kernel, read_question, refused
from ca.x509 import Algorithm

from .sites import Site, open_site
from .tables import Table
from .world import World

POLICY = "2.999.3.1"
DATA = b"what existed"
_GRANTED, _REJECTION = 0, 2


def _unwatched(world: World, **other: object) -> World:
    """A site whose kernel says nothing of its clock, as this machine's may not."""
    own = TimestampSettings(synchronised=False, **other)  # type: ignore[arg-type]  # fields by name
    world.settings = CASettings(timestamps=own)
    return world


def _open(world: World) -> Stamping:
    return open_stamping(
        site=world.site, settings=world.settings, store=world.store, recorder=world.recorder, clock=world.clock
    )


@pytest.fixture
def stamping(world: World) -> Stamping:
    """The authority with one unit."""
    authority = _unwatched(world).open()
    issue_unit(authority, unit_folder(world.site) / "one.pem", Algorithm.P256, actor="role:app")
    return _open(world)


def _question(**other: object) -> bytes:
    fields: dict[str, object] = {
        "version": 1,
        "message_imprint": {
            "hash_algorithm": {"algorithm": "sha256"},
            "hashed_message": hashlib.sha256(DATA).digest(),
        },
        "cert_req": True,
    }
    der: bytes = tsp.TimeStampReq(fields | other).dump()
    return der


def _read(answer: bytes) -> tuple[int, tsp.TSTInfo | None, set[str]]:
    content = parser.parse(answer, strict=True)[4]
    first = b"".join(parser.parse(content)[3:])
    status, info = tsp.PKIStatusInfo.load(first, strict=True), None
    # asn1crypto takes no answer without a token for a whole one.
    if first != content:
        token = tsp.TimeStampResp.load(answer, strict=True)["time_stamp_token"]
        info = token["content"]["encap_content_info"]["content"].parsed
    return int(status["status"]), info, status["fail_info"].native or set()


def _info(answer: bytes) -> tsp.TSTInfo:
    status, info, _ = _read(answer)
    assert status == _GRANTED
    assert info is not None
    return info


def _refused(answer: bytes, failure: str) -> None:
    status, info, failures = _read(answer)
    assert (status, info, failures) == (_REJECTION, None, {failure})


def _stamped(world: World) -> list[str]:
    return [each.object for each in world.recorder.events if each.type == "ca.timestamp.stamped"]


# What strangers' tools make of it.


@pytest.fixture
def served(world: World, released: Path, stamping: Stamping) -> Iterator[tuple[Site, str]]:
    assert stamping.offers
    site = open_site(world, released)
    server: BaseWSGIServer = make_server("127.0.0.1", 0, site.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield site, f"http://127.0.0.1:{server.port}/tsa/one"
    server.shutdown()
    thread.join()
    server.server_close()


def _run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _verified(world: World, folder: Path, *more: str) -> str:
    public = world.site.public
    at = str(int(world.clock.now().timestamp()))
    command = ["openssl", "ts", "-verify", "-in", "answer.tsr", "-CAfile", str(public / "root.pem"), "-attime", at]
    return _run(*command, *more, cwd=folder)


@pytest.mark.parametrize("certificates", [True, False], ids=["with", "without"])
def test_openssl_asks_by_curl_and_verifies(served: tuple[Site, str], tmp_path: Path, *, certificates: bool) -> None:
    for hashed in ("sha256", "sha384", "sha512", "sha3-256", "sha3-384", "sha3-512")[certificates::2]:
        _asked_and_verified(served, tmp_path, hashed, certificates=certificates)


def _asked_and_verified(served: tuple[Site, str], tmp_path: Path, hashed: str, *, certificates: bool) -> None:
    site, address = served
    (tmp_path / "data").write_bytes(DATA)
    ask = ["openssl", "ts", "-query", "-data", "data", f"-{hashed}", "-tspolicy", POLICY, "-out", "question.tsq"]
    _run(*ask, *(["-cert"] if certificates else []), cwd=tmp_path)
    curl = ["curl", "--silent", "--fail", "--noproxy", "*", "--data-binary", "@question.tsq", "--output", "answer.tsr"]
    _run(*curl, "--header", "Content-Type: application/timestamp-query", address, cwd=tmp_path)
    unit = unit_folder(site.world.site) / "one.pem"
    pems = x509.load_pem_x509_certificates(unit.read_bytes())
    (tmp_path / "chain.pem").write_bytes(b"".join(e.public_bytes(serialization.Encoding.PEM) for e in pems))
    # Without certificates in the answer whoever verifies must have them.
    given = [] if certificates else ["-untrusted", "chain.pem"]
    assert "Verification: OK" in _verified(site.world, tmp_path, "-queryfile", "question.tsq", *given)
    (tmp_path / "data").write_bytes(DATA + b"!")
    with pytest.raises(AssertionError, match="message imprint mismatch"):
        _verified(site.world, tmp_path, "-data", "data", *given)


def _rfc3161_client(world: World, stamping: Stamping, unit: str = "one") -> None:
    request = TimestampRequestBuilder().data(DATA).hash_algorithm(HashAlgorithm.SHA512).nonce(nonce=True).build()
    answer = decode_timestamp_response(stamping.answer(unit, request.as_bytes()))
    root = x509.load_pem_x509_certificate((world.site.public / "root.pem").read_bytes())
    assert request.nonce is not None
    builder = VerifierBuilder(roots=[root]).nonce(request.nonce).policy_id(x509.ObjectIdentifier(POLICY))
    assert builder.build().verify_message(answer, DATA)
    assert answer.tst_info.gen_time == world.clock.now()


def test_an_independent_client_verifies(world: World, stamping: Stamping) -> None:
    _rfc3161_client(world, stamping)


def test_an_rsa_unit_stamps_too(world: World, stamping: Stamping, tmp_path: Path) -> None:
    issue_unit(world.open(), unit_folder(world.site) / "old.pem", Algorithm.RSA3072, actor="role:app")
    _rfc3161_client(world, stamping, "old")
    (tmp_path / "answer.tsr").write_bytes(stamping.answer("old", _question()))
    assert "OK" in _verified(world, tmp_path, "-digest", hashlib.sha256(DATA).hexdigest())


def test_an_ml_dsa_unit_stamps_too(table: Table) -> None:
    world = _unwatched(table.world)
    table.held('kind = "root"\nsite = "city"\ntitle = "x"\nroot = "root-ml-dsa"\n')
    typed = "".join((table.shares / f"share-{each}.txt").read_text("ascii") for each in (1, 2, 3)) + "\n"
    below = 'kind = "issuers"\nsite = "city"\ntitle = "x"\nroot = "root-ml-dsa"\nissuers = ["infrastructure-ml-dsa"]\n'
    table.held(below, typed=typed)
    unit = 'kind = "time-stamping-unit"\nsite = "city"\ntitle = "x"\nunit = "new"\nalgorithm = "ML-DSA-65"\n'
    table.held(unit)
    answer = _open(world).answer("new", _question())
    signed = tsp.TimeStampResp.load(answer)["time_stamp_token"]["content"]
    signer = signed["signer_infos"][0]
    leaf = x509.load_pem_x509_certificates((unit_folder(world.site) / "new.pem").read_bytes())[0]
    key = leaf.public_key()
    assert isinstance(key, mldsa.MLDSA65PublicKey)
    # RFC 9882: the SET of attributes, pure ML-DSA, SHA-512 as the digest.
    key.verify(signer["signature"].native, signer["signed_attrs"].untag().dump())
    assert signer["signature_algorithm"]["algorithm"].dotted == "2.16.840.1.101.3.4.3.18"
    assert signer["digest_algorithm"]["algorithm"].native == "sha512"
    attributes = {each["type"].native: each["values"][0] for each in signer["signed_attrs"]}
    content = signed["encap_content_info"]["content"].native
    assert content is not None
    info = signed["encap_content_info"]["content"].parsed.dump()
    assert attributes["message_digest"].native == hashlib.sha512(info).digest()


# What a stamp says.


def test_a_stamp_says_what_was_asked_when_and_how_sure(world: World, stamping: Stamping) -> None:
    world.clock.advance(timedelta(milliseconds=1230))
    info = _info(stamping.answer("one", _question(nonce=2**64 + 5)))
    assert info["version"].native == "v1"
    assert info["policy"].dotted == POLICY
    assert info["message_imprint"]["hashed_message"].native == hashlib.sha256(DATA).digest()
    assert info["nonce"].native == 2**64 + 5
    assert info["gen_time"].native == world.clock.now()
    # No zeros at the end (RFC 3161 section 2.4.2).
    assert b".23Z" in info.dump()
    assert info["accuracy"]["seconds"].native == 1
    assert info["ordering"].native is False
    assert info["extensions"].native is None


@pytest.mark.parametrize("nonce", [0, 127, 128, -1, -129, 2**255])
def test_every_nonce_comes_back(stamping: Stamping, nonce: int) -> None:
    assert _info(stamping.answer("one", _question(nonce=nonce)))["nonce"].native == nonce


def test_what_is_signed_names_the_unit(world: World, stamping: Stamping) -> None:
    answer = stamping.answer("one", _question(cert_req=False))
    signed = tsp.TimeStampResp.load(answer)["time_stamp_token"]["content"]
    assert not len(signed["certificates"])
    attributes = {e["type"].native: e["values"][0] for e in signed["signer_infos"][0]["signed_attrs"]}
    first = attributes["signing_certificate_v2"]["certs"][0]
    leaf, issuer = x509.load_pem_x509_certificates((unit_folder(world.site) / "one.pem").read_bytes())
    encoded = leaf.public_bytes(serialization.Encoding.DER)
    assert first["cert_hash"].native == hashlib.sha256(encoded).digest()
    assert first["issuer_serial"]["serial_number"].native == leaf.serial_number
    shown = tsp.TimeStampResp.load(stamping.answer("one", _question()))["time_stamp_token"]["content"]["certificates"]
    wanted = {each.public_bytes(serialization.Encoding.DER) for each in (leaf, issuer)}
    assert {each.dump() for each in shown} == wanted


def test_every_stamp_is_on_record_before_it_is_given(world: World, stamping: Stamping) -> None:
    infos = [_info(stamping.answer("one", _question())) for _ in range(5)]
    serials = [format(each["serial_number"].native, "x") for each in infos]
    assert len(set(serials)) == 5
    events = [each for each in world.recorder.events if each.type == "ca.timestamp.stamped"]
    assert [int(each.object, 16) for each in events] == [int(each, 16) for each in serials]
    said = events[0]
    assert said.outcome is Outcome.SUCCESS
    assert said.attributes == {
        "unit": "one",
        "hashed": "sha256",
        "imprint": hashlib.sha256(DATA).hexdigest(),
        "stamp_policy": POLICY,
        "info": hashlib.sha256(infos[0].dump()).hexdigest(),
    }


# What is not stamped.


def test_no_record_no_stamp(world: World, stamping: Stamping) -> None:
    world.recorder.down = True
    _refused(stamping.answer("one", _question()), "system_failure")
    # Another library reads the refusal too.
    assert decode_timestamp_response(stamping.answer("one", _question())).status == _REJECTION
    world.recorder.down = False
    assert not _stamped(world)
    _info(stamping.answer("one", _question()))


_WEAK = {"hash_algorithm": {"algorithm": "sha1"}, "hashed_message": b"x" * 20}
_MD5 = {"hash_algorithm": {"algorithm": "md5"}, "hashed_message": b"x" * 16}
_SHORT = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": b"x" * 31}
_LONG = {"hash_algorithm": {"algorithm": "sha512"}, "hashed_message": b"x" * 65}
_PARAMETERS = _question().replace(b"\x05\x00\x04\x20", b"\x04\x00\x04\x20")
_EXTENSIONS = [{"extn_id": "1.2.3.4", "critical": False, "extn_value": b"\x05\x00"}]


@pytest.mark.parametrize(
    ("question", "failure"),
    [
        (_question(req_policy="1.2.3.4.1"), "unaccepted_policy"),
        (_question(req_policy=POLICY + ".1"), "unaccepted_policy"),
        (_question(message_imprint=_WEAK), "bad_alg"),
        (_question(message_imprint=_MD5), "bad_alg"),
        (_question(message_imprint=_SHORT), "bad_data_format"),
        (_question(message_imprint=_LONG), "bad_data_format"),
        (_PARAMETERS, "bad_data_format"),
        (_question(extensions=_EXTENSIONS), "unaccepted_extensions"),
        (_question(version=2), "bad_request"),
        (_question(nonce=2 ** (8 * LONGEST_QUESTION)), "bad_data_format"),
        (_question() + b"\0", "bad_data_format"),
        (_question()[:-1], "bad_data_format"),
        (b"", "bad_data_format"),
        (b"\x30\x80" + _question()[2:] + b"\0\0", "bad_data_format"),
        (b"\x30\x84\xff\xff\xff\xff", "bad_data_format"),
        (b"\x30" * 900, "bad_data_format"),
    ],
    ids=range(16),
)
def test_unfit_questions_are_refused_in_the_protocols_words(
    world: World, stamping: Stamping, question: bytes, failure: str
) -> None:
    _refused(stamping.answer("one", question), failure)
    assert not _stamped(world)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=st.binary(max_size=200), place=st.integers(0, 60), mangled=st.booleans())
def test_garbage_is_answered(stamping: Stamping, body: bytes, place: int, *, mangled: bool) -> None:
    question = _question(nonce=7)
    status, _, failures = _read(stamping.answer("one", question[:place] + body + question[place:] if mangled else body))
    assert status == (_REJECTION if failures else _GRANTED)


@given(body=st.binary(max_size=300))
def test_whatever_is_read_is_der(body: bytes) -> None:
    with suppress(Unfit):
        found = read_question(body)
        assert tsp.TimeStampReq.load(body, strict=True)["message_imprint"].dump() == found.imprint


@pytest.mark.parametrize("label", ["two", "", "..", "../keys/people", "ONE", "one.pem", "one\0", "-", "a" * 40])
def test_there_is_no_other_unit(stamping: Stamping, label: str) -> None:
    with pytest.raises(NoSuchUnit):
        stamping.answer(label, _question())


def _post(client: FlaskClient, body: bytes, kind: str = "application/timestamp-query") -> TestResponse:
    return client.post("/tsa/one", data=body, content_type=kind)


def test_over_http(world: World, released: Path, stamping: Stamping) -> None:
    assert stamping.offers
    client = open_site(world, released).client()
    answer = _post(client, _question())
    assert (answer.status_code, answer.content_type) == (200, "application/timestamp-reply")
    assert answer.headers["Cache-Control"] == "no-store"
    _info(answer.data)
    _refused(_post(client, b"x" * 60_000).data, "bad_data_format")
    assert _post(client, _question(), "application/octet-stream").status_code == 400
    assert client.get("/tsa/one").status_code == 405
    assert client.post("/tsa/two", data=_question(), content_type="application/timestamp-query").status_code == 404


# Units.


def test_a_withdrawn_unit_stamps_no_more(world: World, stamping: Stamping) -> None:
    authority = world.open()
    leaf = x509.load_pem_x509_certificate((unit_folder(world.site) / "one.pem").read_bytes())
    serial = format(leaf.serial_number, "x")
    authority.suspend(serial, actor="x")
    _refused(stamping.answer("one", _question()), "system_failure")
    authority.release(serial, actor="x")
    _info(stamping.answer("one", _question()))
    authority.revoke(serial, reason=Reason.KEY_COMPROMISE, actor="x")
    _refused(stamping.answer("one", _question()), "system_failure")


def test_an_ended_or_spoilt_unit_stamps_no_more(world: World, stamping: Stamping) -> None:
    path = unit_folder(world.site) / "one.pem"
    path.chmod(0o644)
    os.utime(path, (1, 1))
    _refused(stamping.answer("one", _question()), "system_failure")
    path.chmod(0o600)
    _info(stamping.answer("one", _question()))
    world.clock.advance(timedelta(days=1096))
    _refused(stamping.answer("one", _question()), "system_failure")


def test_configured_units_are_made_and_renewed(world: World) -> None:
    _unwatched(world, units={"first": "P-256", "second": "P-384"})
    stamping, authority = _open(world), world.open()
    assert (stamping.renew(authority), stamping.renew(authority)) == (2, 0)
    before = (unit_folder(world.site) / "first.pem").read_bytes()
    _rfc3161_client(world, stamping, "second")
    world.clock.advance(timedelta(days=600))
    assert stamping.renew(authority) == 2
    # Another key, at once in use.
    assert (unit_folder(world.site) / "first.pem").read_bytes() != before
    _rfc3161_client(world, stamping, "first")


@pytest.mark.parametrize(
    "wrong",
    [
        {"units": {"one": "Ed25519"}},
        {"units": {"One": "P-256"}},
        {"accuracy": timedelta(0)},
        {"accuracy": timedelta(hours=1)},
    ],
    ids=range(4),
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"unit|accuracy"):
        TimestampSettings(**wrong)  # type: ignore[arg-type]  # fields by name


# The clock.


def _told(world: World) -> list[tuple[str, object]]:
    return [
        (each.type.rpartition(".")[2], each.attributes["reason"])
        for each in world.recorder.events
        if each.type.startswith("ca.timestamp.clock")
    ]


def _set(world: World, by: timedelta) -> None:
    """Set the clock, while the steady one stands still."""
    world.clock._at += by


@pytest.mark.parametrize("by", [timedelta(hours=-1), timedelta(seconds=-2), timedelta(hours=1)], ids=str)
def test_a_clock_that_jumped_stamps_nothing_for_a_while(world: World, stamping: Stamping, by: timedelta) -> None:
    _info(stamping.answer("one", _question()))
    _set(world, by)
    for _ in range(2):
        _refused(stamping.answer("one", _question()), "time_not_available")
    assert _told(world) == [("unsound", "jumped")]
    assert len(_stamped(world)) == 1
    _set(world, -by)
    world.clock.advance(timedelta(minutes=2))
    _refused(stamping.answer("one", _question()), "time_not_available")
    world.clock.advance(timedelta(minutes=5))
    _info(stamping.answer("one", _question()))
    assert _told(world) == [("unsound", "jumped"), ("sound", "jumped")]


def test_a_restart_does_not_make_an_old_clock_right(world: World, stamping: Stamping) -> None:
    _info(stamping.answer("one", _question()))
    _set(world, timedelta(seconds=-90))
    again = _open(world)
    _refused(again.answer("one", _question()), "time_not_available")
    assert _told(world) == [("unsound", "behind")]
    world.clock.advance(timedelta(seconds=90))
    _info(again.answer("one", _question()))


def test_a_spoilt_memory_stamps_nothing(world: World, stamping: Stamping) -> None:
    _info(stamping.answer("one", _question()))
    (world.site.folder("ca") / "stamped").write_text("no number", "ascii")
    _refused(stamping.answer("one", _question()), "time_not_available")
    assert _told(world) == [("unsound", "forgetful")]


@pytest.mark.parametrize(
    ("kernel", "why"),
    [
        (Kernel(synchronised=False, error=timedelta(0)), "unsynchronised"),
        (Kernel(synchronised=True, error=timedelta(seconds=1.1)), "inaccurate"),
        (Kernel(synchronised=True, error=timedelta(seconds=0.9)), ""),
    ],
    ids=["unsynchronised", "inaccurate", "right"],
)
def test_the_kernel_has_a_say(world: World, stamping: Stamping, kernel: Kernel, why: str) -> None:
    watch = ClockWatch(
        world.clock, accuracy=timedelta(seconds=1), mark=world.site.folder("ca") / "stamped", kernel=lambda: kernel
    )
    strict = Stamping(
        units=unit_folder(world.site),
        store=world.store,
        recorder=world.recorder,
        clock=world.clock,
        watch=watch,
        settings=world.settings,
        policy=POLICY,
    )
    answer = strict.answer("one", _question())
    if why:
        _refused(answer, "time_not_available")
        assert _told(world) == [("unsound", why)]
    else:
        _info(answer)
    assert stamping.offers


def test_this_kernel_answers() -> None:
    """As it would answer `adjtimex --print`: whether it is right is its own affair."""
    found = read_kernel()
    assert isinstance(found.synchronised, bool)
    assert timedelta(0) <= found.error < timedelta(hours=1)


class _Deadly:
    """A record that takes an entry and then its process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def record(self, event: object, **_: object) -> None:
        self._path.write_text(str(event), "utf-8")
        os.kill(os.getpid(), signal.SIGKILL)


def test_killed_between_record_and_signature(world: World, stamping: Stamping, tmp_path: Path) -> None:
    world.database.close()
    child = os.fork()
    if not child:
        stamping._recorder = _Deadly(tmp_path / "recorded")  # type: ignore[assignment]
        stamping.answer("one", _question())
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    lost = (tmp_path / "recorded").read_text("utf-8")
    info = _info(_open(world).answer("one", _question()))
    assert format(info["serial_number"].native, "x") not in lost
    _set(world, timedelta(seconds=-90))
    _refused(_open(world).answer("one", _question()), "time_not_available")


def test_failures_are_the_standards() -> None:
    """The bits of RFC 3161 section 2.4.2, by another library's names."""
    names = {
        Failure.BAD_ALG: "bad_alg",
        Failure.BAD_REQUEST: "bad_request",
        Failure.BAD_DATA_FORMAT: "bad_data_format",
        Failure.TIME_NOT_AVAILABLE: "time_not_available",
        Failure.UNACCEPTED_POLICY: "unaccepted_policy",
        Failure.UNACCEPTED_EXTENSION: "unaccepted_extensions",
        Failure.SYSTEM_FAILURE: "system_failure",
    }
    for failure in Failure:
        assert _read(refused(failure, "x"))[2] == {names[failure]}
