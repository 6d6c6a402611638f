# SPDX-License-Identifier: Apache-2.0
"""Whoever is shut out takes no certificate along, and gets back what was good when they are let in again."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from audit import Entry, Event, Outcome, new_key
from ca.errors import AlreadySuspended
from ca.models import Issued, Reason, Standing
from ca.service import CertificateAuthority, Leavers, Overlooked
from ca.service.leavers import SECOND_LOOK
from ca.store import Together
from directory import Person
from tests.fakes.people import CITIZEN, OFFICER, SmallDirectory

from .world import World, ask, intent, list_of, loaded

OUT, IN, LEFT = "directory.person.disabled", "directory.person.enabled", "directory.person.left"


class Killed(BaseException):
    """The process is dead; nothing of it runs on."""


@dataclass
class Mortal:
    """The authority's two verbs; before or after the given one the process dies, once."""

    authority: CertificateAuthority
    dies_at: int
    after: bool
    done: int = 0

    def suspend(self, serial: str, *, actor: str, because: str, together: Together | None) -> None:
        self._act(lambda: self.authority.suspend(serial, actor=actor, because=because, together=together))

    def release(self, serial: str, *, actor: str) -> None:
        self._act(lambda: self.authority.release(serial, actor=actor))

    def _act(self, act: Callable[[], None]) -> None:
        self.done += 1
        if self.done == self.dies_at and not self.after:
            raise Killed
        act()
        if self.done == self.dies_at:
            raise Killed


def told(world: World, index: int, kind: str, subject: str = CITIZEN.subject, **attributes: str) -> Entry:
    """What the record says."""
    event = Event(
        key=new_key(), type=kind, outcome=Outcome.SUCCESS, at=world.clock.now(), source="directory", subject=subject,
        attributes=attributes,
    )  # fmt: skip
    return Entry(index=index, event=event)


def _leavers(world: World, changes: CertificateAuthority | Mortal, folder: Path) -> Leavers:
    return Leavers(store=world.store, changes=changes, clock=world.clock, place=folder / "position")


def _standings(authority: CertificateAuthority, *serials: str) -> list[Standing]:
    return [authority.status(each).standing for each in serials]


def _answer(world: World, authority: CertificateAuthority, issued: Issued) -> ocsp.OCSPResponse:
    path = world.site.public / "issuers" / "people.pem"
    issuer = x509.load_pem_x509_certificate(path.read_bytes())
    question = ocsp.OCSPRequestBuilder().add_certificate(loaded(issued), issuer, hashes.SHA256()).build()
    return ocsp.load_der_ocsp_response(authority.ocsp("people", question.public_bytes(Encoding.DER)).der)


def _on_list(authority: CertificateAuthority, issued: Issued) -> x509.RevokedCertificate | None:
    found = x509.load_der_x509_crl(list_of(authority, issued))
    return found.get_revoked_certificate_by_serial_number(int(issued.serial, 16))


@pytest.mark.parametrize("because", [{}, {"because": "leave"}])
def test_lists_and_answers_say_that_it_is_on_hold_as_long_as_the_account_is_shut(
    world: World, authority: CertificateAuthority, tmp_path: Path, because: dict[str, str]
) -> None:
    card, other = authority.issue(ask()), authority.issue(ask(subject=OFFICER.subject, actor="another-officer"))
    assert _answer(world, authority, card).certificate_status is ocsp.OCSPCertStatus.GOOD
    leavers = _leavers(world, authority, tmp_path)
    failed = told(world, 1, OUT)
    leavers.hear([Entry(index=1, event=_failed(failed.event)), told(world, 2, "other", "")])
    assert authority.status(card.serial).good
    leavers.hear([told(world, 3, OUT, **because)])
    held = _answer(world, authority, card)
    assert held.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert held.revocation_reason is x509.ReasonFlags.certificate_hold
    entry = _on_list(authority, card)
    assert entry
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.certificate_hold
    assert authority.status(other.serial).good
    said = [event for event in world.outbox() if event.type == "ca.certificate.suspended"]
    assert [(e.object, e.actor, e.attributes["because"]) for e in said] == [(card.serial, "role:ca", "disabled")]
    # An announced return is none.
    leavers.hear([Entry(index=4, event=_intended(told(world, 4, IN).event))])
    assert not authority.status(card.serial).good
    leavers.hear([told(world, 5, IN)])
    assert _answer(world, authority, card).certificate_status is ocsp.OCSPCertStatus.GOOD
    assert _on_list(authority, card) is None
    assert leavers.start() == 6


