# SPDX-License-Identifier: Apache-2.0
"""One key, one holder, and never again once it is compromised: on both databases, whatever happens at once."""

import secrets
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from audit import Outcome
from ca.ceremony import MIGRATIONS
from ca.errors import AlreadyRevoked, BulkOver, KeyRefused
from ca.models import Reason, Standing, State
from ca.registration import Approval
from ca.registration.bulk import Job, Jobs, JobState, Line, LineState
from ca.registration.bulk.models import digest_of
from ca.service import CertificateAuthority, Housekeeping
from ca.service.notes import event, note
from ca.store import KeptList, Note, Store, Together, withhold
from ca.store import Outcome as Made
from ca.store.lists import Bases
from core.db import Database, OutboxFull, migrate
from core.errors import TallygateError
from tests.fakes import postgres
from tests.fakes.clock import ManualClock

from .world import World, ask, intent, request_for

NOW = ManualClock().now()
TABLES = (
    "bulk_approvals",
    "bulk_lines",
    "bulk_jobs",
    "outbox",
    "publications",
    "revocations",
    "releases",
    "withheld",
    "lists",
    "shards",
    "keys",
    "certificates",
)
SHARDS = (
    "DROP INDEX revocations_alive",
    "DROP INDEX revocations_revision",
    "DROP INDEX revocations_at",
    "ALTER TABLE revocations DROP COLUMN entry",
    "ALTER TABLE revocations DROP COLUMN revision",
    "ALTER TABLE revocations DROP COLUMN shard",
    "ALTER TABLE certificates DROP COLUMN shard",
    "CREATE INDEX revocations_issuer ON revocations (issuer, not_after)",
    "CREATE TABLE revisions (issuer VARCHAR(32) PRIMARY KEY, revision BIGINT NOT NULL)",
    "CREATE TABLE crls (issuer VARCHAR(32), number BIGINT, revision BIGINT, made BIGINT, until BIGINT)",
    "INSERT INTO revisions VALUES ('people', 7)",
    "INSERT INTO crls VALUES ('people', 41, 6, 1, 2)",
)
"""What the release before shards had instead."""


@pytest.fixture(scope="module")
def server(postgres_server: Path) -> Iterator[Database]:
    opened = Database.open(postgres.migrated(postgres_server, MIGRATIONS))
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgresql":
        opened: Database = request.getfixturevalue("server")
        with opened.transaction() as connection:
            for table in TABLES:
                connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - names of our own tables
        yield opened
        return
    opened = Database.open(f"sqlite:///{tmp_path}/ca.db")
    migrate(opened, MIGRATIONS)
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


def _note() -> Note:
    return note(event("ca.certificate.revoked", Outcome.SUCCESS, at=NOW, actor="role:ca", serial="1f2e"))


def _intend(store: Store, serial: str, *, key: str = "k", subject: str = "a") -> bool:
    try:
        store.intend(intent(serial, at=NOW, key_hash=key, subject=subject))
    except KeyRefused:
        return False
    return True


def _signed(store: Store, serial: str) -> bool:
    made = Made(serial=serial, der=b"der", note=_note(), if_blocked=_note(), at=NOW)
    return serial in store.signed([made])


def _lost(store: Store, serial: str) -> bool:
    try:
        store.withdraw(serial, standing=Standing.REVOKED, reason=Reason.KEY_COMPROMISE, at=NOW, note=_note())
    except AlreadyRevoked:
        return False
    return True


def _at_once(*acts: Callable[[], object]) -> list[object]:
    """What each of them came to."""
    results: list[object] = [None] * len(acts)
    gate = threading.Barrier(len(acts))

    def run(number: int) -> None:
        gate.wait(10)
        results[number] = acts[number]()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_key_found_compromised_among_very_many_certificates_is_refused(store: Store) -> None:
    for number in range(1, 1102):
        assert _intend(store, f"{number:x}")
    assert _signed(store, "44d")
    assert _lost(store, "44d")
    assert not _intend(store, "fffff")
    assert not _intend(store, "ffffe", subject="b")


def test_of_two_who_claim_one_key_at_once_one_gets_it(store: Store) -> None:
    for each in range(25):
        got = _at_once(
            lambda: _intend(store, f"a{each:x}", key=f"k{each}", subject="a"),  # noqa: B023 - runs before the next round
            lambda: _intend(store, f"b{each:x}", key=f"k{each}", subject="b"),  # noqa: B023 - as above
        )
        assert sorted(got, key=bool) == [False, True]


