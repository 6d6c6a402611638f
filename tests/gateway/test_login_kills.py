# SPDX-License-Identifier: Apache-2.0
"""A login that dies at any of its steps has one outcome in the end, and it is the true one; on a real log."""

import multiprocessing
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text

from audit import Event, Outcome, Wait
from audit.relay import Relay
from core.errors import TallygateError
from core.site import SiteSettings
from gateway.errors import BadLogin
from gateway.service.login import ABANDONED_AFTER
from tests.fakes.log_site import LogSite, event
from tests.fakes.recorder import ListRecorder
from tests.gateway.conftest import Gateway, make_site

STEPS = ("begin_opening", "record", "open_session")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    process = site.process()
    yield site
    process.kill()
    process.wait()
    site.close()


def _log_in(gateway: Gateway) -> str:
    """One login, from its beginning to its cookie."""
    host, listener = "tax.city.localhost", "external"
    begun, address = gateway.logins.begin(host=host, listener=listener, to="/", acr=0)
    asked = parse_qs(urlsplit(address).query)
    gateway.sign_on.id_token = gateway.signed_in(nonce=asked["nonce"][0])
    return gateway.logins.finish(
        begun, code="c", state=begun.state, issuer=gateway.site.origin("sso"), address="127.0.0.1", old_cookie=""
    )


def _gateway(site: SiteSettings, log: LogSite) -> Gateway:
    # The one constructor argument of the tests' gateway that is typed as the fake it mostly is.
    return Gateway(site, recorder=cast("ListRecorder", log.recorder("gateway")))


def _die(site: SiteSettings, log: LogSite, *, step: str, after: bool) -> None:
    """Log in, in a process that dies before or after one step."""

    def run() -> None:
        gateway = _gateway(site, log)
        target: Any = gateway.recorder if step == "record" else gateway.store
        act: Callable[..., Any] = getattr(target, step)

        def deadly(*arguments: Any, **options: Any) -> None:
            if after:
                act(*arguments, **options)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(target, step, deadly)
        _log_in(gateway)

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL


def _recover(site: SiteSettings, log: LogSite) -> int:
    """Start again, a while later, and deliver what waits; says how many sessions there are."""
    gateway = _gateway(site, log)
    gateway.clock.advance(ABANDONED_AFTER + timedelta(seconds=2))
    gateway.logins.replay()
    assert gateway.logins.replay() == 0
    lock = site.folder("gateway") / "relay.lock"
    Relay(gateway.store.outbox, gateway.recorder, source="gateway", clock=gateway.clock, lock=lock).drain()
    with gateway.database.reading() as connection:
        sessions = connection.exec_driver_sql("select count(*) from sessions").scalar_one()
        assert connection.exec_driver_sql("select count(*) from openings").scalar_one() == 0
    gateway.database.close()
    gateway.recorder.close()  # type: ignore[attr-defined]  # the real one has it
    return int(sessions)


def _openings(log: LogSite) -> dict[str, list[Outcome]]:
    found = defaultdict(list)
    # What came before this is published with it.
    recorder = log.recorder("sso")
    recorder.record(event(), wait=Wait.PUBLISHED)
    recorder.close()
    reader = log.reader()
    for entry in reader.entries(0, reader.checkpoint().size):
        if entry.event.type == "gateway.session.opened":
            found[entry.event.object].append(entry.event.outcome)
    return found


def test_wherever_a_login_dies_its_intent_has_one_true_outcome(folder: Path, log: LogSite) -> None:
    site = make_site(folder)
    opened = 0
    for step in STEPS:
        for after in (False, True):
            before = _openings(log)
            _die(site, log, step=step, after=after)
            now = _recover(site, log)
            new = {name: outcomes for name, outcomes in _openings(log).items() if name not in before}
            if (step, after) == ("begin_opening", False):
                assert not new
            elif (step, after) == ("open_session", True):
                assert list(new.values()) == [[Outcome.INTENDED, Outcome.SUCCESS]]
                assert now == opened + 1
            else:
                assert list(new.values()) == [[Outcome.INTENDED, Outcome.FAILURE]], (step, after)
                assert now == opened
            opened = now


def test_a_login_that_others_are_still_busy_with_is_left_alone(unit: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    record = unit.recorder.record
    seen: list[int] = []

    def meanwhile(said: Event, *, wait: Wait = Wait.SEQUENCED) -> Any:
        unit.clock.advance(ABANDONED_AFTER - timedelta(seconds=1))
        seen.append(unit.logins.replay())
        return record(said, wait=wait)

    monkeypatch.setattr(unit.recorder, "record", meanwhile)
    assert _log_in(unit)
    assert seen == [0]


def test_a_login_that_was_taken_for_dead_opens_nothing(unit: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    record = unit.recorder.record

    def too_slow(said: Event, *, wait: Wait = Wait.SEQUENCED) -> Any:
        receipt = record(said, wait=wait)
        unit.clock.advance(ABANDONED_AFTER + timedelta(seconds=2))
        assert unit.logins.replay() == 1
        return receipt

    monkeypatch.setattr(unit.recorder, "record", too_slow)
    with pytest.raises(BadLogin):
        _log_in(unit)
    assert len(unit.store.outbox.head()) == 2
    with unit.database.reading() as connection:
        assert connection.exec_driver_sql("select count(*) from sessions").scalar_one() == 0


def test_an_opening_that_fails_has_its_outcome_at_once(unit: Gateway) -> None:
    from tests.gateway.test_service_decision import hear  # noqa: PLC0415 - one helper

    hear(unit, "sso.session.ended", session="sid-1", subject="")
    with pytest.raises(BadLogin):
        _log_in(unit)
    assert len(unit.store.outbox.head()) == 2
    assert unit.logins.replay() == 0


def test_a_record_that_is_full_leaves_the_opening_for_later(unit: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    unit.recorder.down = True

    def full(*_notes: object) -> bool:
        raise TallygateError

    monkeypatch.setattr(unit.store, "end_opening", full)
    with pytest.raises(TallygateError):
        _log_in(unit)
    monkeypatch.undo()
    unit.clock.advance(ABANDONED_AFTER + timedelta(seconds=2))
    assert unit.logins.replay() == 1


def test_what_is_over_goes_from_the_tables_where_nobody_logs_in(unit: Gateway) -> None:
    """Programs show proofs of possession all day, and each is remembered."""
    until = int(unit.clock.now().timestamp()) + 70
    unit.open_session()
    assert unit.store.take_proof("one", until=until)
    unit.clock.advance(timedelta(seconds=61))
    unit.logins.replay()
    assert not unit.store.take_proof("one", until=until), "it could come again"
    unit.clock.advance(timedelta(hours=9))
    unit.logins.replay()
    with unit.database.reading() as connection:
        left = connection.execute(text("SELECT (SELECT count(*) FROM proofs) + (SELECT count(*) FROM sessions)"))
        assert left.scalar() == 0
