# SPDX-License-Identifier: Apache-2.0
"""What the directory shows follows the tables: once more at worst, never lost, never an older word after a newer."""

import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca import CASettings
from ca.errors import NoSuchIssuer, NotReconciled
from ca.models import Issued, Reason, Standing
from ca.service import CertificateAuthority, Publisher
from ca.service.publishing import AGAIN, LONGEST_LIST
from ca.store import AUTHORITIES, Entry, Note, Outcome, Store
from core.db import Database
from core.errors import Internal, NotFound, TallygateError, Unavailable
from tests.fakes.people import CITIZEN, CLERK, COMPANY

from .test_store_keys import database as database  # noqa: PLC0414 - a fixture
from .test_store_keys import server as server  # noqa: PLC0414 - a fixture
from .world import World, ask, intent, loaded


class Shelves:
    """The directory as the authority sees it, in memory."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], list[bytes]] = {}
        self.authorities: dict[str, dict[str, bytes]] = {}
        self.said = 0
        self.refuses: TallygateError | None = None

    def certificates(self, kind: str, identifier: str, certificates: Sequence[bytes]) -> None:
        self.said += 1
        if self.refuses:
            raise self.refuses
        self.entries[kind, identifier] = list(certificates)

    def authority(self, name: str, parts: Mapping[str, bytes]) -> None:
        self.said += 1
        if self.refuses:
            raise self.refuses
        self.authorities[name] = dict(parts)


@pytest.fixture
def shelves() -> Shelves:
    return Shelves()


@pytest.fixture
def publisher(world: World, authority: CertificateAuthority, shelves: Shelves) -> Publisher:
    return publisher_of(world, authority, shelves)


def publisher_of(world: World, authority: CertificateAuthority, shelves: Shelves) -> Publisher:
    return Publisher(
        store=world.store,
        authority=authority,
        shelf=shelves,
        clock=world.clock,
        lock=world.site.folder("ca") / "publisher.lock",
    )


def everything(publisher: Publisher) -> None:
    while publisher.round():
        pass


def der(issued: Issued) -> bytes:
    return loaded(issued).public_bytes(Encoding.DER)


def test_a_holders_entry_follows_what_is_issued_withdrawn_and_ends(
    world: World, authority: CertificateAuthority, publisher: Publisher, shelves: Shelves
) -> None:
    entry = ("people", CLERK.subject)
    first, second = (authority.issue(ask("civil-servant", subject=CLERK.subject)) for _ in range(2))
    everything(publisher)
    assert shelves.entries[entry] == [der(second), der(first)]
    authority.suspend(first.serial, actor="x")
    everything(publisher)
    assert shelves.entries[entry] == [der(second)]
    authority.release(first.serial, actor="x")
    authority.revoke(second.serial, reason=Reason.SUPERSEDED, actor="x")
    everything(publisher)
    assert shelves.entries[entry] == [der(first)]
    world.clock.advance(loaded(first).not_valid_after_utc - world.clock.now() + timedelta(seconds=2))
    everything(publisher)
    assert shelves.entries[entry] == []


def test_profiles_say_what_is_shown(authority: CertificateAuthority, publisher: Publisher, shelves: Shelves) -> None:
    authority.issue(ask("citizen"))
    seal = authority.issue(ask("organisation-seal", subject=COMPANY.id))
    everything(publisher)
    assert shelves.entries == {("organisations", COMPANY.id): [der(seal)]}
    authority.revoke(authority.issue(ask("citizen")).serial, reason=Reason.UNSPECIFIED, actor="x")
    assert publisher.round() == 0
    assert ("people", CITIZEN.subject) not in shelves.entries


def test_authorities_show_certificate_list_and_delta(world: World, shelves: Shelves) -> None:
    world.settings = CASettings(whole_deltas=True)
    authority = world.open()
    publisher = publisher_of(world, authority, shelves)
    publisher.look_at_authorities()
    everything(publisher)
    assert set(shelves.authorities) == {*authority.roots, *authority.issuers}
    assert shelves.authorities["people"] == {
        "certificate": authority.authority("people"),
        "list": authority.crl("people").der,
        "delta": authority.crl("people", delta=True).der,
    }
    assert shelves.authorities["root"]["list"] == authority.crl("root").der
    assert shelves.authorities["root"]["delta"] == b""
    issued = authority.issue(ask())
    authority.revoke(issued.serial, reason=Reason.UNSPECIFIED, actor="x")
    authority.publish("people")
    everything(publisher)
    shown = x509.load_der_x509_crl(shelves.authorities["people"]["list"])
    assert shown.get_revoked_certificate_by_serial_number(int(issued.serial, 16)) is not None
    # A list of a root comes by ceremony, which tells nobody.
    said = shelves.said
    world.clock.advance(timedelta(minutes=11))
    everything(publisher)
    assert shelves.said > said


def test_a_list_too_long_for_an_entry_is_taken_away_rather_than_left_old(
    world: World,
    authority: CertificateAuthority,
    publisher: Publisher,
    shelves: Shelves,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ca.service.publishing.LONGEST_LIST", 10)
    assert LONGEST_LIST > 10
    world.store.touch(Entry(kind=AUTHORITIES, id="people"), at=world.clock.now())
    everything(publisher)
    assert shelves.authorities["people"]["list"] == b""
    assert publisher.standing()["published_too_long"] == 1


def test_nothing_waits_for_the_directory_and_nothing_is_lost(
    world: World, authority: CertificateAuthority, publisher: Publisher, shelves: Shelves
) -> None:
    shelves.refuses = Unavailable()
    issued = authority.issue(ask("civil-servant", subject=CLERK.subject))
    with pytest.raises(Unavailable):
        publisher.round()
    authority.revoke(issued.serial, reason=Reason.UNSPECIFIED, actor="x")
    again = authority.issue(ask("civil-servant", subject=CLERK.subject))
    world.clock.advance(timedelta(seconds=90))
    standing = publisher.standing()
    assert (standing["published_waiting"], standing["published_oldest_seconds"]) == (1, 90)
    shelves.refuses = None
    everything(publisher_of(world, world.open(), shelves))
    assert shelves.entries == {("people", CLERK.subject): [der(again)]}
    assert publisher.standing()["published_waiting"] == 0


def test_what_the_directory_does_not_take_holds_up_nobody_and_is_told(
    world: World, authority: CertificateAuthority, publisher: Publisher, shelves: Shelves
) -> None:
    shelves.refuses = Internal()
    authority.issue(ask("civil-servant", subject=CLERK.subject))
    everything(publisher)
    assert publisher.standing()["published_refused"] == 1
    shelves.refuses = None
    seal = authority.issue(ask("organisation-seal", subject=COMPANY.id))
    everything(publisher)
    assert shelves.entries == {("organisations", COMPANY.id): [der(seal)]}
    world.clock.advance(timedelta(hours=1))
    everything(publisher)
    assert ("people", CLERK.subject) in shelves.entries
    assert publisher.standing()["published_refused"] == publisher.standing()["published_waiting"] == 0


def test_whoever_left_the_directory_is_looked_for_once_a_day(
    world: World, authority: CertificateAuthority, publisher: Publisher, shelves: Shelves
) -> None:
    authority.issue(ask("civil-servant", subject=CLERK.subject))
    shelves.refuses = NotFound()
    everything(publisher)
    assert publisher.standing()["published_waiting"] == 0
    assert shelves.said == 1
    world.clock.advance(AGAIN)
    everything(publisher)
    assert shelves.said == 2


def test_what_somebody_put_there_goes_within_a_day(
    world: World, authority: CertificateAuthority, publisher: Publisher, shelves: Shelves
) -> None:
    issued = authority.issue(ask("civil-servant", subject=CLERK.subject))
    everything(publisher)
    shelves.entries["people", CLERK.subject] = [b"forged"]
    world.clock.advance(AGAIN)
    everything(publisher)
    assert shelves.entries["people", CLERK.subject] == [der(issued)]


def test_a_change_during_a_look_is_looked_at_again(
    world: World, authority: CertificateAuthority, publisher: Publisher, shelves: Shelves
) -> None:
    issued = authority.issue(ask("civil-servant", subject=CLERK.subject))
    keep = shelves.certificates

    def meanwhile(kind: str, identifier: str, certificates: Sequence[bytes]) -> None:
        keep(kind, identifier, certificates)
        if shelves.said == 1:
            authority.revoke(issued.serial, reason=Reason.UNSPECIFIED, actor="x")

    shelves.certificates = meanwhile  # type: ignore[method-assign]  # somebody is quick
    everything(publisher)
    assert shelves.entries["people", CLERK.subject] == []


def test_of_two_processes_one_publishes(
    world: World, authority: CertificateAuthority, publisher: Publisher, shelves: Shelves
) -> None:
    authority.issue(ask("civil-servant", subject=CLERK.subject))
    other = publisher_of(world, authority, shelves)
    with publisher._alone() as alone:
        assert alone
        assert other.round() == 0
    assert shelves.said == 0
    assert other.round() == 1


def test_nothing_of_a_restored_copy_is_shown_before_it_is_reconciled(
    world: World, authority: CertificateAuthority, shelves: Shelves
) -> None:
    def never() -> None:
        raise NotReconciled

    authority.issue(ask("civil-servant", subject=CLERK.subject))
    publisher = Publisher(
        store=world.store,
        authority=authority,
        shelf=shelves,
        clock=world.clock,
        lock=world.site.folder("ca") / "publisher.lock",
        ready=never,
    )
    with pytest.raises(NotReconciled):
        publisher.round()
    assert shelves.said == 0


_DIES = """
    import os, signal, sys
    from pathlib import Path
    from tests.ca.conftest import *
    from tests.ca.test_publishing import *
    from tests.ca.world import World, open_database, site_in

    site = site_in(Path(sys.argv[1]))
    clock = ManualClock()
    clock.advance(timedelta(minutes=5))
    database = open_database(site)
    world = World(site=site, clock=clock, recorder=ListRecorder(), database=database, store=Store(database),
                  directory=SmallDirectory())

    class Dying(Shelves):
        def certificates(self, kind, identifier, certificates):
            os.kill(os.getpid(), signal.SIGKILL)

    authority = world.open()
    authority.issue(ask("civil-servant", subject=CLERK.subject))
    publisher_of(world, authority, Dying()).round()
