# SPDX-License-Identifier: Apache-2.0
"""A device in front of the role, as nginx hands its requests over."""

from pathlib import Path

import pytest

from tests.ca.est.client import Devices
from tests.ca.sites import open_site
from tests.ca.world import World


@pytest.fixture
def devices(world: World, released: Path) -> Devices:
    return Devices(open_site(world, released))
