# SPDX-License-Identifier: Apache-2.0
"""On PostgreSQL two transactions run side by side: what happens once in a file happens once there too."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from audit import Event, Outcome
from core.db import Database, migrate, move_in, moving
from core.errors import TallygateError
from signatures.agencies import AgencyStore, Batch, BatchState, Doing, KeyInUse, Program, QuotaExceeded
from signatures.errors import SealChanged
from signatures.holds import Algorithm, HeldKey
from signatures.models import Seal
from signatures.remote import Consent, ConsentUsed, Credential, EnrolledAlready, RemoteStore
from signatures.remote.store import MIGRATIONS as REMOTE
from signatures.sandbox import ReaderPool
from signatures.service import Sealing
from signatures.shelf import Facts, Limits, Shelf, ShelfFull
from signatures.shelf.store import ShelfStore
from signatures.store import Store
from tests.fakes import postgres
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.flows.city import until
from tests.signatures.fakes import TestAuthority, encode, sealing
from tests.signatures.pki import NOW, City

MIGRATIONS = Path(__file__).parents[2] / "signatures" / "migrations"
OFFICE = "tax-bureau"


@dataclass(frozen=True)
class Role:
    sealing: Sealing
    store: Store
    database: Database
    keys: Path


@pytest.fixture(params=["postgresql", "sqlite"])
def role(request: pytest.FixtureRequest, tmp_path: Path, city: City, readers: ReaderPool) -> Iterator[Role]:
    url = f"sqlite:///{tmp_path}/s"
    if request.param == "postgresql":
        url = postgres.migrated(request.getfixturevalue("postgres_server"), MIGRATIONS)
    database = Database.open(url)
    migrate(database, MIGRATIONS)
    store = Store(database, encode=encode)
    granting = sealing(
        store=store,
        readers=readers,
        folder=tmp_path / "keys",
        authority=TestAuthority(city),
        recorder=ListRecorder(),
        clock=ManualClock(),
    )
    yield Role(granting, store, database, tmp_path / "keys")
    database.close()


def together(*acts: Callable[[], Seal]) -> list[Seal | TallygateError]:
    """What each of them ended with, begun side by side."""
    ended: list[Seal | TallygateError] = []

    def run(act: Callable[[], Seal]) -> None:
        try:
            ended.append(act())
        except TallygateError as error:
            ended.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended


def meet(role: Role) -> None:
    """Let nobody write a seal before both have decided what it replaces."""
    barrier = threading.Barrier(2)
    issue = role.sealing._authority.issue

    def issued(request: object) -> object:
        made = issue(request)  # type: ignore[arg-type]  # passed through
        barrier.wait(20)
        return made

    role.sealing._authority.issue = issued  # type: ignore[method-assign,assignment]  # the same verb, later


def test_of_two_renewals_at_once_one_wins_and_the_other_is_told(role: Role) -> None:
    first = role.sealing.establish(OFFICE)
    meet(role)
    ended = together(*[lambda: role.sealing.establish(OFFICE, renew=True)] * 2)
    (lost,) = [error for error in ended if isinstance(error, TallygateError)]
    (won,) = [seal for seal in ended if isinstance(seal, Seal)]
    assert isinstance(lost, SealChanged)
    assert won.serial != first.serial
    assert role.store.seal_of(OFFICE) == won
    # Nobody holds a key for the certificate that was issued for nothing.
    assert {f"file:{path.stem}" for path in role.keys.iterdir()} == {first.key, won.key}


def test_two_first_seals_at_once_are_one_seal(role: Role) -> None:
    meet(role)
    ended = together(*[lambda: role.sealing.establish(OFFICE)] * 2)
    assert ended == [role.store.seal_of(OFFICE)] * 2
    assert [f"file:{path.stem}" for path in role.keys.iterdir()] == [role.store.seal_of(OFFICE).key]


@pytest.mark.parametrize("role", ["postgresql"], indirect=True)
def test_who_comes_while_the_other_is_about_to_commit_waits_and_is_refused(role: Role) -> None:
    first = role.sealing.establish(OFFICE)
    meet(role)
    observer = Database.open(role.database.engine.url.render_as_string(hide_password=False))
    first_to_commit = threading.Lock()

    def hold(_: Connection) -> None:
        if first_to_commit.acquire(blocking=False):
            until(lambda: _waiting(observer) > 0)

    event.listen(role.database.engine, "commit", hold)
    ended = together(*[lambda: role.sealing.establish(OFFICE, renew=True)] * 2)
    observer.close()
    assert [type(one) for one in ended if not isinstance(one, Seal)] == [SealChanged]
    with role.database.reading() as connection:
        rows: dict[str, str] = {
            row.serial: row.state for row in connection.execute(text("SELECT serial, state FROM seals"))
        }
    assert rows == {first.serial: "retired", role.store.seal_of(OFFICE).serial: "active"}


def test_a_seal_that_was_replaced_cannot_be_replaced_again(role: Role) -> None:
    first = role.sealing.establish(OFFICE)
    second = role.sealing.establish(OFFICE, renew=True)
    for stale in (first, None):
        with pytest.raises(SealChanged):
            role.store.put_seal(replace(second, serial="1f"), instead_of=stale)
    assert role.store.seal_of(OFFICE) == second


@pytest.fixture
def parts(postgres_server: Path) -> Iterator[Callable[[str], Database]]:
    """Schemas of one database, as the role opens them; empty ones."""
    url, opened = postgres.database(postgres_server), list[Database]()

    def part(name: str) -> Database:
        opened.append(Database.open(url, connections=4, schema=name))
        return opened[-1]

    yield part
    for each in opened:
        each.close()


def at_once(times: int, act: Callable[[int], object]) -> list[object]:
    """What each of them ended with, begun side by side."""
    ended: list[object] = []

    def run(number: int) -> None:
        try:
            ended.append(act(number))
        except TallygateError as error:
            ended.append(type(error))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended


def a_batch() -> Batch:
    return Batch(
        id="b" * 32, owner="client:a", organisation=OFFICE, assurance=0, zone="internal", state=BatchState.OPEN,
        made_at=NOW,
    )  # fmt: skip


def test_what_agencies_asked_for_is_counted_and_numbered_once_however_many_write(
    parts: Callable[[str], Database],
) -> None:
    stores = [AgencyStore.over(parts("agencies")) for _ in range(2)]
    program = Program(
        client="a", organisation=OFFICE, doings=frozenset(Doing), per_minute=5, per_day=5, until=NOW.date(), reason="r"
    )
    stores[0].let(program)
    used = at_once(8, lambda number: stores[number % 2].use(program, at=NOW).remaining)
    assert sorted(used, key=str) == [*range(5), *[QuotaExceeded] * 3]
    begun = at_once(
        6, lambda number: stores[number % 2].begin("client:a", "k", "d", claim=str(number), at=NOW, hold=60)
    )
    assert begun.count(KeyInUse) == 5
    stores[0].new_batch(a_batch())
    assert (
        at_once(
            8,
            lambda each: stores[each % 2].add(
                a_batch(), name=f"{each}.pdf", sha256="0" * 64, source=str(each), most=99
            ),
        )
        == [True] * 8
    )
    assert sorted(each.number for each in stores[1].listed(a_batch())) == [*range(1, 9)]
    moved = at_once(4, lambda number: stores[number % 2].move(a_batch(), BatchState.STARTING, started_at=NOW))
    assert sorted(map(bool, moved)) == [False, False, False, True]


def test_shelves_of_one_role_are_strangers_and_keep_within_their_bounds(
    parts: Callable[[str], Database], tmp_path: Path
) -> None:
    limits = Limits(most=3, most_bytes=1 << 20, most_bytes_of_all=1 << 20, lifetime=timedelta(days=1))
    facts = Facts(name="a.pdf", sha256="0" * 64)
    shelves = {
        name: Shelf(folder=tmp_path / name, store=ShelfStore.over(parts(name)), key=b"k" * 32, clock=ManualClock())
        for name in ("shelf", "archive_shelf")
    }
    kept = at_once(8, lambda _: shelves["shelf"].put("person:a", b"x", facts=facts, limits=limits))
    assert kept.count(ShelfFull) == 5
    (first, *_) = shelves["shelf"].of("person:a")
    assert shelves["shelf"].read("person:a", first.id) == b"x"
    assert shelves["archive_shelf"].of("person:a") == []


def test_a_confirmation_is_spent_once_and_a_person_has_one_certificate_at_a_time(
    parts: Callable[[str], Database],
) -> None:
    def opened() -> RemoteStore:
        return RemoteStore.over(parts("remote"), encode=encode, seal=lambda each: each, unseal=lambda each: each)

    stores = [opened(), opened()]
    consent = Consent(
        state="s", subject="p", browser="b", credential="c" * 32, documents=(), verifier="v", asked_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )  # fmt: skip
    stores[0].ask(consent)
    spent = at_once(6, lambda number: stores[number % 2].spend(consent, token=str(number), signings=()))
    assert sorted(map(str, spent)) == sorted(map(str, [None, *[ConsentUsed] * 5]))

    def certified(identifier: str, before: Credential | None) -> Credential:
        made = Credential(
            id=identifier, subject="p", serial=identifier, certificate="", chain="", hold="file", name="", name_zh="",
            key=HeldKey(name=identifier, algorithm=Algorithm.P256, public=b""), made_at=NOW,
        )  # fmt: skip
        told = Event(
            key=identifier * 32, type="signature.key.made", outcome=Outcome.SUCCESS, at=NOW, source="signatures"
        )
        stores[0].add_credential(made, told, instead_of=before)
        return made

    # The one that ended stays, beside the one that counts.
    first = certified("1", None)
    with pytest.raises(EnrolledAlready):
        certified("2", None)
    certified("3", first)
    assert stores[1].credential_of("p").id == "3"
    assert [each.key[0] for each in stores[1].outbox.head()] == ["1", "3"]


def test_what_an_earlier_release_kept_in_files_is_moved_in_once_and_nothing_of_it_is_lost(
    parts: Callable[[str], Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "remote.db"
    old = RemoteStore.open(file, encode=encode, seal=lambda each: each, unseal=lambda each: each)
    consent = Consent(
        state="s", subject="p", browser="b", credential="c" * 32, documents=(), verifier="v", asked_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )  # fmt: skip
    old.ask(consent)
    old.spend(consent, token="t", signings=())
    made = Credential(
        id="1", subject="p", serial="1", certificate="", chain="", hold="file", name="", name_zh="陈",
        key=HeldKey(name="k", algorithm=Algorithm.P256, public=b"\0\xff"), made_at=NOW,
    )  # fmt: skip

    def told(key: str) -> Event:
        return Event(key=key * 32, type="signature.key.made", outcome=Outcome.SUCCESS, at=NOW, source="signatures")

    old.add_credential(made, told("a"), instead_of=None)
    old.end_credential(made, told("b"))
    old.close()
    new = RemoteStore.over(parts("remote"), encode=encode, seal=lambda each: each, unseal=lambda each: each)

    class Died(BaseException):
        """The process is gone."""

    # It dies before the end of the copy, and once more after it: the file stays until its rows are there.
    with monkeypatch.context() as dying:
        dying.setattr(moving, "_copy", _dies(Died))
        with pytest.raises(Died):
            move_in(file, parts("remote"), REMOTE)
    assert (file.exists(), new.outbox.head()) == (True, [])
    with monkeypatch.context() as dying:
        dying.setattr(Path, "replace", _dies(Died))
        with pytest.raises(Died):
            move_in(file, parts("remote"), REMOTE)
    move_in(file, parts("remote"), REMOTE)
    assert (file.exists(), file.with_name("remote.db.moved").exists()) == (False, True)
    # A confirmation that was used stays used, and what was on its way to the log goes on, in its order.
    with pytest.raises(ConsentUsed):
        new.consent("s", subject="p", browser="b", at=NOW)
    assert [each.key[0] for each in new.outbox.head()] == ["a", "b"]
    new.add_credential(replace(made, id="2", serial="2"), told("c"), instead_of=None)
    assert new.credential_of("p") == replace(made, id="2", serial="2")
    assert [each.key[0] for each in new.outbox.head()] == ["a", "b", "c"]


def _dies(how: type[BaseException]) -> Callable[..., None]:
    def die(*_: object, **__: object) -> None:
        raise how

    return die


def _waiting(database: Database) -> int:
    """Transactions that wait for another one's lock."""
    with database.reading() as connection:
        query = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return int(connection.execute(query).scalar_one())
