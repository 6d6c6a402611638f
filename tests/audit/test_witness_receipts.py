# SPDX-License-Identifier: Apache-2.0
"""Receipts of the third level: they wait for witnesses, and say no rather than less."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit import Receipt, RecordUnavailable, Wait
from audit.errors import ProofRefused
from audit.merkle import CosignerKey
from audit.service import Witnesses
from audit.witness import Policy, WitnessSilent
from audit.witness.client import WitnessClient
from audit.witness.submission import Submission
from core.calls import Reply
from tests.fakes.log_site import LogSite, event, wait_for

ONE = CosignerKey("w1.example", seed=b"\x01" * 32)
POLICY = Policy.parse(f"witness one {ONE.vkey} http://one/\nquorum one\n".encode())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    yield site
    site.close()


class Switch:
    """A witness that can be switched off."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, site: LogSite) -> None:
        self.on = True
        self.asked = 0
        self._clock = site.clock
        monkeypatch.setattr(WitnessClient, "add_checkpoint", lambda _, body: self.answer(body))

    def answer(self, body: bytes) -> Reply:
        self.asked += 1
        if not self.on:
            raise WitnessSilent
        lines = ONE.cosign(Submission.parse(body).unverified_note.text, self._clock.now())
        return Reply(200, "", "".join(str(line) for line in lines).encode())


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch, site: LogSite) -> Switch:
    return Switch(monkeypatch, site)


def types(site: LogSite) -> list[str]:
    reader = site.reader()
    return [entry.event.type for entry in reader.entries(0, reader.size())]


def test_a_witnessed_receipt_carries_the_cosignatures(site: LogSite, switch: Switch) -> None:
    with site.served(witnesses=Witnesses(policy=POLICY)):
        client = site.recorder(policy=POLICY)
        one = event()
        receipt = client.record(one, wait=Wait.WITNESSED)
        assert receipt.level is Wait.WITNESSED
        assert POLICY.demand(receipt.checkpoint.encode(), [site.key.vkey]).size > receipt.index
        # The same event again is the same entry, and is covered already.
        asked = switch.asked
        assert client.record(one, wait=Wait.WITNESSED).index == receipt.index
        assert switch.asked == asked
        client.close()
    assert site.reader().witnessed() == receipt.checkpoint
    # That the witnesses are there from the start is no news.
    assert not [kind for kind in types(site) if kind.startswith("log.witnesses")]


def test_while_too_few_witness_everything_else_goes_on(site: LogSite, switch: Switch) -> None:
    switch.on = False
    with site.served(witnesses=Witnesses(policy=POLICY)):
        client = site.recorder(policy=POLICY)
        results: list[Any] = []

        def ask() -> None:
            try:
                results.append(client.record(event(), wait=Wait.WITNESSED))
            except RecordUnavailable as error:
                results.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        wait_for(lambda: switch.asked > 1)
        assert client.record(event(), wait=Wait.PUBLISHED).level is Wait.PUBLISHED
        wait_for(lambda: "log.witnesses.lost" in types(site))
        switch.on = True
        thread.join(timeout=20)
        assert isinstance(results[0], Receipt)
        wait_for(lambda: "log.witnesses.back" in types(site))
        client.close()
    assert types(site).count("log.witnesses.lost") == 1


def test_who_waits_in_vain_is_told(site: LogSite, switch: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.writer.evidence.PATIENCE", 0.5)
    switch.on = False
    with site.served(witnesses=Witnesses(policy=POLICY)):
        client = site.recorder(policy=POLICY)
        began = time.monotonic()
        with pytest.raises(RecordUnavailable):
            client.record(event(), wait=Wait.WITNESSED)
        # By the log itself, long before the caller's own patience ends.
        assert time.monotonic() - began < 10
        client.close()


def test_too_many_who_wait_are_refused_at_once(site: LogSite, switch: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.writer.evidence._MOST", 0)
    switch.on = False
    with site.served(witnesses=Witnesses(policy=POLICY)):
        client = site.recorder(policy=POLICY)
        began = time.monotonic()
        with pytest.raises(RecordUnavailable):
            client.record(event(), wait=Wait.WITNESSED)
        assert time.monotonic() - began < 10
        client.close()


def test_stopping_does_not_wait_for_witnesses(site: LogSite, switch: Switch) -> None:
    switch.on = False
    with site.served(witnesses=Witnesses(policy=POLICY)) as served:
        client = site.recorder(policy=POLICY)
        refused: list[RecordUnavailable] = []

        def ask() -> None:
            with pytest.raises(RecordUnavailable) as error:
                client.record(event(), wait=Wait.WITNESSED)
            refused.append(error.value)

        thread = threading.Thread(target=ask)
        thread.start()
        wait_for(lambda: switch.asked > 2)
        served.stop()
        assert served.failure is None
        thread.join(timeout=20)
        assert refused
        client.close()


def test_who_has_no_policy_cannot_tell_and_asks_for_nothing(site: LogSite, switch: Switch) -> None:
    with site.served(witnesses=Witnesses(policy=POLICY)):
        client = site.recorder()
        before = site.reader().size()
        with pytest.raises(RecordUnavailable):
            client.record(event(), wait=Wait.WITNESSED)
        assert site.reader().size() == before
        client.close()


def test_a_receipt_that_a_callers_own_policy_does_not_accept_is_none(site: LogSite, switch: Switch) -> None:
    other = CosignerKey("w2.example", seed=b"\x02" * 32)
    stricter = Policy.parse(f"witness two {other.vkey}\nquorum two\n".encode())
    with site.served(witnesses=Witnesses(policy=POLICY)):
        client = site.recorder(policy=stricter)
        with pytest.raises(RecordUnavailable) as refused:
            client.record(event(), wait=Wait.WITNESSED)
        assert isinstance(refused.value.__cause__, ProofRefused)
        client.close()


def test_what_was_witnessed_is_known_after_a_restart(site: LogSite, switch: Switch) -> None:
    one = event()
    with site.served(witnesses=Witnesses(policy=POLICY)):
        client = site.recorder(policy=POLICY)
        receipt = client.record(one, wait=Wait.WITNESSED)
        client.close()
    switch.on = False
    with site.served(witnesses=Witnesses(policy=POLICY)):
        client = site.recorder(policy=POLICY)
        again = client.record(one, wait=Wait.WITNESSED)
        assert (again.index, again.checkpoint) == (receipt.index, receipt.checkpoint)
        client.close()


@pytest.mark.parametrize("rubbish", [b"", b"rubbish", b"\xff"])
def test_a_cosigned_checkpoint_that_cannot_be_read_is_asked_for_again(
    site: LogSite, switch: Switch, rubbish: bytes
) -> None:
    (site.folder / "witnessed").write_bytes(rubbish)
    assert site.reader().witnessed() is None
    with site.served(witnesses=Witnesses(policy=POLICY)):
        client = site.recorder(policy=POLICY)
        client.record(event(), wait=Wait.WITNESSED)
        client.close()
    assert site.reader().witnessed()


def test_a_failing_disk_makes_no_witnessed_receipt_and_stops_nothing(
    site: LogSite, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.writer.evidence.PATIENCE", 0.5)
    # A folder stands where the note should be written.
    (site.folder / ".witnessed.new").mkdir()
    with site.served(witnesses=Witnesses(policy=POLICY)) as served:
        client = site.recorder(policy=POLICY)
        with pytest.raises(RecordUnavailable):
            client.record(event(), wait=Wait.WITNESSED)
        client.record(event(), wait=Wait.PUBLISHED)
        client.close()
        assert not served.ended()
