# SPDX-License-Identifier: Apache-2.0
"""The shipped policies, a good question that tests override one thing of, and a bundle signed by a key of the test."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from policies.bundle import JOURNAL, read_source, release
from policies.config import SHIPPED
from policies.models import DecisionRequest
from policies.release import Release
from tests.fakes.recorder import ListRecorder

AT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)

Ask = Callable[..., DecisionRequest]


@pytest.fixture(scope="session")
def shipped_files() -> dict[str, bytes]:
    return read_source(SHIPPED)


@pytest.fixture(scope="session")
def shipped(shipped_files: dict[str, bytes]) -> Release:
    return Release(shipped_files, version="shipped")


@pytest.fixture(scope="session")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def recorder() -> ListRecorder:
    return ListRecorder()


@pytest.fixture
def bundle(tmp_path: Path, key: Ed25519PrivateKey, recorder: ListRecorder, shipped_files: dict[str, bytes]) -> Path:
    journal = tmp_path / JOURNAL
    release(tmp_path / "policies", shipped_files, key=key, journal=journal, recorder=recorder, at=AT, actor="maker")
    return tmp_path / "policies"


@pytest.fixture(scope="session")
def ask() -> Ask:
    """A citizen opening the tax portal from the external network, which is allowed."""
    good = DecisionRequest(
        principal_kind="person",
        subject="3f0c9d5e-0000-4000-8000-000000000001",
        roles=frozenset({"citizen"}),
        enabled=True,
        proofing=3,
        assurance=1,
        action="access",
        method="GET",
        resource="tax",
        resource_class="portal",
        classification=0,
        from_zone="external",
        to_zone="external",
        required_assurance=1,
        at=AT,
    )

    def change(**what: Any) -> DecisionRequest:
        return replace(good, **what)

    return change
