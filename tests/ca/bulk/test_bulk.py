# SPDX-License-Identifier: Apache-2.0
"""Many devices at once: agreed to as a whole, issued each once, whoever dies and whoever tries to get round it."""

import base64
import dataclasses
import datetime as dt
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from cryptography import x509

from audit import Receipt, Wait
from audit.errors import RecordUnavailable
from ca import IssueRequest
from ca.errors import (
    BulkOver,
    ContentChanged,
    IssuanceDenied,
    NoSuchBulk,
    NotForThisOfficer,
    NotOffered,
    WeaklyProofed,
)
from ca.models import Issued, Reason, Standing, State
from ca.registration.bulk import Job, JobState, LineState, Workshop
from ca.registration.bulk import service as bulk_service
from ca.service import CertificateAuthority, Verdict
from ca.x509 import PROFILES
from core.errors import TallygateError, Unavailable
from directory import Mandate
from tests.ca.world import World, new_key, request_for
from tests.fakes.people import CITIZEN, COMPANY, KIOSK, OFFICER

from .office import SECOND, Office, at, encoded, open_office, table


@pytest.fixture
def office(world: World, authority: CertificateAuthority) -> Office:
    return open_office(world, authority)


def _twice(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = dict(PROFILES) | {"device-client": dataclasses.replace(PROFILES["device-client"], approvals=2)}
    monkeypatch.setattr(bulk_service, "PROFILES", changed)
    monkeypatch.setattr("ca.x509.profiles.PROFILES", changed)


def test_a_table_is_looked_through_agreed_to_and_issued(office: Office) -> None:
    job = office.asked(5)
    assert (job.state, job.counts) == (JobState.WAITING, {LineState.READY: 5})
    assert all(not office.good(each.device) for each in office.lines(job))
    assert office.approve(job).state is JobState.RUNNING
    done = office.run(job)
    assert (done.state, done.counts) == (JobState.DONE, {LineState.ISSUED: 5})
    for each in office.lines(done):
        (only,) = office.good(each.device)
        assert (only.serial, only.name, only.actor) == (each.serial, each.name, OFFICER.subject)
        certificate = x509.load_der_x509_certificate(only.der)
        assert certificate.public_key() == x509.load_pem_x509_csr(each.csr).public_key()
    assert [line.number for line, _ in office.bulk.certificates(job.id)] == [each.number for each in office.lines(job)]
    recorded = office.world.recorder
    # The agreement stands in the record before any intent, and every intent before its signature.
    types = recorded.types()
    assert types.index("ca.bulk.approved") < types.index("ca.certificate.intended", types.index("ca.bulk.approved"))
    intents = [each for each in recorded.events if each.attributes.get("request") == job.id]
    assert len(intents) == 5
    assert [each.type for each in office.world.outbox() if each.type.startswith("ca.bulk")] == [
        "ca.bulk.asked",
        "ca.bulk.approved",
        "ca.bulk.done",
    ]


def test_each_bad_line_is_refused_with_its_reason_and_holds_up_nobody(office: Office) -> None:
    good, off, twice, other = office.devices(4)
    office.world.directory.devices[off.id] = dataclasses.replace(off, enabled=False)
    key = new_key()
    lines = [
        (good.id, encoded()),
        (off.id, encoded()),
        (twice.id, encoded()),
        (twice.id, encoded()),
        ("6f7e80f2-b156-4fa2-8e95-73a16fc25e05", encoded()),
        ("no device", encoded()),
        (other.id, encoded(b"nonsense")),
        (KIOSK.id, encoded(request_for(key))),
        (other.id, encoded(request_for(key))),
        ("=1+2", encoded()),
    ]
    job = office.ask(table(*lines))
    assert [each.code for each in office.lines(job)] == [
        "",
        "subject_disabled",
        "line_refused",
        "line_refused",
        "no_such_device",
        "subject_unsuitable",
        "certificate_request_refused",
        "line_refused",
        "line_refused",
        "subject_unsuitable",
    ]
    office.approve(job)
    done = office.run(job)
    assert done.counts == {LineState.ISSUED: 1, LineState.REFUSED: 9}
    assert len(office.good(good.id)) == 1
    assert not office.good(twice.id)


def test_what_is_refused_only_by_the_ceremony_ends_its_line_alone(office: Office) -> None:
    blocked, owned, fine = office.devices(3)
    keys = [new_key(), new_key(), new_key()]
    # One key is known to be compromised, one vouches for a citizen already.
    first = office.authority.issue(_wish(KIOSK.id, request_for(keys[0])))
    office.authority.revoke(first.serial, reason=Reason.KEY_COMPROMISE, actor="x")
    office.authority.issue(_wish(CITIZEN.subject, request_for(keys[1]), profile="citizen"))
    ids = (blocked.id, owned.id, fine.id)
    job = office.ask(table(*((each, encoded(request_for(key))) for each, key in zip(ids, keys, strict=True))))
    office.approve(job)
    office.run(job)
    assert [each.code for each in office.lines(job)] == ["key_refused", "key_refused", ""]
    assert office.world.reported().count("ca.certificate.refused") == 2


def _wish(subject: str, csr: bytes, *, profile: str = "device-client") -> IssueRequest:
    return IssueRequest(
        profile=profile, csr=csr, subject=subject, actor=OFFICER.subject, actor_roles=frozenset({"ra-officer"})
    )


def test_servers_have_their_hosts_in_the_table(office: Office) -> None:
    one, two, three = office.devices(3)
    heading = ("device", "csr", "hosts")
    lines = [
        (one.id, encoded(), "meter.city.localhost m1.city.localhost"),
        (two.id, encoded(), ""),
        (three.id, encoded(), "evil.example"),
    ]
    job = office.ask(table(*lines, heading=heading), profile="device-server")
    office.approve(job)
    office.run(job)
    issued, *rest = office.lines(job)
    assert [each.code for each in rest] == ["subject_unsuitable"] * 2
    names = x509.load_der_x509_certificate(office.authority.certificate(issued.serial).der).extensions
    found = names.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert found == ["meter.city.localhost", "m1.city.localhost"]


def test_only_devices_come_in_tables(office: Office) -> None:
    for profile in ("citizen", "organisation-seal", "server", "ocsp", "nonsense"):
        with pytest.raises(NotOffered):
            office.asked(1, profile=profile)
    with pytest.raises(NoSuchBulk):
        office.bulk.job("none")


def test_a_table_without_a_usable_line_is_over_at_once(office: Office) -> None:
    job = office.ask(table(("nobody", "nothing")))
    assert (job.state, job.counts) == (JobState.DONE, {LineState.REFUSED: 1})
    with pytest.raises(BulkOver):
        office.approve(job)


def test_where_the_profile_demands_two_officers_two_have_to_agree(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    _twice(monkeypatch)
    job = office.asked(2)
    assert office.approve(job).state is JobState.WAITING
    with pytest.raises(NotForThisOfficer) as refused:
        office.approve(job)
    assert refused.value.parameters["why"] == "one-officer-twice"
    assert office.bulk.step(job.id) == 0
    assert office.approve(job, SECOND.subject).state is JobState.RUNNING
    assert office.run(job).counts == {LineState.ISSUED: 2}


def test_who_has_no_say(office: Office, world: World) -> None:
    job = office.asked(2)
    for officer in (CITIZEN.subject, "nobody"):
        with pytest.raises(NotForThisOfficer):
            office.approve(job, officer)
    bound = Mandate(organisation=KIOSK.organisation, scope="all", until=dt.date(2036, 12, 31))
    world.directory.people[SECOND.subject] = dataclasses.replace(SECOND, mandates=(bound,))
    with pytest.raises(NotForThisOfficer) as refused:
        office.approve(job, SECOND.subject)
    assert refused.value.parameters["why"] == "own-organisation"
    last = world.recorder.events[-1]
    assert (last.type, last.attributes["reasons"]) == ("ca.bulk.refused", "own-organisation")
    elsewhere = dataclasses.replace(bound, organisation=COMPANY.id)
    world.directory.people[SECOND.subject] = dataclasses.replace(SECOND, mandates=(elsewhere,))
    with pytest.raises(WeaklyProofed):
        office.bulk.approve(job.id, at(SECOND.subject, assurance=1), digest=job.digest)
    with pytest.raises(ContentChanged):
        office.bulk.approve(job.id, at(), digest="0" * 64)
    assert office.bulk.job(job.id).approvals == ()


def test_the_policies_are_asked_before_the_agreement(world: World) -> None:
    class Closed:
        def decide(self, *_: object) -> Verdict:
            return Verdict(allowed=False, reasons=("closed",))

    office = open_office(world, world.open(Closed()))
    with pytest.raises(IssuanceDenied):
        office.approve(office.asked(1))


def test_a_line_that_was_swapped_after_the_table_was_seen_voids_it(office: Office, world: World) -> None:
    job = office.asked(2)
    number = office.lines(job)[0].number
    with world.database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE bulk_lines SET digest = ? WHERE job = ? AND number = ?", ("0" * 64, job.id, number)
        )
    with pytest.raises(ContentChanged):
        office.approve(job)
    # And a request that is swapped after the agreement is not signed.
    other = office.asked(2)
    office.approve(other)
    with world.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE bulk_lines SET csr = ? WHERE job = ?", (request_for(), other.id))
    office.run(other)
    assert {each.code for each in office.lines(other)} == {"content_changed"}


def test_a_device_that_changes_after_the_agreement_is_refused(office: Office, world: World) -> None:
    job = office.asked(2)
    office.approve(job)
    first = office.lines(job)[0].device
    world.directory.devices[first] = dataclasses.replace(world.directory.devices[first], name="Another")
    office.run(job)
    assert [each.code for each in office.lines(job)] == ["content_changed", ""]


def test_an_officer_who_is_dismissed_meanwhile_stops_the_rest(
    office: Office, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_service, "BATCH", 2)
    job = office.asked(4)
    office.approve(job)
    assert office.bulk.step(job.id) == 2
    world.directory.people[OFFICER.subject] = dataclasses.replace(OFFICER, roles=frozenset())
    assert office.bulk.step(job.id) == 0
    back = office.bulk.job(job.id)
    assert (back.state, back.standing) == (JobState.WAITING, ())
    assert back.counts == {LineState.ISSUED: 2, LineState.READY: 2}
    assert "ca.bulk.returned" in world.reported()
    office.approve(job, SECOND.subject)
    assert office.run(job).counts == {LineState.ISSUED: 4}


def test_what_does_not_run_yet_can_be_cancelled(office: Office) -> None:
    job, other = office.asked(1), office.asked(1)
    office.bulk.cancel(job.id, by=OFFICER.subject)
    for verb in (lambda: office.approve(job), lambda: office.bulk.cancel(job.id, by="x")):
        with pytest.raises(BulkOver):
            verb()
    office.approve(other)
    with pytest.raises(BulkOver):
        office.bulk.cancel(other.id, by=OFFICER.subject)
    assert office.bulk.running() == [other.id]


def test_without_the_record_nobody_agrees_and_nothing_is_signed(office: Office, world: World) -> None:
    job = office.asked(3)
    world.recorder.down = True
    with pytest.raises(RecordUnavailable):
        office.approve(job)
    world.recorder.down = False
    office.approve(job)
    world.recorder.down = True
    before = world.rows()
    with pytest.raises(Unavailable):
        office.bulk.step(job.id)
    # The keys were not touched: every serial that was taken is given up.
    assert world.rows() == before + 3
    for each in office.lines(job):
        assert (each.state, each.serial) == (LineState.READY, "")
        (row,), _ = office.authority.certificates(each.device)
        assert row.state is State.ABANDONED
    world.recorder.down = False
    assert office.run(job).counts == {LineState.ISSUED: 3}


def test_one_intent_that_the_log_does_not_take_is_one_line_that_waits(
    office: Office, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = office.asked(3)
    office.approve(job)
    real = world.recorder.record_all

    def choosy(events: Sequence[bytes], *, wait: Wait = Wait.SEQUENCED) -> list[Receipt | TallygateError]:
        assert wait is Wait.PUBLISHED
        return [RecordUnavailable(), *real(events[1:], wait=wait)]

    monkeypatch.setattr(world.recorder, "record_all", choosy)
    with pytest.raises(Unavailable):
        office.bulk.step(job.id)
    assert Counter(each.state for each in office.lines(job)) == {LineState.ISSUED: 2, LineState.READY: 1}
    monkeypatch.setattr(world.recorder, "record_all", real)
    assert office.run(job).counts == {LineState.ISSUED: 3}


@pytest.mark.parametrize("where", ["intend_all", "signed", "settle"])
@pytest.mark.parametrize("after", [False, True])
def test_a_process_that_dies_anywhere_leaves_each_device_one_good_certificate(
    office: Office, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, where: str, after: bool
) -> None:
    job = office.asked(3)
    office.approve(job)
    owner = office.jobs if where == "settle" else world.store
    real = getattr(owner, where)

    def die(*arguments: object, **named: object) -> None:
        if after:
            real(*arguments, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(owner, where, die)
        # A dead process gives nothing back.
        patched.setattr(office.jobs, "let_go", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            office.bulk.step(job.id)
    assert {each.state for each in office.lines(job)} <= {LineState.TAKEN, LineState.ISSUED}
    workshop = Workshop(office.bulk, lock=tmp_path / "bulk.lock")
    workshop.round()
    workshop.stop()
    done = office.bulk.job(job.id)
    assert (done.state, done.counts) == (JobState.DONE, {LineState.ISSUED: 3})
    for each in office.lines(job):
        (only,) = office.good(each.device)
        assert only.serial == each.serial
        # What may have been signed is worth nothing.
        rest, _ = office.authority.certificates(each.device)
        assert {one.standing for one in rest if one.serial != only.serial} <= {Standing.REVOKED}


def test_an_attempt_that_slept_too_long_leaves_one_good_certificate(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = office.asked(2)
    office.approve(job)
    real = office.jobs.settle

    def overtaken(identifier: str, holder: str, ended: Mapping[int, str | TallygateError]) -> list[str]:
        monkeypatch.setattr(office.jobs, "settle", real)
        monkeypatch.setattr(office.bulk, "_left_behind", lambda *_: "")
        office.bulk.recover()
        while office.bulk.step(job.id):
            pass
        return real(identifier, holder, ended)

    monkeypatch.setattr(office.jobs, "settle", overtaken)
    office.bulk.step(job.id)
    for each in office.lines(job):
        assert [one.serial for one in office.good(each.device)] == [each.serial]


def test_two_workshops_never_issue_one_line_twice(office: Office, world: World, tmp_path: Path) -> None:
    job = office.asked(30)
    office.approve(job)
    shops = [Workshop(office.bulk, lock=tmp_path / "bulk.lock") for _ in range(2)]
    done: list[int] = []
    threads = [threading.Thread(target=lambda shop=shop: done.append(shop.round())) for shop in shops]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for shop in shops:
        shop.stop()
    # One has the lock, the other nothing to do.
    assert sorted(done) == [0, 30]
    assert office.bulk.job(job.id).counts == {LineState.ISSUED: 30}
    assert all(len(office.good(each.device)) == 1 for each in office.lines(job))
    assert world.recorder.types().count("ca.certificate.intended") >= 30


def test_the_workshop_begins_when_the_last_officer_agrees_and_after_a_restart(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = office.asked(1)
    office.approve(earlier)
    finished = threading.Event()
    real = office.bulk.finish
    names: list[str] = []

    def tell(identifier: str) -> bool:
        done = real(identifier)
        names.append(identifier)
        finished.set()
        return done

    monkeypatch.setattr(office.bulk, "finish", tell)
    shop = Workshop(office.bulk, lock=tmp_path / "bulk.lock", interval=3600)
    shop.start()
    assert finished.wait(120)
    finished.clear()
    later = office.asked(1)
    office.approve(later)
    assert finished.wait(120)
    shop.stop()
    assert names == [earlier.id, later.id]


def test_a_full_way_to_the_log_holds_the_next_batch_up(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    job = office.asked(1)
    office.approve(job)
    monkeypatch.setattr(bulk_service, "_MOST_UNSENT", 0)
    with pytest.raises(Unavailable):
        office.bulk.step(job.id)
    assert office.lines(job)[0].state is LineState.READY


def test_many_at_once_are_answered_in_their_order(office: Office) -> None:
    devices = office.devices(3)
    wishes = [_wish(each.id, request_for()) for each in devices]
    wishes.insert(1, _wish("nobody", request_for()))
    answers = office.authority.issue_all(wishes, office.world.recorder)
    assert [isinstance(each, Issued) for each in answers] == [True, False, True, True]
    for wish, each in zip(wishes, answers, strict=True):
        if isinstance(each, Issued):
            assert office.authority.certificate(each.serial).subject == wish.subject
            assert base64.b64encode(each.certificate)


def test_jobs_and_lines_are_paged(office: Office) -> None:
    jobs: list[Job] = [office.asked(1) for _ in range(3)]
    found, more = office.jobs.newest(limit=2)
    rest, end = office.jobs.newest(before=more, limit=2)
    assert ([each.id for each in (*found, *rest)], end) == ([each.id for each in reversed(jobs)], 0)
    big = office.asked(3)
    first = office.bulk.lines(big.id, limit=2)
    assert [each.number for each in office.bulk.lines(big.id, after=first[-1].number)] == [office.lines(big)[2].number]