def test_a_key_reported_lost_while_its_certificate_is_made_makes_it_revoked_at_once(store: Store) -> None:
    assert _intend(store, "1")
    assert _signed(store, "1")
    assert _intend(store, "2")
    assert _lost(store, "1")
    assert not _signed(store, "2")
    late = store.certificate("2")
    assert (late.state, late.standing, late.reason) == (State.SIGNED, Standing.REVOKED, Reason.KEY_COMPROMISE)
    # Two outcomes and two revocations wait for the record.
    assert len(store.outbox.head()) == 4


def test_an_intent_revoked_for_its_lost_key_stays_revoked_when_it_is_signed(store: Store) -> None:
    assert _intend(store, "1")
    assert _lost(store, "1")
    assert not _signed(store, "1")
    assert store.certificate("1").standing is Standing.REVOKED


def test_no_certificate_slips_through_beside_the_report_of_its_keys_loss(store: Store) -> None:
    for each in range(25):
        key = f"k{each}"
        assert _intend(store, f"a{each:x}", key=key)
        assert _signed(store, f"a{each:x}")

        def certified(serial: str = f"b{each:x}", key: str = key) -> bool:
            return _intend(store, serial, key=key) and _signed(store, serial)

        _at_once(certified, partial(_lost, store, f"a{each:x}"))
        # Signed before the report, it waits for the sweep; after it, it is refused or revoked: never signed unseen.
        made = [one for one in store.certificates(key_hash=key)[0] if one.serial == f"b{each:x}"]
        unswept = [one.serial for one in made if one.standing is not Standing.REVOKED]
        assert store.unswept() == unswept
        for serial in unswept:
            assert _lost(store, serial)
        assert store.unswept() == []
        assert not _intend(store, f"c{each:x}", key=key)


def test_a_key_given_up_is_free_and_one_in_use_is_not(store: Store) -> None:
    assert _intend(store, "1")
    assert _intend(store, "2")
    store.abandon("1", None)
    assert not _intend(store, "3", subject="b")
    store.abandon("2", None)
    assert _intend(store, "3", subject="b")
    assert not _intend(store, "4")


def test_a_key_given_up_and_claimed_at_once_has_one_holder(store: Store) -> None:
    for each in range(25):
        assert _intend(store, f"a{each:x}", key=f"k{each}", subject="a")
        _at_once(
            lambda: store.abandon(f"a{each:x}", None),  # noqa: B023 - runs before the next round
            lambda: _intend(store, f"b{each:x}", key=f"k{each}", subject="a"),  # noqa: B023 - as above
            lambda: _intend(store, f"c{each:x}", key=f"k{each}", subject="b"),  # noqa: B023 - as above
        )
        holders = {one.subject for one in store.certificates(key_hash=f"k{each}")[0] if one.state is State.INTENDED}
        assert len(holders) == 1


def test_a_blocked_key_stays_blocked_when_its_issuance_is_abandoned(store: Store) -> None:
    assert _intend(store, "1")
    assert _lost(store, "1")
    store.abandon("1", None)
    assert not _intend(store, "2")


def test_of_many_who_revoke_at_once_one_does(store: Store) -> None:
    for each in range(15):
        serial = f"a{each:x}"
        assert _intend(store, serial, key=serial)
        assert _signed(store, serial)
        done = _at_once(*[partial(_lost, store, serial) for _ in range(3)])
        assert done.count(True) == 1


def test_lists_are_kept_leased_and_continued_on_both_databases(database: Database) -> None:
    store, life = Store(database), timedelta(days=1)
    for serial in ("a1", "b2"):
        assert _intend(store, serial, key=serial, subject=serial)
    for serial in ("a1", "b2"):
        store.withdraw(serial, standing=Standing.SUSPENDED, reason=Reason.UNSPECIFIED, at=NOW, note=_note())
    entries, revision = store.entries("people", 0, alive_after=NOW)
    assert (len(entries), revision) == (2, 2)
    first = KeptList(number=10, revision=revision, made=NOW, until=NOW + life, der=b"first")
    assert store.lease("people", 0, holder="one", at=NOW)
    assert not store.lease("people", 0, holder="two", at=NOW)
    assert store.keep_list("people", 0, first, forget_before=NOW - life)
    assert not store.keep_list("people", 0, first, forget_before=NOW - life)
    store.give_back("people", 0, holder="one")
    assert store.lease("people", 0, holder="two", at=NOW)
    store.release("b2", at=NOW, note=_note())
    assert store.newest_list("people", 0) == (first, 3)
    found = store.standing("a1")
    assert found is not None
    assert (found.issuer, found.standing, found.changed) == ("people", Standing.SUSPENDED, NOW)
    assert store.standing("f00") is None
    released, revision = store.changes("people", 0, since=2)
    assert (len(released), revision) == (1, 3)
    assert {(serial, issuer) for serial, issuer, _ in store.changed_since(NOW)} == {("a1", "people"), ("b2", "people")}
    delta = KeptList(number=11, revision=3, made=NOW, until=NOW + life, der=b"delta", base=10)
    assert store.keep_list("people", 0, delta, forget_before=NOW - life)
    second = KeptList(number=12, revision=3, made=NOW, until=NOW + life, der=b"second")
    assert store.keep_list("people", 0, second, forget_before=NOW - life)
    # The number of the first stays, for deltas, and its bytes go.
    assert store.bases("people", 0, at=NOW) == Bases(number=12, oldest=(10, 2))
    assert store.newest_list("people", 0, delta=True)[0] == delta
    assert store.bases("people", 0, at=NOW + life).oldest is None
    third = KeptList(number=13, revision=3, made=NOW, until=NOW + 3 * life, der=b"third")
    assert store.keep_list("people", 0, third, forget_before=NOW + life)
    assert store.bases("people", 0, at=NOW) == Bases(number=13, oldest=(13, 3))
    assert store.changes("people", 0, since=2) == ([], 3)


