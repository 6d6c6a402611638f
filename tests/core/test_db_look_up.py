# SPDX-License-Identifier: Apache-2.0
"""The short way to read: sees what is committed, keeps nothing open, and fails like the long way."""

from pathlib import Path

import pytest

from core.db import Database, DatabaseUnavailable


def test_it_sees_what_is_committed_and_nothing_else(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/one.db", connections=2)
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE things (name TEXT)")
    with database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO things VALUES ('a')")
        assert database.look_up("SELECT name FROM things WHERE name IN (?,?)", ["a", "b"]) == []
    for _ in range(5):
        assert database.look_up("SELECT name FROM things WHERE name IN (?,?)", ["a", "b"]) == [("a",)]
    database.close()


def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/missing/one.db")
    with pytest.raises(DatabaseUnavailable):
        database.look_up("SELECT 1", [])


def test_a_table_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/one.db")
    with pytest.raises(DatabaseUnavailable):
        database.look_up("SELECT name FROM things", [])
    database.close()
