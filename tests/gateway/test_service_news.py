# SPDX-License-Identifier: Apache-2.0
"""What the gateway asks the feed for is what it acts on, in every worker, whatever another worker heard already."""

import inspect
import re
from datetime import timedelta
from typing import Any

import pytest

from audit import Entry, Event, Outcome
from audit.events import KINDS
from core.db import DatabaseUnavailable
from gateway.service import News
from gateway.service.news import SESSION_MEMORY, SWEEP_EVERY
from gateway.store import Kind

from .conftest import SUBJECT, Gateway


def _entry(unit: Gateway, kind: str, *, index: int, **fields: Any) -> Entry:
    event = Event(key=f"{index:032}", type=kind, outcome=Outcome.SUCCESS, at=unit.clock.now(), source="sso", **fields)
    return Entry(index=index, event=event)


def _worker(unit: Gateway) -> tuple[News, list[int]]:
    """One more worker over the same tables, and how often it loaded policies."""
    loads: list[int] = []
    news = News(store=unit.store, people=unit.people, clock=unit.clock, reload_policies=lambda: loads.append(1))
    return news, loads


def test_every_event_it_acts_on_is_asked_for() -> None:
    acted_on = set(re.findall(r'"((?:ca|directory|policy|sso)\.[a-z.]+)"', inspect.getsource(News._effects)))
    assert acted_on
    assert acted_on <= set(KINDS)
    assert all(kind.startswith(News.about) for kind in {*acted_on, "policy.released", "directory.role.withdrawn"})


def test_its_own_decisions_are_not_asked_for() -> None:
    assert not "gateway.decision".startswith(News.about)
    assert all(any(kind.startswith(each) for kind in KINDS) for each in News.about)


def test_a_release_heard_by_one_worker_is_heard_by_one_whose_line_was_broken(unit: Gateway) -> None:
    (quick, _), (slow, loads) = _worker(unit), _worker(unit)
    for worker in (quick, slow):
        worker.start()
        worker.hear([])
    assert len(loads) == 1
    # Now only one of them has a line, and it moves the common place past the release.
    released = _entry(unit, "policy.released", index=5, object="8")
    ended = _entry(unit, "sso.session.ended", index=6, session="sid-9")
    quick.hear([released])
    quick.hear([ended])
    assert unit.store.next_entry() == 7
    assert slow.start() <= 5
    slow.hear([released, ended])
    assert len(loads) == 2


def test_a_release_between_reading_the_bundle_and_the_first_word_is_not_missed(unit: Gateway) -> None:
    quick, _ = _worker(unit)
    late, loads = _worker(unit)
    quick.start()
    quick.hear([_entry(unit, "policy.released", index=5), _entry(unit, "sso.session.ended", index=6, session="s")])
    assert late.start() == 7
    assert loads
    assert not late.policies_pending


def test_what_was_given_back_while_the_line_was_broken_is_given_back_here_too(unit: Gateway) -> None:
    (quick, _), (slow, _) = _worker(unit), _worker(unit)
    disabled = _entry(unit, "directory.person.disabled", index=1, subject=SUBJECT)
    enabled = _entry(unit, "directory.person.enabled", index=2, subject=SUBJECT)
    for worker in (quick, slow):
        worker.start()
        worker.hear([disabled])
    quick.hear([enabled])
    assert slow.taken((Kind.SUBJECT, SUBJECT))
    assert slow.start() == 2
    slow.hear([enabled])
    assert not slow.taken((Kind.SUBJECT, SUBJECT))


def test_what_the_table_could_not_take_bites_and_is_heard_again(unit: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise DatabaseUnavailable

    news, _ = _worker(unit)
    news.start()
    disabled = _entry(unit, "directory.person.disabled", index=3, subject=SUBJECT)
    with monkeypatch.context() as broken:
        broken.setattr(unit.store, "apply", refuse)
        with pytest.raises(DatabaseUnavailable):
            news.hear([disabled])
    assert news.taken((Kind.SUBJECT, SUBJECT))
    assert news.start() <= 3
    news.hear([disabled])
    assert (Kind.SUBJECT, SUBJECT) in unit.store.revoked()


def test_memory_does_not_grow_with_every_logout(unit: Gateway) -> None:
    news, _ = _worker(unit)
    news.start()
    news.hear([_entry(unit, "sso.session.ended", index=i, session=f"sid-{i}") for i in range(50)])
    news.hear([_entry(unit, "directory.person.disabled", index=50, subject=SUBJECT)])
    assert news.taken((Kind.SESSION, "sid-7"))
    unit.clock.advance(SESSION_MEMORY + timedelta(seconds=SWEEP_EVERY))
    news.hear([])
    assert len(news._revoked) == 1
    assert news.taken((Kind.SUBJECT, SUBJECT))