def test_keys_of_an_older_release_are_taken_over(database: Database) -> None:
    store = Store(database)
    for serial, key, subject in (("1", "k", "a"), ("2", "k", "a"), ("3", "l", "b"), ("4", "m", "c")):
        assert _intend(store, serial, key=key, subject=subject)
    assert _lost(store, "2")
    store.abandon("4", None)
    cascade = " CASCADE" if database.engine.dialect.name == "postgresql" else ""
    later = set(database.tables()) - {"certificates", "revocations", "outbox", "outbox_aside", "alembic_version"}
    with database.transaction() as connection:
        # What releases after that one brought.
        for table in sorted(later):
            connection.execute(text(f"DROP TABLE {table}{cascade}"))
        for statement in SHARDS:
            connection.execute(text(statement))
        connection.execute(text("UPDATE alembic_version SET version_num = 'ca0002'"))
    migrate(database, MIGRATIONS)
    assert not _intend(store, "5", key="k", subject="a")
    assert not _intend(store, "6", key="l", subject="a")
    assert _intend(store, "7", key="l", subject="b")
    assert _intend(store, "8", key="m", subject="d")
    # Its lists go on from their numbers, and what was revoked then is still on them.
    assert store.bases("people", 0, at=NOW).number == 41
    entries, revision = store.entries("people", 0, alive_after=NOW)
    assert (len(entries), revision) == (1, 7)
    assert store.newest_list("people", 0) == (None, 7)


def test_every_certificate_of_a_compromised_key_is_revoked(world: World, authority: CertificateAuthority) -> None:
    csr, other = request_for(), authority.issue(ask()).serial
    serials = [authority.issue(ask(csr=csr)).serial for _ in range(3)]
    authority.suspend(serials[1], actor="officer")
    authority.revoke(serials[2], reason=Reason.SUPERSEDED, actor="officer")
    authority.revoke(serials[0], reason=Reason.KEY_COMPROMISE, actor="officer")
    swept = authority.certificate(serials[1])
    assert (swept.standing, swept.reason) == (Standing.REVOKED, Reason.KEY_COMPROMISE)
    # What was final before stays as it was.
    assert authority.certificate(serials[2]).reason is Reason.SUPERSEDED
    assert authority.status(other).good
    told = [(each.object, each.actor) for each in world.outbox() if each.type == "ca.certificate.revoked"]
    assert told[-2:] == [(serials[0], "officer"), (serials[1], "role:ca")]


