# SPDX-License-Identifier: Apache-2.0
"""The store under many hands: serials stay unique, transitions atomic, pages complete."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from audit import Outcome
from ca.errors import AlreadyRevoked, AlreadySuspended, SerialTaken
from ca.models import Reason, Standing, State
from ca.service import CertificateAuthority, Housekeeping
from ca.service.notes import event, note
from core.db import OutboxFull
from core.errors import TallygateError
from tests.fakes.people import CITIZEN

from .world import World, ask, intent


def test_a_serial_taken_at_once_by_many_is_given_to_one(world: World) -> None:
    results = _together(8, lambda: _take(world, "abc"))
    assert results.count("taken") == 7
    assert results.count("mine") == 1


def test_a_certificate_revoked_at_once_by_many_is_revoked_once(world: World, authority: CertificateAuthority) -> None:
    serial = authority.issue(ask()).serial
    results = _together(6, lambda: _revoke(authority, serial))
    assert results.count("revoked") == 1
    assert results.count("already") == 5
    assert world.reported().count("ca.certificate.revoked") == 1


def test_many_issuances_at_once_all_succeed(world: World, authority: CertificateAuthority) -> None:
    before = world.rows()
    serials = _together(6, lambda: authority.issue(ask()).serial)
    assert len(set(serials)) == 6
    assert world.rows() == before + 6


def test_a_full_outbox_refuses_to_change_anything(
    world: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = authority.issue(ask()).serial
    monkeypatch.setattr("ca.store.tables.outbox._capacity", 0)
    with pytest.raises(OutboxFull):
        authority.suspend(serial, actor="x")
    assert authority.status(serial).good
    with pytest.raises(OutboxFull):
        authority.issue(ask())


def test_pages_are_complete_and_do_not_overlap(authority: CertificateAuthority) -> None:
    issued = {authority.issue(ask()).serial for _ in range(7)}
    seen: list[str] = []
    before = 0
    while True:
        page, before = authority.certificates(CITIZEN.subject, before=before, limit=3)
        seen += [each.serial for each in page]
        if not before:
            break
    assert len(seen) == 7
    assert set(seen) == issued


def test_wildcards_in_a_name_are_plain_letters(authority: CertificateAuthority) -> None:
    authority.issue(ask())
    assert authority.named("王")[0]
    for sought in ("%", "_", "\\"):
        assert authority.named(sought)[0] == []


def test_a_bare_reservation_of_an_older_release_is_abandoned_without_a_word(
    world: World, authority: CertificateAuthority
) -> None:
    _take(world, "abc")
    with world.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE certificates SET state = 'reserved', key_hash = ''")
    world.clock.advance(timedelta(minutes=5))
    assert authority.reap() == world.rows()
    assert world.store.certificate("abc").state is State.ABANDONED
    assert authority.status("abc").standing is Standing.UNKNOWN
    assert world.outbox() == []


def test_a_relay_may_deliver_and_drop(world: World) -> None:
    world.store.outbox_put(note(event("ca.certificate.refused", Outcome.DENIED, at=world.clock.now())))
    waiting = world.store.outbox.head()
    assert len(waiting) == 1
    world.store.outbox.drop([each.position for each in waiting])
    assert world.store.outbox.head() == []


def test_housekeeping_goes_on_after_a_failure(world: World, authority: CertificateAuthority) -> None:
    world.clock.advance(timedelta(days=80))
    world.recorder.down = True
    failed = threading.Event()
    real = authority.renew_responders

    def renew() -> int:
        try:
            return real()
        except TallygateError:
            failed.set()
            raise

    authority.renew_responders = renew  # type: ignore[method-assign]  # tells when the record refused
    before = authority._signer.responder("people").certificate
    keeper = Housekeeping(authority, retry=0.01)
    keeper.start()
    assert failed.wait(60)
    world.recorder.down = False
    for _ in range(3000):
        if authority._signer.responder("people").certificate != before:
            break
        threading.Event().wait(0.02)
    keeper.stop()
    assert authority._signer.responder("people").certificate != before


def test_what_nobody_foresaw_does_not_end_housekeeping(
    authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[int] = []

    def reap() -> int:
        rounds.append(1)
        raise OSError("no space left on device")

    monkeypatch.setattr(authority, "reap", reap)
    keeper = Housekeeping(authority, retry=0.01)
    keeper.start()
    for _ in range(3000):
        if len(rounds) > 1:
            break
        threading.Event().wait(0.02)
    keeper.stop()
    assert len(rounds) > 1


def _take(world: World, serial: str) -> str:
    try:
        world.store.intend(intent(serial, at=world.clock.now()))
    except SerialTaken:
        return "taken"
    return "mine"


def _revoke(authority: CertificateAuthority, serial: str) -> str:
    try:
        authority.revoke(serial, reason=Reason.UNSPECIFIED, actor="x")
    except (AlreadyRevoked, AlreadySuspended):
        return "already"
    return "revoked"


def _together(count: int, work: Callable[[], str]) -> list[str]:
    results: list[str] = []
    gate = threading.Barrier(count)

    def run() -> None:
        gate.wait(10)
        results.append(work())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
