# SPDX-License-Identifier: Apache-2.0
"""One public-key infrastructure and a few sealed documents, made once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from signatures.config import SignatureSettings
from signatures.sandbox import ReaderPool
from tests.signatures import documents
from tests.signatures.pki import City, Leaf


@pytest.fixture(scope="session")
def city() -> City:
    return City()


@pytest.fixture(scope="session")
def leaf(city: City) -> Leaf:
    return city.seal()


@pytest.fixture(scope="session")
def sealed(leaf: Leaf) -> bytes:
    return documents.sealed(documents.permit(), leaf)


@pytest.fixture(scope="session")
def readers() -> Iterator[ReaderPool]:
    # As patient as a busy machine needs.
    pool = ReaderPool(SignatureSettings(readers=1, reader_wall=timedelta(minutes=2)))
    yield pool
    pool.close()