def test_a_sweep_that_was_cut_off_is_finished_by_housekeeping(
    world: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    csr = request_for()
    first, second = (authority.issue(ask(csr=csr)).serial for _ in range(2))
    with monkeypatch.context() as patched:
        patched.setattr(world.store, "unswept", _full)
        authority.revoke(first, reason=Reason.KEY_COMPROMISE, actor="officer")
    assert authority.status(second).good
    Housekeeping(authority).round()
    assert authority.status(second).standing is Standing.REVOKED


def _full(**_: str) -> list[str]:
    raise OutboxFull


def test_whoever_asks_hears_that_the_key_was_lost_meanwhile(world: World, authority: CertificateAuthority) -> None:
    csr = request_for()
    first = authority.issue(ask(csr=csr))
    signer = authority._signer
    real = signer.certificate

    def sign(*given: object, **named: object) -> object:
        # At this very moment another process takes the report that the key is lost, and has not swept yet.
        assert _lost(world.store, first.serial)
        return real(*given, **named)  # type: ignore[arg-type]  # as they came

    signer.certificate = sign  # type: ignore[method-assign,assignment]  # the signer, and somebody beside it
    with pytest.raises(KeyRefused):
        authority.issue(ask(csr=csr))
    newest = authority.certificates(ask().subject)[0][0]
    assert newest.serial != first.serial
    assert newest.standing is Standing.REVOKED
    assert world.reported()[-2:] == ["ca.certificate.issued", "ca.certificate.revoked"]


def test_many_keys_are_taken_at_once_and_each_refusal_is_its_own(store: Store) -> None:
    assert _intend(store, "a1", key="mine", subject="a")
    wanted = [("b1", "mine", "b"), ("b2", "new", "b"), ("b3", "new", "c"), ("b4", "mine", "a")]
    refused = store.intend_all([intent(n, at=NOW, key_hash=key, subject=who) for n, key, who in wanted])
    assert set(refused) == {"b1", "b3"}
    assert all(isinstance(each, KeyRefused) for each in refused.values())
    assert store.intend_all([]) == {}
    made = [Made(serial=n, der=n.encode(), note=_another(), if_blocked=_another(), at=NOW) for n in ("b2", "b4", "a1")]
    assert store.signed(made, delivered=["b2"]) == {"a1", "b2", "b4"}
    assert store.certificate("b2").state is State.DELIVERED


def _another() -> Note:
    return Note(key=secrets.token_hex(16), body=b"{}")


def test_lines_of_a_table_are_taken_once_and_settled_by_who_took_them(database: Database) -> None:
    jobs = Jobs(database)
    lines = [Line(number=n, device=f"d{n}", csr=b"x", key_hash=str(n), digest="d") for n in range(2, 9)]
    job = Job(
        id=secrets.token_hex(16),
        profile="device-client",
        asker="role:app",
        reference="file 7",
        name="表.csv",
        state=JobState.WAITING,
        digest=digest_of("device-client", lines),
        at=NOW,
    )
    jobs.add(job, lines, _another())
    assert jobs.get(job.id).counts == {LineState.READY: 7}
    word = Approval(officer="o", digest=job.digest, at=NOW, assurance=2, zone="management")
    jobs.approve(job.id, word, enough=True, seen=[], void=[], note=_another())
    with pytest.raises(BulkOver):
        jobs.approve(job.id, word, enough=True, seen=["o"], void=[], note=_another())
    assert jobs.running()[-1] == job.id
    taken: list[int] = []
    threads = [
        threading.Thread(target=lambda who=who: taken.extend(n.number for n in jobs.take(job.id, who, limit=3)))
        for who in ("one", "two", "three")
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(taken) == [each.number for each in lines]
    # Whoever did not take them settles nothing; what was made for nothing is told.
    assert sorted(jobs.settle(job.id, "nobody", {n: str(n) for n in taken})) == sorted(map(str, taken))
    jobs.let_go("", others=True)
    again = jobs.take(job.id, "four", limit=10)
    assert [each.attempts for each in again] == [1] * 7
    assert not jobs.finish(job.id, at=NOW, note=_another())
    ended: dict[int, str | TallygateError] = {each.number: f"5e{each.number}" for each in again[1:]}
    ended[again[0].number] = KeyRefused(why="weak")
    assert jobs.settle(job.id, "four", ended) == []
    assert jobs.finish(job.id, at=NOW, note=_another())
    assert not jobs.finish(job.id, at=NOW, note=_another())
    done = jobs.get(job.id)
    assert (done.state, done.counts) == (JobState.DONE, {LineState.ISSUED: 6, LineState.REFUSED: 1})
    first = next(jobs.all_lines(job.id))
    assert (first.code, first.parameters) == (KeyRefused.code, {"why": "weak"})
    assert jobs.has("5e3")


def test_what_is_withheld_with_an_account_comes_back_with_it_on_both_databases(store: Store) -> None:
    serials = [format((1 << 140) + number, "x") for number in range(4)]
    for number, serial in enumerate(serials):
        assert _intend(store, serial, key=f"k{number}", subject="b" if number == 3 else "a")
    assert store.worth_something("a", at=NOW) == serials[:3]
    assert store.holders(after="", at=NOW, limit=9) == ["a", "b"]
    assert store.holders(after="a", at=NOW, limit=1) == ["b"]

    def suspend(serial: str, together: Together | None) -> None:
        why, on_hold = Reason.UNSPECIFIED, Standing.SUSPENDED
        store.withdraw(serial, standing=on_hold, reason=why, at=NOW, note=_note(), together=together)

    suspend(serials[0], withhold("a", serials[0]))
    suspend(serials[1], None)
    assert store.withheld("a") == serials[:1]
    # Said twice is said once, and what is not suspended is not written down.
    store.take_over("a", serials)
    store.take_over("a", serials)
    assert store.withheld("a") == serials[:2]
    assert store.worth_something("a", at=NOW) == serials[2:3]
    store.release(serials[0], at=NOW, note=_note())
    assert store.withheld("a") == serials[1:2]
    store.keep("a")
    assert store.withheld("a") == []
