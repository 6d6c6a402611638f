# SPDX-License-Identifier: Apache-2.0
"""One founded authority per test; its site is born once and copied."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from ca import CASettings
from ca.ceremony import found
from ca.service import CertificateAuthority
from ca.store import Store
from tests.fakes.clock import ManualClock
from tests.fakes.people import SmallDirectory
from tests.fakes.recorder import ListRecorder

from .sites import Site, open_site, release_policies
from .tables import Table
from .world import Born, World, open_database, site_in


@pytest.fixture(scope="session")
def born(tmp_path_factory: pytest.TempPathFactory) -> Born:
    site = site_in(tmp_path_factory.mktemp("born") / "state")
    site.folder("ca").mkdir(parents=True, mode=0o700)
    database, recorder = open_database(site), ListRecorder()
    found(site=site, settings=CASettings(), database=database, recorder=recorder, clock=ManualClock())
    database.close()
    return Born(site.state, tuple(recorder.events))


@contextmanager
def founded(born: Born, folder: Path) -> Iterator[World]:
    """A copy of the founded site, five minutes later."""
    shutil.copytree(born.state, folder / "state")
    site = site_in(folder / "state")
    clock, recorder = ManualClock(), ListRecorder()
    recorder.events += born.events
    clock.advance(timedelta(minutes=5))
    database = open_database(site)
    yield World(
        site=site,
        clock=clock,
        recorder=recorder,
        database=database,
        store=Store(database),
        directory=SmallDirectory(),
    )
    database.close()


@pytest.fixture
def world(tmp_path: Path, born: Born) -> Iterator[World]:
    with founded(born, tmp_path) as made:
        yield made


@pytest.fixture
def authority(world: World) -> CertificateAuthority:
    return world.open()


@pytest.fixture
def released(world: World, tmp_path: Path) -> Path:
    """The shipped policies, in force."""
    return release_policies(world, tmp_path)


@pytest.fixture
def site(world: World, released: Path) -> Site:
    return open_site(world, released)


@pytest.fixture
def table(world: World, tmp_path: Path) -> Table:
    (tmp_path / "table").mkdir()
    return Table(world, tmp_path / "table")
