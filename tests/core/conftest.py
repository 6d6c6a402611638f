# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL of our own."""

from collections.abc import Iterator

import pytest

from tests.fakes import postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres.server() as folder:
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