def test_what_was_good_comes_back_and_nothing_else(
    world: World, authority: CertificateAuthority, tmp_path: Path
) -> None:
    good, lost, gone, revoked, found_lost = (authority.issue(ask()).serial for _ in range(5))
    authority.suspend(lost, actor=OFFICER.subject)
    _leavers(world, authority, tmp_path).hear([told(world, 3, OUT)])
    assert _standings(authority, good, lost, gone, revoked, found_lost) == [Standing.SUSPENDED] * 5
    authority.revoke(revoked, reason=Reason.KEY_COMPROMISE, actor=OFFICER.subject)
    authority.release(gone, actor=OFFICER.subject)
    # The card is reported lost meanwhile: that is recorded, and outlasts the return.
    before = len(world.outbox())
    authority.suspend(found_lost, actor=OFFICER.subject)
    assert [(e.type, e.actor) for e in world.outbox()[before:]] == [("ca.certificate.suspended", OFFICER.subject)]
    with pytest.raises(AlreadySuspended):
        authority.suspend(found_lost, actor=OFFICER.subject)
    _leavers(world, authority, tmp_path).hear([told(world, 5, IN)])
    after = [Standing.GOOD, Standing.SUSPENDED, Standing.GOOD, Standing.REVOKED, Standing.SUSPENDED]
    assert _standings(authority, good, lost, gone, revoked, found_lost) == after
    # Released by an officer and suspended by one since: nothing of an old absence is left that would bring it back.
    leavers = _leavers(world, authority, tmp_path)
    leavers.hear([told(world, 6, OUT)])
    authority.release(good, actor=OFFICER.subject)
    authority.suspend(good, actor=OFFICER.subject)
    leavers.hear([told(world, 8, IN)])
    assert authority.status(good).standing is Standing.SUSPENDED


def test_a_revocation_outlasts_shutting_out_and_letting_in(
    world: World, authority: CertificateAuthority, tmp_path: Path
) -> None:
    card = authority.issue(ask()).serial
    leavers = _leavers(world, authority, tmp_path)
    leavers.hear([told(world, 1, OUT)])
    authority.revoke(card, reason=Reason.CESSATION, actor=OFFICER.subject)
    assert world.store.withheld(CITIZEN.subject) == []
    leavers.hear([told(world, 2, IN), told(world, 3, OUT), told(world, 4, IN)])
    found = authority.certificate(card)
    assert (found.standing, found.reason) == (Standing.REVOKED, Reason.CESSATION)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("dies_at", range(1, 5))
def test_dead_at_any_act_what_is_heard_again_ends_the_same(
    world: World, authority: CertificateAuthority, tmp_path: Path, dies_at: int, *, after: bool
) -> None:
    cards = [authority.issue(ask()).serial for _ in range(2)]
    mortal = Mortal(authority, dies_at, after)
    entries = [told(world, 1, OUT), told(world, 2, IN)]
    died = 0
    for entry in entries:
        while True:
            try:
                _leavers(world, mortal, tmp_path).hear([entry])
            except Killed:
                died += 1
                continue
            break
        expected = Standing.SUSPENDED if entry.event.type == OUT else Standing.GOOD
        assert _standings(authority, *cards) == [expected] * 2
    assert died == 1
    kinds = [each for each in world.reported() if each in ("ca.certificate.suspended", "ca.certificate.released")]
    assert kinds == ["ca.certificate.suspended"] * 2 + ["ca.certificate.released"] * 2
    # A second process hears the same later, from the beginning, and nothing is left behind.
    (tmp_path / "position").write_text("broken")
    late = _leavers(world, authority, tmp_path)
    assert late.start() == 0
    late.hear(entries)
    assert _standings(authority, *cards) == [Standing.GOOD] * 2
    assert world.store.withheld(CITIZEN.subject) == []


def test_who_leaves_gets_nothing_back(world: World, authority: CertificateAuthority, tmp_path: Path) -> None:
    card, other = authority.issue(ask()).serial, authority.issue(ask()).serial
    authority.suspend(other, actor=OFFICER.subject)
    leavers = _leavers(world, authority, tmp_path)
    leavers.hear([told(world, 1, OUT), told(world, 2, LEFT), told(world, 3, IN)])
    assert _standings(authority, card, other) == [Standing.SUSPENDED] * 2
    # What an officer gave back stays given back; what is issued after a return goes with the next leaving.
    authority.release(card, actor=OFFICER.subject)
    assert leavers.start() == 4
    leavers.hear([])
    assert authority.status(card).good
    leavers.hear([told(world, 9, LEFT)])
    assert authority.status(card).standing is Standing.SUSPENDED
    assert world.store.withheld(CITIZEN.subject) == []


