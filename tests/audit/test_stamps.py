# SPDX-License-Identifier: Apache-2.0
"""Stamping the record with a real authority: what is kept, what is refused, and what a crash leaves."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from audit import Event, Receipt, RecordUnavailable, Wait
from audit.config import AuditSettings
from audit.lineage import Past
from audit.merkle import LogKey, Note
from audit.reader import LogReader
from audit.service import LocalRecorder
from audit.stamps import (
    Authority,
    LogStamps,
    Outage,
    Question,
    Stamper,
    StampRefused,
    StampSeries,
    StampSilent,
    StampStore,
)
from audit.stamps.authority import LARGEST
from ca.timestamps.answer import Failure, refused
from tests.fakes.log_site import LogSite
from tests.fakes.stamping import Clock, Stamping
from tests.fakes.time_authority import POLICY, TimeAuthority, certify


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Stamping]:
    with closing(Stamping(tmp_path)) as world:
        yield world


@pytest.fixture(scope="module")
def kept_out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stamping]:
    with closing(Stamping(tmp_path_factory.mktemp("refused"))) as world:
        yield world


@pytest.fixture
def refusing(kept_out: Stamping) -> Stamping:
    """One world for every answer that is refused: nothing is ever kept in it."""
    kept_out.clock.moved = timedelta()
    kept_out.authority.mangle = lambda answer: answer
    kept_out.authority.use(certify("Clock of the city", kept_out.authority.middle))
    return kept_out


def test_a_checkpoint_is_stamped_recorded_and_checked_by_openssl(world: Stamping, tmp_path: Path) -> None:
    world.entry()
    world.round(world.stamper(policy=POLICY))
    last = world.store.last()
    assert last is not None
    assert (last.size, last.entry, last.policy, last.accuracy) == (2, 2, POLICY, timedelta(seconds=1))
    assert last.authority == "CN=Clock of the city"
    said = world.site.reader().entry(2).event
    text = Note.parse(last.note.encode()).text
    assert said.type == "log.stamped"
    assert said.object == "2"
    assert said.attributes["imprint"] == hashlib.sha256(text.encode()).hexdigest()
    # An outsider's tools agree about what is stamped.
    for name, content in (("text", text.encode()), ("token", last.token), ("root", world.authority.root.pem)):
        (tmp_path / name).write_bytes(content)
    command = ["openssl", "ts", "-verify", "-token_in", "-in", "token", "-data", "text", "-CAfile", "root"]
    found = subprocess.run([*command, "-untrusted", "tsa/chain.pem"], cwd=tmp_path, capture_output=True, check=False)
    assert b"Verification: OK" in found.stdout + found.stderr


def test_the_stamps_own_entries_are_no_reason_to_stamp(world: Stamping) -> None:
    stamper = world.stamper()
    world.round(stamper)
    world.clock.moved += timedelta(hours=2)
    world.round(stamper)
    assert world.types() == ["log.created", "log.stamped"]
    assert len(world.authority.questions) == 1
    # Not before its time, and not once it was set back.
    world.clock.moved = timedelta()
    world.entry()
    world.round(stamper)
    assert len(world.authority.questions) == 1


def test_after_the_interval_what_is_new_is_stamped(world: Stamping) -> None:
    stamper = world.stamper()
    world.round(stamper)
    world.entry()
    stamper._interval = timedelta()
    world.round(stamper)
    assert world.types() == ["log.created", "log.stamped", "sso.login", "log.stamped"]
    assert [stamp.size for stamp in world.store.newest(9)] == [3, 1]
    covering = world.store.covering(2)
    assert covering is not None
    assert covering.size == 3
    assert world.store.covering(4) is None


def test_nothing_that_does_not_hold_is_kept_and_an_outage_is_told_once(world: Stamping) -> None:
    old = world.authority.ask(Question.about("another text", nonce=1 << 62).encode())
    world.authority.mangle = lambda _answer: old
    stamper = world.stamper()
    for _ in range(3):
        with pytest.raises(StampRefused):
            world.round(stamper)
    outage = world.store.outage()
    assert outage is not None
    assert outage.code == "stamp_refused"
    assert world.store.last() is None
    assert world.types() == ["log.created", "log.stamp.failed"]
    world.authority.mangle = lambda answer: answer
    world.round(stamper)
    assert world.types() == ["log.created", "log.stamp.failed", "log.stamped"]
    assert world.store.outage() is None


def _why(world: Stamping, stamper: Stamper | None = None) -> str:
    with pytest.raises(StampRefused) as caught:
        world.round(stamper or world.stamper())
    assert world.store.last() is None
    return str(caught.value.parameters["why"])


def test_a_replayed_answer_is_refused(refusing: Stamping) -> None:
    text = Note.parse(refusing.site.reader().note().encode()).text
    old = refusing.authority.ask(Question.about(text, nonce=1 << 62).encode())
    refusing.authority.mangle = lambda _answer: old
    assert "Nonce" in _why(refusing)


def test_what_the_test_forges_is_right_but_for_what_is_wrong_with_it(world: Stamping) -> None:
    world.authority.mangle = lambda _answer: world.authority.forge(world.authority.questions[-1])
    world.round(world.stamper(policy=POLICY))
    assert world.store.last() is not None


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"nonce": 12345}, "Nonce"),
        ({"nonce": None}, "Nonce"),
        ({"imprint": b"\1" * 32}, "Mismatch between messages"),
        ({"hash": "sha512"}, "another kind"),
        ({"policy": "1.2.3.4.5"}, "Policy"),
        ({"accuracy": 3600}, "wrong by more than a minute"),
        ({"digest": b"\1" * 32}, ""),
        ({"signature": b"\1" * 70}, ""),
        ({"at": datetime(2020, 1, 1, tzinfo=UTC)}, "not yet valid"),
    ],
)
def test_an_answer_with_one_thing_wrong_is_refused(refusing: Stamping, wrong: dict[str, Any], why: str) -> None:
    refusing.authority.mangle = lambda _answer: refusing.authority.forge(refusing.authority.questions[-1], **wrong)
    assert why in _why(refusing, refusing.stamper(policy=POLICY))


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        ({"ends": timedelta(seconds=-10)}, "expired"),
        ({"starts": timedelta(days=1)}, "not yet valid"),
        ({"usages": (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)}, "purpose"),
        ({"usages": (ExtendedKeyUsageOID.CODE_SIGNING,)}, ""),
        ({"usages": ()}, ""),
    ],
)
def test_a_signer_that_may_not_stamp_is_refused(refusing: Stamping, certificate: dict[str, Any], why: str) -> None:
    signer = certify("Clock", refusing.authority.middle, **certificate)
    refusing.authority.mangle = lambda _answer: refusing.authority.forge(
        refusing.authority.questions[-1], signer=signer
    )
    assert why in _why(refusing)


def test_an_answer_must_name_its_signers_certificate(refusing: Stamping) -> None:
    other = certify("Another clock", refusing.authority.middle)
    refusing.authority.mangle = lambda _answer: refusing.authority.forge(refusing.authority.questions[-1], named=other)
    assert "names another certificate" in _why(refusing)


def test_a_stranger_is_refused(refusing: Stamping) -> None:
    assert _why(refusing, refusing.stamper(roots=[certify("Another root", authority=True)]))


def test_an_expired_signer_of_openssl_is_refused(refusing: Stamping) -> None:
    refusing.authority.use(certify("Late", refusing.authority.middle, ends=timedelta(seconds=-10)))
    assert "expired" in _why(refusing)


@pytest.mark.parametrize(("moved", "why"), [(timedelta(minutes=-3), "away"), (timedelta(minutes=3), "before")])
def test_a_clock_that_is_far_off_is_found(refusing: Stamping, moved: timedelta, why: str) -> None:
    refusing.clock.moved = moved
    refusing.entry()
    assert why in _why(refusing)


def test_garbage_and_refusals_are_refused(refusing: Stamping) -> None:
    for answer in (b"", b"\x30\x00", b"\x30\x05\x30\x03\x02\x01\x02", b"\x30\x84\xff\xff\xff\xff", b"<html>"):
        refusing.authority.mangle = lambda _answer, said=answer: said  # type: ignore[misc]
        assert _why(refusing)


def test_a_refusal_of_openssl_says_why(refusing: Stamping) -> None:
    """As `openssl ts -reply` refuses a policy that it does not know: status, failure and words, and no token."""
    why = _why(refusing, refusing.stamper(policy="1.2.3.4.99"))
    assert why == "the authority refused (rejection): unaccepted_policy: Requested policy is not supported."


@pytest.mark.parametrize("failure", Failure)
def test_a_refusal_of_our_own_authority_says_why(refusing: Stamping, failure: Failure) -> None:
    refusing.authority.mangle = lambda _answer: refused(failure, "our \x1b[31mclock is in doubt")
    named = failure.name.lower().replace("extension", "extensions")
    assert _why(refusing) == f"the authority refused (rejection): {named}: our [31mclock is in doubt"


def test_whoever_grants_without_a_token_or_with_changes_has_not_stamped(refusing: Stamping) -> None:
    refusing.authority.mangle = lambda _answer: b"\x30\x05\x30\x03\x02\x01\x00"
    assert "sent no token" in _why(refusing)
    refusing.authority.mangle = lambda answer: answer.replace(b"\x30\x03\x02\x01\x00", b"\x30\x03\x02\x01\x01", 1)
    assert _why(refusing) == "the authority refused (granted_with_mods)"


def test_an_authority_that_floods_stalls_or_says_something_else_is_silent(world: Stamping) -> None:
    world.authority.mangle = lambda _answer: b"\x30" * (LARGEST + 1)
    with pytest.raises(StampSilent):
        world.round(world.stamper())
    world.authority.mangle = lambda answer: answer
    world.authority.kind = "text/html"
    with pytest.raises(StampSilent):
        world.round(world.stamper())
    world.authority.kind = "application/timestamp-reply"
    world.authority.delay = lambda: time.sleep(0.6)
    with pytest.raises(StampSilent):
        world.round(world.stamper(timeout=0.3))
    assert world.types() == ["log.created", "log.stamp.failed"]
    world.authority.close()
    with pytest.raises(StampSilent):
        Authority(world.authority.url, timeout=0.3).ask(b"")
    world.authority = TimeAuthority(world.authority.folder)


def test_an_authority_of_the_same_site_may_start_later(world: Stamping) -> None:
    stamper = world.stamper(patience=timedelta(minutes=2))
    world.authority.kind = "text/html"
    with pytest.raises(StampSilent):
        world.round(stamper)
    assert stamper.patient
    assert world.store.outage() is None
    # What it answers wrongly is said at once, and silence once it should have started.
    world.authority.kind, world.authority.mangle = "application/timestamp-reply", lambda _answer: b"\x30\x00"
    with pytest.raises(StampRefused):
        world.round(stamper)
    assert world.types() == ["log.created", "log.stamp.failed"]
    world.authority.mangle = lambda answer: answer
    world.round(stamper)
    assert world.store.outage() is None
    world.clock.moved = timedelta(minutes=3)
    world.authority.kind = "text/html"
    world.entry()
    stamper._interval = timedelta()
    assert not stamper.patient
    with pytest.raises(StampSilent):
        world.round(stamper)
    assert world.types()[-1] == "log.stamp.failed"


def test_while_the_log_takes_nothing_the_token_is_kept_and_recorded_later(world: Stamping) -> None:
    class Down:
        def record(self, _event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:  # noqa: ARG002 - a recorder's shape
            raise RecordUnavailable

    stamper = world.stamper()
    stamper._recorder = Down()
    with pytest.raises(RecordUnavailable):
        world.round(stamper)
    assert [stamp.size for stamp in world.store.unsaid()] == [1]
    world.round(world.stamper())
    assert world.store.unsaid() == []
    assert world.types() == ["log.created", "log.stamped"]


@pytest.mark.parametrize("moment", ["answered", "kept"])
def test_killed_at_the_worst_moment_nothing_is_stamped_twice_or_lost(
    world: Stamping, tmp_path: Path, moment: str
) -> None:
    command = [sys.executable, __file__, str(tmp_path), world.authority.url, moment]
    world.log.close()
    killed = subprocess.run(command, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(world.store.unsaid()) == (1 if moment == "kept" else 0)
    world.log = world.site.open()
    world.recorder = LocalRecorder(world.log)
    world.round(world.stamper())
    assert [kind for kind in world.types() if kind == "log.stamped"] == ["log.stamped"]
    assert len(world.store.newest(9)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_stamp_url": "ftp://tsa.example", "time_stamp_roots": Path("r.pem")},
        {"time_stamp_url": "http://tsa.example"},
        {"time_stamp_interval": timedelta(seconds=5)},
        {"time_stamp_policy": "one.two"},
    ],
)
def test_settings_that_make_no_sense_stop_the_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="time_stamp"):
        AuditSettings(**wrong)


if __name__ == "__main__":
    _folder, _url, _moment = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

    def _die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    class _Deadly:
        def record(self, _event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:  # noqa: ARG002 - a recorder's shape
            _die()
            raise AssertionError

    def _ask(question: bytes) -> bytes:
        answer = Authority(_url).ask(question)
        if _moment == "answered":
            _die()
        return answer

    _site = LogKey("city.example/log", seed=b"\x07" * 32, mldsa_seed=b"\x08" * 32)
    Stamper(
        log=LogReader(_folder / "log", str(_site.vkey)),
        store=StampStore.open(_folder / "stamps.db"),
        ask=_ask,
        roots=x509.load_pem_x509_certificates((_folder / "tsa" / "root.pem").read_bytes()),
        interval=timedelta(hours=1),
        policy="",
        dated_by=_site.mldsa_vkey,
        recorder=_Deadly(),
        clock=Clock(),
    ).round()


def test_over_a_rotation_the_closed_logs_end_is_stamped_and_all_stamps_are_one_row(
    world: Stamping, tmp_path: Path
) -> None:
    world.entry()
    world.round(world.stamper())
    # Kept and not told when the log was closed: the successor's record says so, under its place.
    world.entry()
    stamper = world.stamper()
    stamper._interval, stamper._recorder = timedelta(), Away()
    with pytest.raises(RecordUnavailable):
        world.round(stamper)
    closed, before, present = world.rotate()
    after = StampStore.open(tmp_path / "stamps-2.db")
    end = world.stamper(log=closed, dated_by=LogSite.first_key().mldsa_vkey, before=before, closed=True)
    asking = [end, world.stamper(store=after, before=before)]
    for stamper in reversed(asking):
        stamper._interval = timedelta()
        world.round(stamper)
    series = StampSeries(
        [LogStamps(name="log", base=0, store=world.store), LogStamps(name="log-2", base=before, store=after)]
    )
    found = series.newest(9)
    assert [(each.log, each.covers, each.stamp.size) for each in found] == [
        ("log-2", before + 1, 1),
        ("log", before, before),
        ("log", 4, 4),
        ("log", 2, 2),
    ]
    # Every place leads to the entry that tells of this very token.
    past, reader = Past([closed]), present.reader()
    for each in found:
        place = each.stamp.entry
        assert place is not None
        entry = closed.entry(place) if place < past.size else reader.entry(place - past.size)
        assert entry.event.attributes["token"] == hashlib.sha256(each.stamp.token).hexdigest()
    assert (series.at(before), series.at(3)) == (found[1], None)
    assert [each.covers for each in series.newest(2, below=before + 1)] == [before, 4]
    assert series.last() == found[0]
    # The end of a closed log is stamped once.
    asked = len(world.authority.questions)
    world.round(end)
    assert len(world.authority.questions) == asked
    # That the authority is away is told whichever log it was asked about.
    assert series.outage() is None
    world.store.failed(Outage(since=world.clock.now(), code="stamp_silent", why="", key="0" * 32))
    assert series.outage() == world.store.outage()
    after.close()


class Away:
    """A log that takes nothing."""

    def record(self, _event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:  # noqa: ARG002 - a recorder's shape
        raise RecordUnavailable
