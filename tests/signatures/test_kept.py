# SPDX-License-Identifier: Apache-2.0
"""What the authority said is asked for once, and never used after the record told of a change."""

from datetime import timedelta

import pytest

from audit import Entry, Event, FeedStale, Outcome, new_key
from core.errors import Unavailable
from signatures.service import Changes, Kept
from tests.fakes.clock import ManualClock

LATEST = -1


class Feed:
    """A follower in the test's hands."""

    def __init__(self) -> None:
        self.silent = False
        self.changes = Changes(latest=LATEST)
        self.clock = ManualClock()
        self.asked = 0
        self.answer = "good"
        self.meanwhile: list[str] = []
        self.kept: Kept[str, str] = Kept(self._ask, changes=self.changes, freshness=self, clock=self.clock)

    def check(self) -> None:
        if self.silent:
            raise FeedStale

    def begin(self) -> None:
        assert self.changes.start() == LATEST
        self.changes.hear([])

    def tell(self, kind: str) -> None:
        event = Event(key=new_key(), type=kind, outcome=Outcome.SUCCESS, at=self.clock.now(), source="ca")
        self.changes.hear([Entry(index=0, event=event)])

    def _ask(self, key: str) -> str:
        self.asked += 1
        answer = f"{key} {self.answer}"
        for kind in self.meanwhile:
            self.tell(kind)
        if self.answer == "down":
            raise Unavailable
        return answer


@pytest.fixture
def feed() -> Feed:
    made = Feed()
    made.begin()
    return made


def test_an_answer_is_asked_for_once_by_key(feed: Feed) -> None:
    assert [feed.kept("a"), feed.kept("a"), feed.kept("b"), feed.kept("a")] == ["a good", "a good", "b good", "a good"]
    assert feed.asked == 2


@pytest.mark.parametrize("kind", Changes.about)
def test_a_change_is_asked_about_at_once(feed: Feed, kind: str) -> None:
    assert feed.kept("a") == "a good"
    feed.answer = "revoked"
    feed.tell(kind)
    assert feed.kept("a") == "a revoked"


def test_news_of_something_else_and_heartbeats_change_nothing(feed: Feed) -> None:
    feed.kept("a")
    feed.tell("gateway.decision")
    feed.changes.hear([])
    feed.kept("a")
    assert feed.asked == 1


def test_what_changed_while_asking_is_asked_again(feed: Feed) -> None:
    """The list was on its way when the certificate was revoked."""
    feed.meanwhile = ["ca.certificate.revoked"]
    assert feed.kept("a") == "a good"
    feed.meanwhile, feed.answer = [], "revoked"
    assert feed.kept("a") == "a revoked"


def test_nothing_kept_is_used_while_the_log_is_silent(feed: Feed) -> None:
    feed.kept("a")
    feed.silent = True
    assert [feed.kept("a"), feed.kept("a")] == ["a good"] * 2
    assert feed.asked == 3
    feed.silent = False
    # What was asked for in silence was not kept either, and what was kept before may have changed.
    feed.begin()
    feed.kept("a")
    assert feed.asked == 4


def test_a_session_that_has_not_said_how_far_it_is_keeps_nothing() -> None:
    feed = Feed()
    assert feed.kept("a") == feed.kept("a") == "a good"
    feed.changes.start()
    feed.tell("ca.certificate.revoked")
    assert feed.kept("a") == "a good"
    assert feed.asked == 3
    feed.changes.hear([])
    assert feed.kept("a") == feed.kept("a") == "a good"
    assert feed.asked == 4


def test_a_new_session_forgets_what_was_kept_in_the_old_one(feed: Feed) -> None:
    feed.kept("a")
    feed.answer = "revoked"
    # The line broke, and the entry was written before the new session began.
    feed.begin()
    assert feed.kept("a") == "a revoked"


def test_a_failure_is_not_kept(feed: Feed) -> None:
    feed.answer = "down"
    for _ in range(2):
        with pytest.raises(Unavailable):
            feed.kept("a")
    feed.answer = "good"
    assert feed.kept("a") == "a good"


def test_after_a_while_it_is_asked_anyway_and_memory_is_bounded(feed: Feed) -> None:
    feed.kept("a")
    feed.clock.advance(timedelta(seconds=61))
    feed.kept("a")
    assert feed.asked == 2
    for number in range(5000):
        feed.kept(str(number))
    assert len(feed.kept._answers) <= 4096