def test_what_was_being_issued_meanwhile_is_taken_too(
    world: World, authority: CertificateAuthority, tmp_path: Path
) -> None:
    leavers, store = _leavers(world, authority, tmp_path), world.store
    released = authority.issue(ask()).serial
    serials = [format((world.settings.instance << 136) + number, "x") for number in (1, 2)]
    store.intend(intent(serials[0], at=world.clock.now(), key_hash="a" * 64))
    leavers.hear([told(world, 1, OUT)])
    authority.release(released, actor=OFFICER.subject)
    # It had asked the directory before, and is written down only now.
    store.intend(intent(serials[1], at=world.clock.now(), key_hash="b" * 64))
    leavers.hear([])
    assert _standings(authority, *serials) == [Standing.SUSPENDED, Standing.POSSIBLY_ISSUED]
    world.clock.advance(timedelta(seconds=SECOND_LOOK))
    leavers.hear([])
    assert _standings(authority, *serials, released) == [Standing.SUSPENDED, Standing.SUSPENDED, Standing.GOOD]
    assert world.settings.issuance_timeout.total_seconds() <= SECOND_LOOK


def test_however_many_certificates_hide_no_older_one(world: World) -> None:
    at = world.clock.now()
    many = [intent(format((1 << 140) + each, "x"), at=at, key_hash=f"{each:064x}") for each in range(600)]
    world.store.intend_all(many)
    assert len(world.store.worth_something(CITIZEN.subject, at=world.clock.now())) == 600
    # What has ended is worth nothing, and is left alone.
    world.clock.advance(timedelta(days=366))
    assert world.store.worth_something(CITIZEN.subject, at=world.clock.now()) == []


def test_what_an_earlier_release_took_for_a_leave_comes_back(
    world: World, authority: CertificateAuthority, tmp_path: Path
) -> None:
    taken, released, elsewhere = (authority.issue(ask()).serial for _ in range(3))
    for serial in (taken, elsewhere):
        authority.suspend(serial, actor="role:ca")
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / CITIZEN.subject).write_text(f"{taken}\n{released}")
    (tmp_path / "away" / "no identifier").write_text(elsewhere)
    leavers = _leavers(world, authority, tmp_path)
    assert (leavers.start(), leavers.start()) == (0, 0)
    assert list((tmp_path / "away").iterdir()) == []
    leavers.hear([told(world, 1, IN)])
    assert _standings(authority, taken, released, elsewhere) == [Standing.GOOD, Standing.GOOD, Standing.SUSPENDED]


class Wavering(SmallDirectory):
    """Everybody is let in again while they are looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = Counter[str]()

    def person(self, subject: str) -> Person:
        self.asked[subject] += 1
        return replace(super().person(subject), enabled=self.asked[subject] > 1)


@pytest.mark.parametrize("most", [1, 2, 100])
def test_who_was_shut_out_under_an_older_release_is_found_once(
    world: World, authority: CertificateAuthority, tmp_path: Path, most: int
) -> None:
    card, other, machine = (
        authority.issue(ask()).serial,
        authority.issue(ask(subject=OFFICER.subject, actor="another-officer")).serial,
        format((world.settings.instance << 136) + 1, "x"),
    )
    world.store.intend(intent(machine, at=world.clock.now(), key_hash="a" * 64, subject="a-machine"))
    leavers = _leavers(world, authority, tmp_path)
    # An older release heard this and did nothing.
    leavers.hear([Entry(index=1, event=_failed(told(world, 1, OUT).event))])
    world.directory.people[CITIZEN.subject] = replace(CITIZEN, enabled=False)

    def overlooked() -> Overlooked:
        # Another process each time.
        place = tmp_path / "overlooked"
        return Overlooked(
            store=world.store, people=world.directory, leavers=leavers, clock=world.clock, place=place
        )  # fmt: skip

    rounds = 1
    while overlooked().look(most):
        rounds += 1
    assert _standings(authority, card, other, machine) == [Standing.SUSPENDED, Standing.GOOD, Standing.POSSIBLY_ISSUED]
    said = [event for event in world.outbox() if event.type == "ca.certificate.suspended"]
    assert [(e.object, e.actor, e.attributes["because"]) for e in said] == [(card, "role:ca", "disabled")]
    # They come back with the account, and nobody is looked at twice.
    leavers.hear([told(world, 2, IN)])
    assert authority.status(card).good
    assert not overlooked().look(most)
    assert authority.status(card).good
    assert (rounds > 1) is (most < 3)


def test_who_is_let_in_at_that_very_moment_keeps_what_they_have(
    world: World, authority: CertificateAuthority, tmp_path: Path
) -> None:
    card = authority.issue(ask()).serial
    wavering = Wavering()
    looked = Overlooked(
        store=world.store, people=wavering, leavers=_leavers(world, authority, tmp_path), clock=world.clock,
        place=tmp_path / "overlooked",
    )  # fmt: skip
    assert not looked.look()
    assert (wavering.asked[CITIZEN.subject], authority.status(card).standing) == (2, Standing.GOOD)
    assert [each for each in world.reported() if each.startswith("ca.certificate.s")] == ["ca.certificate.suspended"]
    assert world.store.withheld(CITIZEN.subject) == []


def _failed(event: Event) -> Event:
    return replace(event, outcome=Outcome.FAILURE)


def _intended(event: Event) -> Event:
    return replace(event, outcome=Outcome.INTENDED)
