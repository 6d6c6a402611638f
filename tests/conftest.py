# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: what hypothesis tries is the same in each run, and no machine is too slow for it.

Runs with a seed of their own (scripts/soak) try something else each time.
"""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import once
from tests.fakes import postgres
from tests.fakes.places import roomy

# Where each test gets its folder, which goes with it if it passed (pyproject.toml).
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(roomy(2 << 30)))
settings.register_profile(
    "tallygate",
    deadline=None,
    derandomize="TALLYGATE_SEED" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tallygate")
once.install()
# Until all is found, hardly anything is thrown away.
gc.set_threshold(200_000, 50, 50)


def pytest_collection_finish() -> None:
    """What was loaded stays to the end: nobody need look through all of it again for what can be thrown away."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Path]:
    """One PostgreSQL for everything of this process that needs a database of its own and no more."""
    with postgres.server() as folder:
        yield folder
