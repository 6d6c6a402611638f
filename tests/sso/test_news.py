# SPDX-License-Identifier: Apache-2.0
"""Workers share tables, not policies: each hears every release itself, whatever another heard already."""

import pytest

from audit import Entry, Event, Outcome
from sso.service.news import News
from tests.fakes.sso_directory import LI

from .conftest import World


def _entry(world: World, kind: str, index: int, *, object_: str = "", issuer: str = "people") -> Entry:
    event = Event(
        key=f"{index:032}",
        type=kind,
        outcome=Outcome.SUCCESS,
        at=world.clock.now(),
        source="directory",
        subject="" if object_ else LI,
        object=object_,
        attributes={"issuer": issuer} if object_ else {},
    )
    return Entry(index=index, event=event)


def _worker(world: World) -> tuple[News, list[int]]:
    loads: list[int] = []
    news = News(
        store=world.store,
        records=world.service.news._records,
        clock=world.clock,
        nudge=lambda: None,
        reload_policies=lambda: loads.append(1),
        recoveries=world.service.recoveries,
    )
    return news, loads


def test_a_release_heard_by_one_worker_is_heard_by_one_whose_line_was_broken(world: World) -> None:
    (quick, _), (slow, loads) = _worker(world), _worker(world)
    for worker in (quick, slow):
        worker.start()
    released = _entry(world, "policy.released", 5)
    quick.hear([released, _entry(world, "directory.person.disabled", 6)])
    assert world.store.news.position() == 7
    before = len(loads)
    assert slow.start() <= 5
    slow.hear([released])
    assert len(loads) == before + 1


def test_a_release_between_reading_the_bundle_and_the_first_word_is_not_missed(world: World) -> None:
    quick, _ = _worker(world)
    late, loads = _worker(world)
    quick.start()
    quick.hear([_entry(world, "policy.released", 5)])
    assert late.start() == 6
    assert loads


def test_a_worker_that_hears_late_bars_nobody_again_and_ends_nothing(world: World) -> None:
    (quick, _), (slow, _) = _worker(world), _worker(world)
    disabled = _entry(world, "directory.person.disabled", 5)
    enabled = _entry(world, "directory.person.enabled", 6)
    quick.hear([disabled])
    quick.hear([enabled])
    browser = world.browser()
    browser.log_in()
    slow.hear([disabled])
    assert not world.store.news.barred(subject=LI, certificate="")
    assert browser.get("/account").status_code == 200
    slow.hear([enabled])
    assert browser.get("/account").status_code == 200


def test_the_newest_news_about_a_card_win_in_whatever_order_workers_hear_them(world: World) -> None:
    (quick, _), (slow, _) = _worker(world), _worker(world)
    suspended, released, revoked = (
        _entry(world, f"ca.certificate.{kind}", index, object_="1a")
        for index, kind in enumerate(("suspended", "released", "revoked"), 5)
    )
    for entry in (suspended, released, revoked):
        quick.hear([entry])
    for entry in (suspended, released):
        slow.hear([entry])
        assert world.store.news.barred(subject=LI, certificate="1a")
    slow.hear([revoked, revoked])
    assert world.store.news.barred(subject=LI, certificate="1a")


@pytest.mark.parametrize(
    ("issuer", "bites"), [("people", True), ("people-2", True), ("people-ml-dsa", True), ("devices-2", False)]
)
def test_a_card_of_any_generation_is_barred_when_it_is_revoked(world: World, issuer: str, *, bites: bool) -> None:
    news, _ = _worker(world)
    news.hear([_entry(world, "ca.certificate.revoked", 5, object_="1b", issuer=issuer)])
    assert bool(world.store.news.barred(subject=LI, certificate="1b")) is bites
