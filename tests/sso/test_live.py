# SPDX-License-Identifier: Apache-2.0
"""Sign-on on a real log: what others take away bites within a second, and a silent log stops every grant."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from audit import Entry, Event, Outcome, new_key
from audit.client import Follower
from audit.client.follower import PATIENCE
from audit.relay import Relay
from core.clock import SystemClock
from tests.fakes.log_site import LogSite, wait_for
from tests.fakes.sso_directory import WANG
from tests.sso.conftest import World, answered, make_world


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogSite]:
    made = LogSite(tmp_path).create()
    yield made
    made.close()


@contextmanager
def joined(tmp_path: Path, log: LogSite) -> Iterator[World]:
    """Sign-on with its recorder, relay and follower, as the wiring joins them."""
    recorder, follower, relay = log.recorder(), list[Follower](), list[Relay]()
    world = make_world(
        tmp_path,
        clock=SystemClock(),
        recorder=recorder,
        fresh=lambda: follower[0].check(),  # noqa: PLW0108 - made below
        nudge=lambda: relay[0].nudge(),  # noqa: PLW0108 - made below
    )
    relay.append(Relay(world.store.outbox, recorder, source="sso", clock=SystemClock(), lock=tmp_path / "relay.lock"))
    news = world.service.news
    follower.append(Follower(log.feed("sso"), start=news.start, hear=news.hear, clock=SystemClock(), patience=PATIENCE))
    relay[0].start()
    follower[0].start()
    try:
        wait_for(lambda: _fresh(follower[0]))
        yield world
    finally:
        follower[0].stop()
        relay[0].stop()
        recorder.close()
        world.database.close()


def test_a_suspension_recorded_elsewhere_ends_the_session_within_a_second(tmp_path: Path, log: LogSite) -> None:
    with log.served() as served, joined(tmp_path, log) as world:
        browser = world.browser()
        page = browser.follow(browser.authorize("gateway"))
        said = answered(browser.back(browser.card(page, f"card 1a2b {WANG}")))
        token = world.redeem("gateway", said["code"]).get_json()["access_token"]
        assert world.bearer(token).status_code == 200
        authority = log.recorder("ca")
        began = time.monotonic()
        authority.record(
            Event(
                key=new_key(),
                type="ca.certificate.suspended",
                outcome=Outcome.SUCCESS,
                at=SystemClock().now(),
                source="ca",
                subject=WANG,
                object="1a2b",
                attributes={"issuer": "people"},
            )
        )
        wait_for(lambda: world.bearer(token).status_code == 401, seconds=20)
        assert time.monotonic() - began < 5.0  # a fraction of a second on a quiet machine
        assert browser.get("/account").status_code == 303
        authority.close()
        wait_for(lambda: world.store.outbox.head() == [])
        assert served.failure is None
    recorded = [entry.event.type for entry in _entries(log)]
    assert recorded.count("sso.session.ended") == 1
    assert recorded.index("ca.certificate.suspended") < recorded.index("sso.session.ended")
    for kind in ("sso.login", "sso.code.intended", "sso.code.issued", "sso.token.intended", "sso.token.issued"):
        assert kind in recorded


def test_when_the_log_stops_nothing_is_granted_and_when_it_returns_all_works(tmp_path: Path, log: LogSite) -> None:
    with ExitStack() as ending, ExitStack() as serving:
        serving.enter_context(log.served())
        world = ending.enter_context(joined(tmp_path, log))
        browser, stranger = world.browser(), world.browser()
        code = browser.log_in("gateway")["code"]
        page = stranger.follow(stranger.authorize("gateway"))
        serving.close()
        assert stranger.fill_in(page).status_code == 503
        assert world.redeem("gateway", code).status_code == 503
        # Taking away needs nobody: the session ends here at once, and the log learns of it later.
        account = browser.get("/account")
        assert browser.post("/account/sessions/end-all", account).status_code == 303
        assert browser.get("/account").status_code == 303
        serving.enter_context(log.served())
        wait_for(lambda: stranger.fill_in(page).status_code == 303)
        wait_for(lambda: world.store.outbox.head() == [])
    assert "sso.session.ended" in [entry.event.type for entry in _entries(log)]


def _entries(log: LogSite) -> list[Entry]:
    reader = log.reader()
    return reader.entries(0, reader.size())


def _fresh(follower: Follower) -> bool:
    try:
        follower.check()
    except Exception:  # noqa: BLE001 - the only question is whether
        return False
    return True
