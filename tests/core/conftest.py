# SPDX-License-Identifier: Apache-2.0
"""A database on a real PostgreSQL of our own."""

from pathlib import Path

import pytest

from tests.fakes import postgres


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Path) -> str:
    return postgres.database(postgres_server)
