# SPDX-License-Identifier: Apache-2.0
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, func, insert, literal, select, text
from sqlalchemy.exc import IntegrityError

from core.db import Database, DatabaseUnavailable, Outbox, OutboxFull, Unkeepable, migrate

metadata = MetaData()
things = Table("things", metadata, Column("id", Integer, primary_key=True))
outbox = Outbox(metadata, capacity=3)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/t.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = Database.open(url)
    with opened.transaction() as connection:
        metadata.create_all(connection)
    yield opened
    with opened.transaction() as connection:
        metadata.drop_all(connection)
    opened.close()


def _count(database: Database) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(things)).scalar_one()


def test_leaving_commits_and_raising_rolls_back(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(insert(things).values(id=1))
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:  # noqa: PT012 - the block is the act
        connection.execute(insert(things).values(id=2))
        raise ZeroDivisionError
    assert _count(database) == 1


def test_all_tables_are_told(database: Database) -> None:
    assert {"things", "outbox"} <= set(database.tables())
    with database.transaction() as connection:
        metadata.drop_all(connection)
    assert database.tables() == []


def test_what_was_deleted_is_wiped_once_nobody_reads_the_old_rows(tmp_path: Path) -> None:
    database, secret = Database.open(f"sqlite:///{tmp_path}/t.db"), b"the key to somebody's will"

    def lies() -> bool:
        return any(secret in path.read_bytes() for path in tmp_path.glob("t.db*"))

    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE kept (secret BLOB)")
        connection.exec_driver_sql("INSERT INTO kept VALUES (?)", (secret,))
    with database.reading() as reader:
        assert reader.exec_driver_sql("SELECT secret FROM kept").scalar_one() == secret
        with database.transaction() as connection:
            connection.exec_driver_sql("DELETE FROM kept")
        # The reader goes on undisturbed, and so does whoever wipes.
        assert (database.wipe(), lies()) == (False, True)
        assert reader.exec_driver_sql("SELECT secret FROM kept").scalar_one() == secret
    assert (database.wipe(), lies()) == (True, False)
    with database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO kept VALUES ('as before')")
    database.close()


def test_only_a_database_in_a_file_is_wiped(database: Database) -> None:
    assert database.wipe() is (database.engine.dialect.name == "sqlite")


def test_reading_never_writes(database: Database) -> None:
    with database.reading() as connection:
        connection.execute(insert(things).values(id=1))
    assert _count(database) == 0


def test_many_writers_lose_nothing(database: Database) -> None:
    def write(start: int) -> None:
        for i in range(20):
            with database.transaction() as connection:
                connection.execute(insert(things).values(id=start + i))

    threads = [threading.Thread(target=write, args=(n * 100,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _count(database) == 80


def test_the_outbox_keeps_order_and_goes_with_its_transaction(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:  # noqa: PT012 - the block is the act
        outbox.put(connection, key="a", body=b"lost")
        raise ZeroDivisionError
    with database.transaction() as connection:
        outbox.put(connection, key="b", body=b"1")
        outbox.put(connection, key="c", body=b"2")
    with database.transaction() as connection:
        head = outbox.head(connection)
        assert [(row.key, row.body) for row in head] == [("b", b"1"), ("c", b"2")]
        outbox.drop(connection, [head[0].position])
    with database.reading() as connection:
        assert [row.key for row in outbox.head(connection)] == ["c"]


def test_a_full_outbox_refuses_the_verb(database: Database) -> None:
    with database.transaction() as connection:
        for key in "abc":
            outbox.put(connection, key=key, body=b"")
    with pytest.raises(OutboxFull), database.transaction() as connection:  # noqa: PT012 - the block is the act
        connection.execute(insert(things).values(id=1))
        outbox.put(connection, key="d", body=b"")
    assert _count(database) == 0


def test_sqlite_is_durable_and_strict(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/t.db")
    with database.reading() as connection:
        answers = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert answers == ["wal", 2, 1]
    database.close()


def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/absent/t.db", f"postgresql+psycopg://x@/x?host={tmp_path}"):
        database = Database.open(url)
        with pytest.raises(DatabaseUnavailable):
            database.check()
        database.close()


def test_a_component_migrates_its_own_history(database: Database, tmp_path: Path) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "0001_first.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\nrevision = '0001'\ndown_revision = None\n"
        "def upgrade():\n    op.create_table('made', sa.Column('id', sa.Integer, primary_key=True))\n"
        "def downgrade():\n    op.drop_table('made')\n"
    )
    migrate(database, tmp_path)
    migrate(database, tmp_path)
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO made VALUES (1)"))
        connection.execute(text("DROP TABLE made"))
        connection.execute(text("DROP TABLE alembic_version"))


def test_a_number_beyond_every_column_is_the_senders_mistake(database: Database) -> None:
    with pytest.raises(Unkeepable), database.transaction() as connection:
        connection.execute(insert(things).values(id=2**70))
    assert _count(database) == 0


def test_half_a_character_is_the_senders_mistake(database: Database) -> None:
    with pytest.raises(Unkeepable), database.reading() as connection:
        connection.execute(select(literal("\ud800")))


def test_errors_do_not_tell_what_was_to_be_stored(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(insert(things).values(id=4711))
    with pytest.raises(IntegrityError) as refused, database.transaction() as connection:
        connection.execute(text("INSERT INTO things (id) VALUES (:number)"), {"number": 4711})
    assert "hidden" in str(refused.value)
