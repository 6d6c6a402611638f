# SPDX-License-Identifier: Apache-2.0
"""On PostgreSQL two transactions run side by side: an organisation still ends with one seal, and everybody is told."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from core.db import Database, migrate
from core.errors import TallygateError
from signatures.errors import SealChanged
from signatures.models import Seal
from signatures.sandbox import ReaderPool
from signatures.service import Sealing
from signatures.store import Store
from tests.fakes import postgres
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.flows.city import until
from tests.signatures.fakes import TestAuthority, encode, sealing
from tests.signatures.pki import City

MIGRATIONS = Path(__file__).parents[2] / "signatures" / "migrations"
OFFICE = "tax-bureau"


@dataclass(frozen=True)
class Role:
    sealing: Sealing
    store: Store
    database: Database
    keys: Path


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    with postgres.server() as folder:
        yield folder


@pytest.fixture(params=["postgresql", "sqlite"])
def role(
    request: pytest.FixtureRequest, server: Path, tmp_path: Path, city: City, readers: ReaderPool
) -> Iterator[Role]:
    urls = {"postgresql": f"postgresql+psycopg://postgres@/postgres?host={server}", "sqlite": f"sqlite:///{tmp_path}/s"}
    database = Database.open(urls[request.param])
    if request.param == "postgresql":
        with database.transaction() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
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


def _waiting(database: Database) -> int:
    """Transactions that wait for another one's lock."""
    with database.reading() as connection:
        query = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return int(connection.execute(query).scalar_one())