"""


def test_a_kill_while_publishing_loses_nothing(
    world: World, authority: CertificateAuthority, publisher: Publisher, shelves: Shelves
) -> None:
    died = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_DIES), str(world.site.state)],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    (kept,), _ = authority.certificates(CLERK.subject)
    everything(publisher)
    assert shelves.entries["people", CLERK.subject] == [kept.der]


def test_the_store_counts_and_forgets_alike_in_both_databases(database: Database, world: World) -> None:
    store, at = Store(database), world.clock.now()
    entry = Entry(kind="people", id=CLERK.subject)
    other = Entry(kind="devices", id="d")
    store.touch(entry, at=at)
    store.touch(other, at=at + timedelta(seconds=5))
    (due,) = store.due(at, limit=10)
    assert due.entry == entry
    store.touch(entry, at=at + timedelta(seconds=1))
    store.shown(due, again=at + AGAIN)
    lag = store.behind()
    assert (lag.waiting, lag.oldest, lag.refused) == (2, at.replace(microsecond=0), 0)
    first, second = store.due(at + timedelta(seconds=5), limit=10)
    assert (first.entry, second.entry) == (entry, other)
    store.shown(first, again=at + AGAIN)
    store.refused(second, again=at + AGAIN)
    lag = store.behind()
    assert (lag.waiting, lag.refused) == (1, 1)
    assert store.due(at + timedelta(hours=1), limit=10) == []
    assert len(store.due(at + AGAIN, limit=1)) == 1


def test_what_is_usable_is_read_alike_in_both_databases(database: Database, world: World) -> None:
    store, at = Store(database), world.clock.now()
    for serial, profile in (("1", "civil-servant"), ("2", "civil-servant"), ("3", "citizen")):
        store.intend(replace(intent(serial, at=at, key_hash=serial * 64, subject=CLERK.subject), profile=profile))
    names = frozenset({"civil-servant"})
    assert store.usable(CLERK.subject, profiles=names, at=at, limit=10) == []
    shown = Entry(kind="people", id=CLERK.subject)
    told = [Note(key=f"{number}" * 32, body=b"{}") for number in range(6)]
    for serial in ("1", "2", "3"):
        made = Outcome(serial=serial, der=serial.encode(), note=told.pop(), if_blocked=told[0], at=at, shown=shown)
        assert store.signed([made]) == {serial}
    assert [der for der, _ in store.usable(CLERK.subject, profiles=names, at=at, limit=10)] == [b"2", b"1"]
    assert [der for der, _ in store.usable(CLERK.subject, profiles=names, at=at, limit=1)] == [b"2"]
    (due,) = store.due(at, limit=10)
    store.shown(due, again=at + AGAIN)
    store.withdraw("2", standing=Standing.SUSPENDED, reason=Reason.UNSPECIFIED, at=at, note=told.pop())
    assert [der for der, _ in store.usable(CLERK.subject, profiles=names, at=at, limit=10)] == [b"1"]
    (due,) = store.due(at, limit=10)
    store.shown(due, again=at + AGAIN)
    store.release("2", at=at, note=told.pop())
    assert store.due(at, limit=10)
    assert store.usable(CLERK.subject, profiles=names, at=at + timedelta(days=366), limit=10) == []


def test_a_name_of_no_authority_is_passed_over(world: World, publisher: Publisher, shelves: Shelves) -> None:
    world.store.touch(Entry(kind=AUTHORITIES, id="gone"), at=world.clock.now())
    everything(publisher)
    assert shelves.authorities == {}
    with pytest.raises(NoSuchIssuer):
        world.open().crl("gone")
