# SPDX-License-Identifier: Apache-2.0
"""One contract for every recorder: in a list, in process, over the socket."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit import BadEvent, KeyReused, Recorder, RecordUnavailable, Wait
from audit.merkle import Checkpoint
from audit.service import local_recorder
from tests.fakes.log_site import LogSite, event
from tests.fakes.recorder import ListRecorder


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    yield site
    site.close()


@pytest.fixture(params=["list", "local", "client"])
def recorder(request: pytest.FixtureRequest, site: LogSite) -> Iterator[Recorder]:
    if request.param == "list":
        yield ListRecorder()
    elif request.param == "local":
        with local_recorder(site.folder, key=site.key, seals=site.seals, clock=site.clock) as local:
            yield local
    else:
        with site.served():
            client = site.recorder()
            yield client
            client.close()


def test_receipts_name_consecutive_places(recorder: Recorder) -> None:
    first, second = recorder.record(event()), recorder.record(event())
    assert second.index == first.index + 1
    assert first.leaf != second.leaf
    assert first.level is Wait.SEQUENCED


def test_the_same_event_has_one_place(recorder: Recorder) -> None:
    one = event()
    assert recorder.record(one) == recorder.record(one)
    assert recorder.record(event()).index == recorder.record(one).index + 1


def test_a_key_belongs_to_one_event(recorder: Recorder) -> None:
    one = event()
    recorder.record(one)
    with pytest.raises(KeyReused):
        recorder.record(replace(one, zone="internal"))
    with pytest.raises(KeyReused):
        recorder.record(replace(one, sealed={"name": "somebody else"}))


@pytest.mark.parametrize("wrong", [{"type": "sso.logn"}, {"key": "short"}, {"subject": ""}, {"attributes": {"A": 1}}])
def test_an_event_that_breaks_a_rule_is_refused(recorder: Recorder, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadEvent):
        recorder.record(event(**wrong))
    recorder.record(event())


def test_a_published_receipt_carries_a_checkpoint(recorder: Recorder) -> None:
    receipt = recorder.record(event(), wait=Wait.PUBLISHED)
    assert receipt.level is Wait.PUBLISHED
    assert receipt.checkpoint


def test_a_published_receipt_can_be_checked_by_outsiders(site: LogSite) -> None:
    with site.served():
        client = site.recorder()
        one = event()
        client.record(one)
        receipt = client.record(one, wait=Wait.PUBLISHED)
        checkpoint = Checkpoint.verified(receipt.checkpoint.encode(), [site.key.vkey])
        assert checkpoint.origin == receipt.log == "city.example/log"
        assert checkpoint.size > receipt.index
        client.close()


def test_without_a_witness_nothing_is_witnessed(site: LogSite) -> None:
    with (
        local_recorder(site.folder, key=site.key, seals=site.seals, clock=site.clock) as local,
        pytest.raises(RecordUnavailable),
    ):
        local.record(event(), wait=Wait.WITNESSED)
    with site.served():
        client = site.recorder()
        with pytest.raises(RecordUnavailable):
            client.record(event(), wait=Wait.WITNESSED)
        client.close()


def test_the_local_recorder_publishes_when_it_ends(site: LogSite) -> None:
    with local_recorder(site.folder, key=site.key, seals=site.seals, clock=site.clock) as local:
        # In process any source may speak: at the birth of a site there is nobody else.
        local.record(event(source="ca", type="ca.ceremony.completed", sealed={}))
    assert site.reader().entry(1).event.source == "ca"
