# SPDX-License-Identifier: Apache-2.0
"""Named limits: each kind with its count, its window and waits that double; every process counts with every other."""

from datetime import timedelta
from pathlib import Path

import pytest

from core.db import Database
from core.errors import TooMany
from sso.config import SSOSettings
from sso.service.limits import Limits, limits_of
from sso.store import Store
from tests.fakes.clock import ManualClock


def _refused(limits: Limits, **named: str) -> bool:
    try:
        limits.count(**named)
    except TooMany:
        return True
    return False


def test_two_workers_count_together_waits_double_and_are_forgotten(tmp_path: Path) -> None:
    clock, settings = ManualClock(), SSOSettings(registrations_free=4)
    databases = [Database.open(f"sqlite:///{tmp_path}/sso.db") for _ in range(2)]
    stores = [Store(each) for each in databases]
    stores[0].migrate()
    one, other = (Limits(store=store, settings=settings, clock=clock) for store in stores)
    network = {"registration__network": "192.0.2.0/24"}
    assert not any(_refused(limits, **network) for limits in (one, other, one, other, one))
    for seconds in (60, 120, 240):
        assert _refused(other, **network)
        clock.advance(timedelta(seconds=seconds - 1))
        assert _refused(one, **network)
        clock.advance(timedelta(seconds=1))
        assert not _refused(other, **network)
    # Neither another network nor another kind has to wait for it.
    assert not _refused(one, registration__network="198.51.100.0/24")
    assert not _refused(one, registration__token="192.0.2.0/24")
    # One closed door counts nothing at the others.
    assert _refused(one, registration__token="fresh", **network)
    clock.advance(timedelta(days=1))
    assert not any(_refused(one, **network) for _ in range(5))
    for database in databases:
        database.close()


def test_every_kind_ends_sometime_and_none_is_unknown() -> None:
    limits = limits_of(SSOSettings())
    assert all(limit.first <= limit.longest <= timedelta(days=1) for limit in limits.values())
    assert limits["user code, itself"].window == SSOSettings().device_lifetime
    with pytest.raises(KeyError):
        limits["nothing"]
