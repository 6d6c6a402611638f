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
from policies import BundleRefused

from .conftest import SUBJECT, Gateway


def _entry(unit: Gateway, kind: str, *, index: int, **fields: Any) -> Entry:
    said = {"outcome": Outcome.SUCCESS, **fields}
    event = Event(key=f"{index:032}", type=kind, at=unit.clock.now(), source="sso", **said)
    return Entry(index=index, event=event)


class _Folder:
    """Policies that lie in a folder, and how often they were loaded."""

    def __init__(self) -> None:
        self.sequence, self.lies_there, self.loads = 7, 7, 0
        self.refused = False

    def reload(self) -> None:
        self.loads += 1
        if self.refused:
            raise BundleRefused(why="its signature is not by the policy key")
        self.sequence = self.lies_there


def _worker(unit: Gateway) -> tuple[News, _Folder]:
    """One more worker over the same tables, with policies of its own."""
    folder = _Folder()
    return News(store=unit.store, people=unit.people, clock=unit.clock, policies=folder), folder


def _released(unit: Gateway, number: int, *, index: int) -> Entry:
    return _entry(unit, "policy.released", index=index, object=f"{number}-abc", attributes={"sequence": number})


def test_every_event_it_acts_on_is_asked_for() -> None:
    acted_on = set(re.findall(r'"((?:ca|directory|policy|sso)\.[a-z.]+)"', inspect.getsource(News._effects)))
    assert acted_on
    assert acted_on <= set(KINDS)
    assert all(kind.startswith(News.about) for kind in {*acted_on, "policy.released", "directory.role.withdrawn"})


def test_its_own_decisions_are_not_asked_for() -> None:
    assert not "gateway.decision".startswith(News.about)
    assert all(any(kind.startswith(each) for kind in KINDS) for each in News.about)


def test_a_release_heard_by_one_worker_is_heard_by_one_whose_line_was_broken(unit: Gateway) -> None:
    (quick, _), (slow, folder) = _worker(unit), _worker(unit)
    for worker in (quick, slow):
        worker.start()
        worker.hear([])
    assert folder.loads == 1
    # Now only one of them has a line, and it moves the common place past the release.
    released = _released(unit, 7, index=5)
    ended = _entry(unit, "sso.session.ended", index=6, session="sid-9")
    quick.hear([released])
    quick.hear([ended])
    assert unit.store.next_entry() == 7
    assert slow.start() <= 5
    slow.hear([released, ended])
    assert folder.loads == 2


def test_a_release_between_reading_the_bundle_and_the_first_word_is_not_missed(unit: Gateway) -> None:
    quick, _ = _worker(unit)
    late, folder = _worker(unit)
    quick.start()
    quick.hear([_released(unit, 7, index=5), _entry(unit, "sso.session.ended", index=6, session="s")])
    assert late.start() == 7
    assert folder.loads
    assert not late.policies_pending


def test_what_nobody_released_takes_no_effect_and_the_old_one_goes_on(unit: Gateway) -> None:
    """A forged, older or failing bundle in the folder: refused, and nobody is denied for it."""
    news, folder = _worker(unit)
    folder.refused = True
    news.start()
    assert not news.policies_pending
    # Somebody hears of a trial, and meets it there.
    news.hear([_entry(unit, "policy.tried", index=4, object="0-abc")])
    news.hear([_entry(unit, "policy.released", index=5, object="8-abc", attributes={}, outcome=Outcome.INTENDED)])
    news.hear([])
    assert (news.policies_pending, folder.sequence, folder.loads) == (False, 7, 2)


def test_what_the_record_announced_and_is_not_there_denies_until_it_is_also_after_a_restart(unit: Gateway) -> None:
    news, folder = _worker(unit)
    news.start()
    folder.refused = True
    news.hear([_released(unit, 8, index=5)])
    assert news.policies_pending
    # A worker that starts with the older bundle, which somebody put back, denies too.
    late, older = _worker(unit)
    assert late.start() == 6
    late.hear([])
    assert late.policies_pending
    older.lies_there = folder.lies_there = 8
    folder.refused = False
    for each in (news, late):
        each.hear([])
        assert not each.policies_pending
    # Put back from a copy, a site releases a lower number than it knew; that is what counts from then on.
    folder.lies_there = 6
    late.hear([_released(unit, 6, index=9)])
    again, copy = _worker(unit)
    copy.sequence = copy.lies_there = 6
    again.start()
    assert not again.policies_pending


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
