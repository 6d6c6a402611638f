# SPDX-License-Identifier: Apache-2.0
"""Wherever a process is killed while it ends an order, the order is finished or invalidated, and never twice."""

import multiprocessing
import os
import signal
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ca.acme.finalizing import LEASE
from ca.acme.models import Account, Order, OrderState
from ca.models import Standing, State
from ca.store import Store
from tests.ca.acme.client import HOST, member, request_for
from tests.ca.acme.conftest import Files
from tests.ca.acme.test_flow import prove
from tests.ca.sites import Site, open_acme
from tests.ca.world import World, open_database


def _ready(site: Site, files: Files) -> tuple[Account, Order]:
    client = member(site)
    made = client.order(HOST)
    prove(site, client, made, files)
    account = site.acme._store.accounts.account(client.kid.rsplit("/", 1)[1])
    order = site.acme._store.orders.order(made.headers["Location"].rsplit("/", 1)[1])
    assert account is not None
    assert order is not None
    return account, order


def _die(world: World, account: Account, order: Order, csr: bytes, *, step: tuple[str, str], after: bool) -> None:
    """Finalize in a process of its own that is killed before or after one step."""

    def run() -> None:
        own = open_database(world.site)
        mine = replace(world, database=own, store=Store(own))
        authority = mine.open()
        acme = open_acme(mine, authority)
        owners = {
            "orders": acme._store.orders,
            "store": mine.store,
            "signer": authority._signer,
            "recorder": mine.recorder,
        }
        owner, name = owners[step[0]], step[1]
        real = getattr(owner, name)

        def deadly(*arguments: Any, **options: Any) -> None:
            if after:
                real(*arguments, **options)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(owner, name, deadly)
        acme.finalizing.finalize(account, order, csr)

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    child.join(timeout=60)
    assert child.exitcode == -signal.SIGKILL


STEPS = [
    (("orders", "begin"), False, OrderState.READY),
    (("orders", "begin"), True, OrderState.VALID),
    (("store", "intend"), False, OrderState.VALID),
    # The process may have signed; nobody knows. The serial is never good, and the client orders again.
    (("store", "intend"), True, OrderState.INVALID),
    (("recorder", "record"), True, OrderState.INVALID),
    (("signer", "certificate"), True, OrderState.INVALID),
    (("store", "signed"), False, OrderState.INVALID),
    (("store", "signed"), True, OrderState.VALID),
    (("orders", "finish"), False, OrderState.VALID),
    (("orders", "finish"), True, OrderState.VALID),
]


@pytest.mark.parametrize(("step", "after", "ends"), STEPS)
def test_a_killed_finalization_is_ended(
    site: Site, files: Files, step: tuple[str, str], ends: OrderState, *, after: bool
) -> None:
    account, order = _ready(site, files)
    _die(site.world, account, order, request_for(HOST), step=step, after=after)
    for _ in range(2):
        site.acme.validation.work()
        site.world.clock.advance(LEASE + timedelta(seconds=1))
    site.acme.validation.work()
    found = site.acme._store.orders.order(order.id)
    assert found is not None
    assert found.state is ends
    made = site.world.store.certificates(subject=account.grant.subject)[0]
    good = [each for each in made if each.standing is Standing.GOOD]
    assert [each.serial for each in good] == ([found.serial] if ends is OrderState.VALID else [])
    if ends is OrderState.INVALID:
        assert [each.state for each in made] == [State.INTENDED]
        assert found.error is not None
    # Nothing is left to take up.
    assert site.acme.finalizing.resume() == 0
