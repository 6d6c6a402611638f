# SPDX-License-Identifier: Apache-2.0
"""A real slapd per test module, in a folder with a short name (a Unix socket's path is limited to 107 bytes)."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.sample import city
from directory.models import Person
from directory.service import DirectoryWriter
from tests.directory.world import World


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


@pytest.fixture(scope="module")
def filled(world: World) -> World:
    """The shared world with the sample city in it."""
    city.fill(world.writer(), city.build())
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
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tgd"))
    made = World(folder)
    made.start()
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)
