# SPDX-License-Identifier: Apache-2.0
"""A real slapd per test module, in a folder with a short name (a Unix socket's path is limited to 107 bytes).

The folders lie in memory where there is room: what a server syncs thousands of times need not outlive the machine. The
sample city is entered once per process, and every module that wants it goes on from a copy.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.sample import city
from directory.models import Person
from directory.service import DirectoryWriter
from tests.directory.world import World, short_folder


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Shared by the tests of a module."""
    with _world() as made:
        yield made


@pytest.fixture
def own_world() -> Iterator[World]:
    """One for a single test that breaks things."""
    with _world() as made:
        yield made


@pytest.fixture(scope="session")
def sample() -> Iterator[World]:
    """A stopped world with the sample city in it, to be copied."""
    folder = short_folder()
    made = World(folder)
    made.start()
    city.fill(made.writer(), city.build())
    made.stop()
    yield made
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def filled(world: World, sample: World) -> World:
    """The shared world with the sample city in it."""
    world.become(sample)
    return world


@pytest.fixture
def writer(filled: World) -> DirectoryWriter:
    """The writer of the sample city, with nothing recorded yet."""
    filled.clear()
    return filled.writer()


@pytest.fixture
def chen_wei(filled: World) -> Person:
    """The best known citizen."""
    return filled.directory("directory").person_by_username("chen.wei")


@pytest.fixture
def li_na(filled: World) -> Person:
    """A civil servant without an administrative role."""
    return filled.directory("directory").person_by_username("li.na")


@contextmanager
def _world() -> Iterator[World]:
    folder = short_folder()
    made = World(folder)
    made.start()
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)
