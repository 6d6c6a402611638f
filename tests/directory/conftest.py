# SPDX-License-Identifier: Apache-2.0
"""A real slapd per test module, in a folder with a short name (a Unix socket's path is limited to 107 bytes)."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.directory.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tgd"))
    world = World(folder)
    world.start()
    yield world
    world.stop()
    shutil.rmtree(folder)


@pytest.fixture
def own_world() -> Iterator[World]:
    """One for a single test that breaks things."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tgd"))
    world = World(folder)
    world.start()
    yield world
    world.stop()
    shutil.rmtree(folder)
