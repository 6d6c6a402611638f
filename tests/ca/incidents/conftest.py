# SPDX-License-Identifier: Apache-2.0
"""A site with two officers, on either database."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from ca.ceremony import MIGRATIONS
from ca.store import Store
from core.db import Database
from tests.ca.incidents.house import SECOND, TABLES, House
from tests.ca.sites import Site, open_acme, open_incidents
from tests.ca.world import World
from tests.fakes import postgres


@pytest.fixture(scope="session")
def server(postgres_server: Path) -> Iterator[Database]:
    opened = Database.open(postgres.migrated(postgres_server, MIGRATIONS))
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, world: World) -> World:
    """The world, its tables on SQLite or on PostgreSQL."""
    if request.param == "postgresql":
        database: Database = request.getfixturevalue("server")
        with database.transaction() as connection:
            for table in TABLES:
                connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - names of our own tables
        world = replace(world, database=database, store=Store(database))
    return world


@pytest.fixture
def house(either: World) -> House:
    either.directory.people[SECOND.subject] = SECOND
    authority = either.open()
    told: list[tuple[str, ...]] = []
    verbs, runner = open_incidents(
        either,
        authority,
        open_acme(either, authority),
        tell=lambda serials, explanation: told.append((*serials, explanation)),
    )
    return House(either, authority, verbs, runner, told)


@pytest.fixture
def desk(site: Site) -> Site:
    site.world.directory.people[SECOND.subject] = SECOND
    return site
