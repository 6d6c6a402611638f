# SPDX-License-Identifier: Apache-2.0
"""What is over goes away, a little at a time, and never in the way of the news."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from audit import Event
from core.errors import Unavailable
from sso.models import Interaction, Session
from sso.service import Housekeeping
from sso.store.tables import BARRED
from tests.fakes.log_site import wait_for
from tests.fakes.sso_directory import LI
from tests.sso.conftest import World


def test_housekeeping_removes_what_nobody_can_use(world: World) -> None:
    browser = world.browser()
    browser.log_in("tax")
    browser.authorize("tax", prompt="login")
    world.clock.advance(timedelta(days=3))
    world.service.housekeeping.batch()
    world.clock.advance(timedelta(days=3))
    world.service.housekeeping.batch()
    assert world.drain().count("sso.session.ended") == 1
    at = int(world.clock.now().timestamp())
    assert world.store.purge(at, lambda session: pytest.fail(session.sid)) == 0


def test_housekeeping_keeps_up_with_a_flood_of_finished_logins(world: World) -> None:
    at = int(world.clock.now().timestamp())
    for number in range(450):
        world.store.interactions.spend(
            Interaction(id=str(number), browser="", request=None, begun_as="", agreed_as="", expires_at=at + 900)
        )
    world.clock.advance(timedelta(hours=1))
    assert [world.service.housekeeping.batch() for _ in range(3)] == [True, True, False]
    assert world.store.purge(at + 3600, lambda session: pytest.fail(session.sid)) == 0
    assert not world.store.interactions.spent("449")


def test_what_was_released_long_ago_is_forgotten_and_what_is_barred_never(world: World) -> None:
    world.hear("directory.person.disabled", subject=LI)
    world.hear("directory.person.enabled", subject=LI)
    world.hear("ca.certificate.revoked", object_="1a")
    world.clock.advance(timedelta(days=2))
    world.service.housekeeping.batch()
    with world.database.reading() as connection:
        assert list(connection.execute(select(BARRED.c.id)).scalars()) == ["1a"]


def test_a_heartbeat_waits_for_nobody_who_writes(world: World) -> None:
    world.browser().log_in("tax")
    world.clock.advance(timedelta(days=3))
    with world.database.transaction():
        world.service.news.hear([])


def test_the_thread_goes_on_after_an_outage(world: World) -> None:
    spent = Interaction(id="i", browser="", request=None, begun_as="", agreed_as="", expires_at=1)
    world.store.interactions.spend(spent)
    real, troubles = world.store.purge, [ZeroDivisionError(), Unavailable()]

    def failing(at: int, ended: Callable[[Session], Event]) -> int:
        if troubles:
            raise troubles.pop()
        return real(at, ended)

    world.store.purge = failing  # type: ignore[method-assign]  # one thing of a good default is overridden
    made = Housekeeping(
        store=world.store,
        records=world.service.housekeeping._records,
        clock=world.clock,
        nudge=lambda: None,
        interval=0.001,
    )
    made.start()
    wait_for(lambda: not world.store.interactions.spent("i"))
    made.stop()
    assert not troubles
