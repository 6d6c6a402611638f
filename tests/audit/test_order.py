# SPDX-License-Identifier: Apache-2.0
"""The order of one caller's events: what the record promises, and what it does not (docs/operations.md)."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from audit import Receipt, encode_event
from audit.client import RecorderClient
from audit.errors import RecordUnavailable
from audit.press.pool import Press
from tests.fakes.log_site import LogSite, event

MANY = 40
"""More than the log reads at once on its own loop: a batch of so many is read beside it."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    yield site
    site.close()


def batch(client: RecorderClient, count: int = MANY) -> list[int]:
    places = client.record_all([encode_event(event()) for _ in range(count)])
    return [each.index for each in places if isinstance(each, Receipt)]


def test_a_batch_lies_in_its_own_order_with_nothing_between(site: LogSite) -> None:
    with site.served(), closing(site.recorder()) as one, closing(site.recorder("ca")) as other:
        said = [encode_event(event(source="ca")) for _ in range(5)]
        with ThreadPoolExecutor(2) as pool:
            mine = pool.submit(batch, one, 200)
            for each in said:
                other.record_all([each])
        places = mine.result()
    assert places == list(range(places[0], places[0] + 200))


def test_whoever_waits_for_the_receipt_is_never_overtaken(site: LogSite) -> None:
    """So the outboxes do, and every verb that records its intent before it acts."""
    with site.served(), closing(site.recorder()) as client:
        places: list[int] = []
        for _ in range(3):
            places += batch(client)
            places.append(client.record(event()).index)
    assert places == sorted(places)
    with closing(site.open()) as log:
        log.integrate()
        entries = site.reader().entries(0, site.reader().size())
        own = [entry.sequence for entry in entries if entry.event.source == "sso"]
        # The source's own count goes with the places, without a gap: who reads the record sees that nothing is missing.
        assert own == list(range(len(own)))


def test_a_batch_that_nobody_waits_for_is_not_overtaken_on_its_line_and_holds_up_no_other(
    site: LogSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a large batch is read beside the loop, what comes after it over the same line waits for it."""
    begun, go = threading.Event(), threading.Event()
    read = Press.read

    def slowly(press: Press, events: Sequence[bytes]) -> object:
        if len(events) >= MANY:
            begun.set()
            assert go.wait(60)
        return read(press, events)

    monkeypatch.setattr(Press, "read", slowly)
    with (
        site.served(),
        closing(site.recorder(timeout=60)) as client,
        closing(site.recorder("ca")) as other,
        ThreadPoolExecutor(3) as pool,
    ):
        waiting = pool.submit(client.record_all, [encode_event(event()) for _ in range(MANY)])
        assert begun.wait(60)
        single = pool.submit(client.record, event())
        few = pool.submit(client.record_all, [encode_event(event())])
        elsewhere = other.record(event(source="ca")).index
        assert not single.done()
        assert not few.done()
        go.set()
        places = [each.index for each in waiting.result() if isinstance(each, Receipt)]
        [after] = [each.index for each in few.result() if isinstance(each, Receipt)]
        behind = sorted([single.result().index, after])
    assert len(places) == MANY
    assert elsewhere < places[0]
    assert places == list(range(places[0], places[0] + MANY))
    assert behind == [places[-1] + 1, places[-1] + 2]


def test_a_batch_that_cannot_be_read_is_answered_and_lets_the_next_by(
    site: LogSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Press.read

    def failing(press: Press, events: Sequence[bytes]) -> object:
        if len(events) >= MANY:
            raise MemoryError
        return read(press, events)

    monkeypatch.setattr(Press, "read", failing)
    with site.served(), closing(site.recorder()) as client:
        answers = client.record_all([encode_event(event()) for _ in range(MANY)])
        assert {type(each) for each in answers} == {RecordUnavailable}
        assert client.record(event()).index > 0
