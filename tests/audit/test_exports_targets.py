# SPDX-License-Identifier: Apache-2.0
"""Targets that are down, slow, strangers or crash: nothing is lost, the order stays, doubles bear the same name."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.config import ExportTarget, Signing
from audit.errors import RecordUnavailable
from audit.exports import (
    NoSuchTarget,
    PeerForbidden,
    PeerSilent,
    PeerUntrusted,
)
from audit.exports.errors import BadReplay
from audit.exports.peers import SETTLES
from audit.exports.webhook import receivers_key
from audit.models import Reader
from core.calls import retry_after
from tests.fakes.clock import ManualClock
from tests.fakes.export_house import House
from tests.fakes.log_site import wait_for
from tests.fakes.ports import free_port
from tests.fakes.receivers import (
    Answer,
    StreamReceiver,
    TestAuthority,
    WebhookReceiver,
    ed25519_check,
    hmac_check,
    server_context,
)

OFFICER = Reader(subject="77c9a8b0-1d7e-4b5f-9e0e-2f8f5c1d7003", session="s", zone="management", decision="d")
SECRET = bytes(range(32))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def secure(house: House, **more: Any) -> tuple[StreamReceiver, ExportTarget]:
    """A receiver of syslog over TLS, and the target that means it."""
    receiver = house.receiver(server_context(*house.authority.issue("localhost")), **more)
    return receiver, house.target(
        kind="syslog", address=f"tls://localhost:{receiver.port}", roots=str(house.authority.roots)
    )


def indices(receiver: StreamReceiver) -> list[int]:
    return [int(message.data["index"]) for message in receiver.messages()]


def test_everything_arrives_in_order_and_then_counts(house: House) -> None:
    house.fill(600)
    receiver, target = secure(house)
    exporter = house.exporter(target)
    exporter.round(lambda: False)
    # All has been handed over, and nothing counts yet: a stream gives no answer.
    assert house.store.cursor("siem").next == 0
    wait_for(lambda: len(receiver.records) == 601)
    assert indices(receiver) == list(range(601))
    house.settle(exporter)
    [standing] = house.desk().standings()
    assert (standing.cursor.next, standing.behind, standing.cursor.code) == (601, 0, "")
    assert standing.cursor.taken_at > 0
    assert receiver.faults == []
    assert house.recorder.types() == ["audit.export.begun"]
    exporter.close()
    assert receiver.faults == []


def test_nothing_leaves_that_could_not_be_recorded(house: House) -> None:
    receiver, target = secure(house)
    house.recorder.down = True
    with pytest.raises(RecordUnavailable):
        house.exporter(target).round(lambda: False)
    assert receiver.records == []


def test_a_target_that_is_down_gets_everything_when_it_is_back(house: House) -> None:
    receiver, target = secure(house, port=free_port())
    receiver.crash()
    exporter = house.exporter(target)
    with pytest.raises(PeerSilent):
        exporter.round(lambda: False)
    # While it waits it does not knock; the reason stays on the page.
    with pytest.raises(PeerSilent):
        exporter.round(lambda: False)
    assert house.store.cursor("siem").failing_since > 0
    house.fill(10)
    back = house.receiver(server_context(*house.authority.issue("localhost")), port=receiver.port)
    house.retry(exporter)
    house.settle(exporter)
    wait_for(lambda: len(back.records) == 11)
    assert indices(back) == list(range(11))
    assert house.store.cursor("siem").failing_since == 0


def test_a_receiver_that_crashes_gets_again_what_had_not_settled(house: House) -> None:
    house.fill(300)
    receiver, target = secure(house, port=free_port())
    exporter = house.exporter(target)
    exporter.round(lambda: False)
    wait_for(lambda: len(receiver.records) == 301)
    receiver.crash()
    house.clock.advance(timedelta(seconds=SETTLES / 2))
    with pytest.raises(PeerSilent):
        exporter.round(lambda: False)
    assert house.store.cursor("siem").next == 0
    back = house.receiver(server_context(*house.authority.issue("localhost")), port=receiver.port)
    house.retry(exporter)
    wait_for(lambda: len(back.records) == 301)
    both = receiver.messages() + back.messages()
    assert {message.data["id"] for message in both} == {f"city.example/log#{i}" for i in range(301)}


def test_a_slow_reader_holds_up_itself_and_nobody_else(house: House) -> None:
    house.fill(2000, attributes={"reason": "x" * 2000})
    slow, target = secure(house, buffer=4096, delay=0.001)
    slow.reading.clear()
    fast, other = secure(house)
    stopped = [False]
    exporter, beside = house.exporter(target), house.exporter(other, name="beside")
    house.settle(beside)
    wait_for(lambda: len(fast.records) == 2001)
    # It reads nothing: the round waits for it and no further batch is read, until the process ends.
    failures: list[Exception] = []

    def send() -> None:
        try:
            exporter.round(lambda: stopped[0])
        except PeerSilent as error:
            failures.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    assert house.store.cursor("siem").next == 0
    slow.reading.set()
    wait_for(lambda: len(slow.records) > 300, 20)
    stopped[0] = True
    thread.join(20)
    assert not thread.is_alive()
    # Whatever the other side had not settled is sent again, in order.
    exporter.close()
    house.retry(exporter)
    house.settle(exporter)
    wait_for(lambda: len({message.data["id"] for message in slow.messages()}) == 2001, 30)


def test_a_stranger_with_another_certificate_gets_nothing(house: House) -> None:
    stranger = TestAuthority(house.folder, "Stranger")
    receiver = house.receiver(server_context(*stranger.issue("localhost")))
    target = house.target(kind="syslog", address=f"tls://localhost:{receiver.port}", roots=str(house.authority.roots))
    with pytest.raises(PeerUntrusted, match="unable to get local issuer"):
        house.exporter(target).round(lambda: False)
    assert receiver.records == []
    [standing] = house.desk().standings()
    assert standing.cursor.code == "export_peer_untrusted"
    assert "issuer" in standing.cursor.why


def test_a_certificate_for_another_host_is_a_strangers(house: House) -> None:
    receiver = house.receiver(server_context(*house.authority.issue("other.example")))
    target = house.target(kind="syslog", address=f"tls://localhost:{receiver.port}", roots=str(house.authority.roots))
    with pytest.raises(PeerUntrusted, match="Hostname mismatch"):
        house.exporter(target).round(lambda: False)


def test_a_receiver_that_asks_who_we_are_is_told(house: House) -> None:
    clients = TestAuthority(house.folder, "Clients")
    context = server_context(*house.authority.issue("localhost"), clients=clients.roots)
    receiver = house.receiver(context, frames=False)
    ours = dict(zip(("certificate", "key"), map(str, clients.issue("audit.example")), strict=True))
    table = {"kind": "cef", "address": f"tls://localhost:{receiver.port}", "roots": str(house.authority.roots)}
    unknown = house.exporter(house.target(**table))

    def sends() -> None:
        unknown.round(lambda: False)
        # In TLS 1.3 the refusal comes when we believe ourselves connected.
        wait_for(lambda: bool(receiver.faults))
        house.settle(unknown)

    with pytest.raises((PeerUntrusted, PeerSilent)):
        sends()
    house.settle(house.exporter(house.target(**table, **ours), name="known"))
    wait_for(lambda: len(receiver.records) == 1)
    assert receiver.records[0].startswith(b"CEF:0|Tallygate|Tallygate|1|log.created|Log created|2|rt=")


def test_certificates_that_cannot_be_read_are_told_and_tried_again(house: House) -> None:
    target = house.target(kind="syslog", address="tls://localhost:1", roots="missing.pem")
    with pytest.raises(PeerSilent, match="No such file"):
        house.exporter(target).round(lambda: False)


def test_only_what_a_target_wants_goes_there(house: House) -> None:
    house.fill(300)
    house.fill(1, type="directory.person.changed", source="directory")
    receiver = house.receiver(None, frames=False)
    target = house.target(kind="ocsf", address=f"tcp://localhost:{receiver.port}", events=["directory.*"])
    exporter = house.exporter(target)
    house.settle(exporter)
    wait_for(lambda: len(receiver.records) == 1)
    assert receiver.documents()[0]["metadata"]["event_code"] == "directory.person.changed"
    assert house.store.cursor("siem").next == 302


def test_cef_travels_inside_syslog_too(house: House) -> None:
    receiver, target = secure(house)
    inside = house.target(kind="cef", address=target.address.replace("tls", "syslog"), roots=str(target.roots))
    house.settle(house.exporter(inside))
    wait_for(lambda: len(receiver.records) == 1)
    assert receiver.messages()[0].text.startswith("CEF:0|Tallygate|")


def test_officers_pause_let_go_on_and_send_again_and_it_is_recorded(house: House) -> None:
    house.fill(5)
    receiver, target = secure(house)
    exporter, desk = house.exporter(target), house.desk()
    desk.pause("siem", paused=True, by=OFFICER)
    house.settle(exporter)
    assert receiver.records == []
    desk.pause("siem", paused=False, by=OFFICER)
    house.settle(exporter)
    wait_for(lambda: len(receiver.records) == 6)
    desk.replay("siem", 4, by=OFFICER)
    house.settle(exporter)
    wait_for(lambda: len(receiver.records) == 8)
    assert indices(receiver) == [0, 1, 2, 3, 4, 5, 4, 5]
    assert house.recorder.types() == [
        "audit.export.paused",
        "audit.export.resumed",
        "audit.export.begun",
        "audit.export.replayed",
        "audit.export.begun",
    ]
    assert {each.actor for each in house.recorder.events} == {"", OFFICER.subject}
    for start in (-1, 7):
        with pytest.raises(BadReplay):
            desk.replay("siem", start, by=OFFICER)
    with pytest.raises(NoSuchTarget):
        desk.pause("other", paused=True, by=OFFICER)
    house.recorder.down = True
    with pytest.raises(RecordUnavailable):
        desk.replay("siem", 0, by=OFFICER)
    assert house.store.cursor("siem").next == 6


def test_a_replay_wins_over_what_is_under_way(house: House) -> None:
    house.fill(5)
    receiver, target = secure(house)
    exporter = house.exporter(target)
    exporter.round(lambda: False)
    house.desk().replay("siem", 3, by=OFFICER)
    house.settle(exporter)
    wait_for(lambda: len(receiver.records) == 9)
    assert indices(receiver) == [0, 1, 2, 3, 4, 5, 3, 4, 5]


def test_personal_parts_leave_only_while_two_officers_allow_it(house: House) -> None:
    house.fill(1)
    receiver, target = secure(house)
    table = {"kind": "syslog", "address": target.address, "roots": str(target.roots)}
    opened = house.target(**table, personal="opened", events=["sso.*"])
    exporter, desk = house.exporter(opened), house.desk()
    house.settle(exporter)
    wait_for(lambda: len(receiver.records) == 1)
    assert "personal" not in json.loads(receiver.messages()[0].text).get("unmapped", {})
    desk.allow("siem", by=OFFICER, warrant="00ff")
    house.fill(1)
    house.settle(exporter)
    wait_for(lambda: len(receiver.records) == 2)
    assert json.loads(receiver.messages()[1].text)["unmapped"]["personal"] == {"name": "李雷"}
    told = house.recorder.events[-1]
    assert (told.type, told.attributes["warrant"], told.attributes["opened"]) == ("audit.export.opened", "00ff", 1)
    # It cannot be recorded: nothing is opened and nothing leaves.
    house.fill(1)
    house.recorder.down = True
    with pytest.raises(RecordUnavailable):
        exporter.round(lambda: False)
    assert len(receiver.records) == 2
    house.recorder.down = False
    # The consent runs out by itself; and an erased person's part is not there to leave.
    house.opened = {}
    house.retry(exporter)
    house.settle(exporter)
    wait_for(lambda: len(receiver.records) == 3)
    assert "personal" not in json.loads(receiver.messages()[2].text).get("unmapped", {})
    house.opened = {"name": "李雷"}
    house.clock.advance(timedelta(days=91))
    house.fill(1)
    house.settle(exporter)
    wait_for(lambda: len(receiver.records) == 4)
    assert "personal" not in json.loads(receiver.messages()[3].text).get("unmapped", {})
    # Somebody was erased: a target that was given personal parts is told, whatever it filters.
    house.fill(1, type="audit.person.erased", source="audit", subject="3b0e", object="w1", sealed={})
    house.settle(exporter)
    wait_for(lambda: len(receiver.records) == 5)
    assert json.loads(receiver.messages()[4].text)["user"]["uid"] == "3b0e"


def test_no_personal_part_leaves_for_a_target_that_is_to_have_none(house: House) -> None:
    house.exporter(secure(house)[1])
    with pytest.raises(NoSuchTarget):
        house.desk().allow("siem", by=OFFICER, warrant="00ff")


def test_a_file_is_whole_rotated_and_taken_up_after_a_torn_line(house: House, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    target = house.target(kind="ocsf", address=f"file://{path}", file_size=1, files_kept=3)
    house.fill(300, attributes={"reason": "x" * 4000})
    exporter = house.exporter(target)
    exporter.round(lambda: False)
    exporter.close()
    assert house.store.cursor("siem").next == 301
    with path.open("ab") as file:
        file.write(b'{"torn":')
    house.fill(500, attributes={"reason": "x" * 4000})
    again = house.exporter(target)
    again.round(lambda: False)
    files = [*(tmp_path / f"out.jsonl.{number}" for number in (3, 2, 1)), path]
    found = [json.loads(line) for each in files for line in each.read_bytes().splitlines()]
    assert [each["metadata"]["original_event_uid"] for each in found] == [f"city.example/log#{i}" for i in range(801)]
    assert path.stat().st_mode & 0o007 == 0
    # One more than are kept: the oldest one goes.
    house.fill(300, attributes={"reason": "x" * 4000})
    again.round(lambda: False)
    assert not (tmp_path / "out.jsonl.4").exists()
    assert b"#0" not in (tmp_path / "out.jsonl.3").read_bytes().partition(b"\n")[0]


def test_a_file_that_is_a_link_is_not_written_through(house: House, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PeerSilent):
        house.exporter(house.target(kind="ocsf", address=f"file://{tmp_path / 'out'}")).round(lambda: False)
    assert (tmp_path / "elsewhere").read_bytes() == b""


def hook(house: House, signing: Signing = Signing.HMAC) -> tuple[WebhookReceiver, ExportTarget]:
    (house.folder / "hook.secret").write_bytes(SECRET)
    (house.folder / "hook.secret").chmod(0o600)
    known = receivers_key(SECRET, signing)
    check = ed25519_check(known) if signing is Signing.ED25519 else hmac_check(base64.b64decode(known[6:]))
    receiver = WebhookReceiver(server_context(*house.authority.issue("localhost")), check)
    return receiver, house.target(
        kind="webhook",
        address=f"https://localhost:{receiver.port}/in?x=1",
        roots=str(house.authority.roots),
        secret="hook.secret",
        signature=signing.value,
    )


@pytest.mark.parametrize("signing", list(Signing))
def test_a_webhook_gets_signed_batches(house: House, signing: Signing) -> None:
    house.fill(600)
    receiver, target = hook(house, signing)
    with closing(receiver):
        house.exporter(target).round(lambda: False)
    assert receiver.faults == []
    assert [entry["index"] for entry in receiver.entries] == list(range(601))
    assert [(body["first"], body["last"]) for _id, body in receiver.bodies] == [(0, 255), (256, 511), (512, 600)]
    assert house.store.cursor("siem").next == 601


def test_a_webhook_that_fails_is_sent_the_same_batch_under_the_same_name(house: House) -> None:
    house.fill(10)
    receiver, target = hook(house)
    exporter = house.exporter(target)
    with closing(receiver):
        receiver.answers = [Answer(500)]
        with pytest.raises(PeerSilent, match="500"):
            exporter.round(lambda: False)
        until = house.store.cursor("siem").until
        # More entries come, and the process is another one: the batch is still the one that may have arrived.
        house.fill(50)
        exporter = house.exporter(target)
        exporter.round(lambda: False)
    assert [(body["first"], body["last"]) for _id, body in receiver.bodies] == [(0, until - 1), (until, 60)]
    assert receiver.faults == []


def test_pauses_grow_and_a_receiver_may_ask_for_longer_ones(house: House) -> None:
    receiver, target = hook(house)
    exporter = house.exporter(target)
    with closing(receiver):
        receiver.answers = [Answer(503), Answer(503), Answer(429, {"Retry-After": "120"}), Answer(204)]
        for pause in (0.5, 1.0, 120.0):
            with pytest.raises(PeerSilent):
                exporter.round(lambda: False)
            house.clock.advance(timedelta(seconds=pause - 0.01))
            left = len(receiver.answers)
            with pytest.raises(PeerSilent):
                exporter.round(lambda: False)
            assert len(receiver.answers) == left
            house.clock.advance(timedelta(seconds=0.02))
        exporter.round(lambda: False)
    assert [entry["index"] for entry in receiver.entries] == [0]


def test_redirects_are_not_followed(house: House) -> None:
    receiver, target = hook(house)
    with closing(receiver):
        receiver.answers = [Answer(307, {"Location": f"https://localhost:{receiver.port}/elsewhere"})]
        with pytest.raises(PeerSilent, match="307"):
            house.exporter(target).round(lambda: False)
    assert receiver.faults == []
    assert receiver.bodies == []


def test_a_private_address_is_not_written_to_unless_the_site_allows_it(house: House) -> None:
    receiver, target = hook(house)
    with closing(receiver), pytest.raises(PeerForbidden):
        house.exporter(target, private=False).round(lambda: False)
    assert receiver.bodies == []


def test_a_webhook_with_another_certificate_gets_nothing(house: House) -> None:
    stranger = TestAuthority(house.folder, "Stranger")
    receiver, target = hook(house)
    unknown = house.target(kind="webhook", address=target.address, roots=str(stranger.roots), secret="hook.secret")
    with closing(receiver), pytest.raises(PeerUntrusted, match="issuer"):
        house.exporter(unknown).round(lambda: False)
    assert receiver.bodies == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("99999999999999999999", 3600),
        ("-1", 0),
        ("", 0),
        ("soon", 0),
        ("²", 0),
        ("Fri, 20 Nov 2026 08:01:00 GMT", 60),
        ("Fri, 20 Nov 2020 08:01:00 GMT", 0),
        ("Fri, 20 Nov 2026 08:01:00", 0),
    ],
)
def test_how_long_a_receiver_asks_to_be_left_alone(text: str, seconds: int) -> None:
    assert retry_after(text, ManualClock().now()) == seconds
