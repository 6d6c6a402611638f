# SPDX-License-Identifier: Apache-2.0
"""On PostgreSQL both workers hear the same news at once: one applies them, and the other undoes nothing."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from core.db import Database
from gateway.models import Session
from gateway.store import Effect, Kind, Note, SessionRevoked, Store
from tests.fakes import postgres

_MIGRATIONS = Path(__file__).parents[2] / "gateway" / "migrations"
_GONE = Effect(kind=Kind.SUBJECT, value="somebody")


@pytest.fixture(scope="module")
def database(postgres_server: Path) -> Iterator[Database]:
    opened = Database.open(postgres.migrated(postgres_server, _MIGRATIONS))
    yield opened
    opened.close()


@pytest.mark.parametrize(("heard", "late", "stands"), [(7, 5, {}), (7, 9, {(Kind.SUBJECT, "somebody"): None})])
def test_a_worker_that_hears_while_another_applies_goes_on_from_there(
    database: Database, heard: int, late: int, stands: dict[tuple[Kind, str], None]
) -> None:
    with database.transaction() as connection:
        connection.execute(text("TRUNCATE cursor, revoked"))
    slower, went_wrong = Store(database), list[BaseException]()

    def hear() -> None:
        try:
            slower.apply([_GONE], next_entry=late)
        except BaseException as error:  # noqa: BLE001 - told to the test
            went_wrong.append(error)

    other = threading.Thread(target=hear)
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO cursor VALUES (1, :next)"), {"next": heard})
        other.start()
        # It waits for this one, or has not come so far yet: the end is the same.
        other.join(0.5)
    other.join(20)
    assert (went_wrong, slower.revoked(), slower.next_entry()) == ([], stands, max(heard, late))


def test_a_log_of_thousands_of_millions_is_followed_on(database: Database) -> None:
    """One busy month; a number of 32 bits would have ended the following, and with it every access."""
    with database.transaction() as connection:
        connection.execute(text("TRUNCATE cursor, revoked"))
    store = Store(database)
    for place in (1 << 31, 1 << 40):
        store.apply([_GONE], next_entry=place)
        assert (store.next_entry(), store.revoked()) == (place, {(Kind.SUBJECT, "somebody"): None})


def test_sessions_and_revocations_go_on_after_january_2038(database: Database) -> None:
    """What ends when a certificate does reaches there today."""
    with database.transaction() as connection:
        connection.execute(text("TRUNCATE cursor, revoked, sessions, openings"))
    store, at = Store(database), datetime(2041, 5, 4, 3, 2, 1, tzinfo=UTC)
    session = Session(
        digest="d", session="s", subject="p", acr=2, methods=("pwd",), host="tax.city.localhost",
        listener="external", opened=at, seen=at, id_token="t",
    )  # fmt: skip
    store.begin_opening(Note(key="i", body=b"{}"), at=at)
    store.open_session(session, intent="i", outcome=Note(key="o", body=b"{}"))
    later = at.replace(year=2042)
    store.touch({"d": later})
    found = store.session("d")
    assert found is not None
    assert (found.opened, found.seen) == (at, later)
    store.apply([Effect(kind=Kind.CERTIFICATE, value="serial", until=later)], next_entry=1)
    assert store.revoked() == {(Kind.CERTIFICATE, "serial"): later}


def test_nobody_opens_a_session_beside_the_worker_that_takes_them_away(database: Database) -> None:
    """Its own statements see nothing of another's session before that is committed, nor the other of its."""
    with database.transaction() as connection:
        connection.execute(text("TRUNCATE cursor, revoked, sessions, openings"))
        connection.execute(text("INSERT INTO cursor VALUES (1, 5)"))
    store, at, told = Store(database), datetime(2026, 11, 30, tzinfo=UTC), list[object]()
    session = Session(
        digest="d", session="s", subject="somebody", acr=2, methods=("pwd",), host="tax.city.localhost",
        listener="external", opened=at, seen=at, id_token="t",
    )  # fmt: skip
    store.begin_opening(Note(key="i", body=b"{}"), at=at)

    def open_session() -> None:
        try:
            store.open_session(session, intent="i", outcome=Note(key="beside", body=b"{}"))
            told.append("opened")
        except BaseException as error:  # noqa: BLE001 - told to the test
            told.append(type(error))

    other = threading.Thread(target=open_session)
    with database.transaction() as connection:
        connection.execute(text("SELECT next FROM cursor WHERE id = 1 FOR UPDATE"))
        connection.execute(text("INSERT INTO revoked (kind, value) VALUES ('subject', 'somebody')"))
        connection.execute(text("DELETE FROM sessions WHERE subject = 'somebody'"))
        other.start()
        # It waits for this one, or has not come so far yet: the end is the same.
        other.join(0.5)
    other.join(20)
    assert (told, store.session("d")) == ([SessionRevoked], None)
