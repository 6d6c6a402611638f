# SPDX-License-Identifier: Apache-2.0
"""Whatever an entry holds, it leaves as one record, in every language; nothing in it can forge a second one."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audit.config import AuditSettings, ExportTarget
from audit.exports.formats import Outgoing, batch, batch_id, cef, ocsf, octet_counted, syslog
from audit.models import Entry, Event, Outcome
from audit.models_codec import canonical, encode_entry
from core.config import ConfigurationError, decode
from tests.fakes.receivers import Message, StreamReceiver

LOG = "city.example/log"
HOSTILE = [
    "a\n<13>1 2026-01-01T00:00:00Z evil - - - - forged",
    "a\r\nCEF:0|Evil|Evil|1|x|y|1|",
    "pipe|pipe\\|pipe",
    "a=b outcome=success externalId=1",
    'quote" ] [evil@1 id="x"] \\',
    "\ufeffbyte order mark",
    "\x00\x01\x1b[2J\x7f\x85\u2028\u2029\u202e",
    "王芳 👩‍💼 ñ",
    "tab\tand \\n not a line end",
    '{"json":"inside"}',
]  # fmt: skip
_CEF = re.compile(r"(?:[^|\\]|\\[|\\])*")
_PAIR = re.compile(r"([A-Za-z0-9]+)=((?:[^=\\]|\\[=\\nr])*?)(?= [A-Za-z0-9]+=|$)", flags=re.DOTALL)


def outgoing(*, index: int = 7, personal: dict[str, str] | None = None, **fields: Any) -> Outgoing:
    given: dict[str, Any] = {
        "key": "0" * 32,
        "type": "gateway.decision",
        "outcome": Outcome.DENIED,
        "at": datetime(2026, 11, 20, 8, 0, 1, 234_000, tzinfo=UTC),
        "source": "gateway",
        "zone": "external",
        "decision": "d0",
    }
    event = Event(**given | fields)
    raw = encode_entry(event, sequence=3, ciphertext="")
    return Outgoing(log=LOG, entry=Entry(index=index, event=event, sequence=3), raw=raw, personal=personal or {})


def cef_parsed(line: bytes) -> tuple[list[str], dict[str, str]]:
    """As a receiver of the Common Event Format reads it, written from its description."""
    text = line.decode()
    header, position = [], 0
    for _ in range(7):
        match = _CEF.match(text, position)
        assert match is not None
        assert text[match.end()] == "|"
        header.append(re.sub(r"\\(.)", r"\1", match[0]))
        position = match.end() + 1
    found = {
        name: re.sub(r"\\(.)", lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), value)
        for name, value in _PAIR.findall(text[position:])
    }
    return header, found


def test_a_message_of_rfc_5424_says_what_it_is_about() -> None:
    message = Message.parse(syslog(outgoing(), enterprise=4711))
    assert message.pri == 13 * 8 + 4
    assert (message.host, message.app, message.process, message.id) == (
        "city.example",
        "tallygate",
        "gateway",
        "gateway.decision",
    )
    assert message.data == {"id": f"{LOG}#7", "log": LOG, "index": "7", "outcome": "denied"}
    assert b"[entry@4711 " in syslog(outgoing(), enterprise=4711)
    assert b"T08:00:01.234Z" in syslog(outgoing(), enterprise=4711)


@pytest.mark.parametrize(
    ("kind", "outcome", "severity"),
    [
        ("gateway.decision", Outcome.SUCCESS, 5),
        ("gateway.decision", Outcome.FAILURE, 3),
        ("sso.token.intended", Outcome.INTENDED, 6),
        ("audit.witness.contradicted", Outcome.SUCCESS, 1),
    ],
)
def test_severity_follows_the_outcome(kind: str, outcome: Outcome, severity: int) -> None:
    assert (
        Message.parse(syslog(outgoing(type=kind, outcome=outcome, attributes={"client": "tax"}), enterprise=1)).pri
        == 13 * 8 + severity
    )


def test_an_entry_as_a_line_is_what_was_hashed() -> None:
    sent = outgoing(attributes={"reason": "李"}, personal={"name": "王芳"})
    document = json.loads(ocsf(sent))
    assert document["unmapped"].pop("personal") == {"name": "王芳"}
    assert document["metadata"].pop("log_name") == LOG
    assert document["metadata"].pop("original_event_uid") == f"{LOG}#7"
    assert canonical(document) == sent.raw


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_forges_no_second_record(hostile: str) -> None:
    sent = outgoing(attributes={"reason": hostile, "z": "end"}, personal={"name": hostile, "name.zh": "z"})
    line, framed = ocsf(sent), octet_counted(syslog(sent, enterprise=1))
    assert all(0x20 <= byte <= 0x7E for byte in line)
    assert json.loads(line)["unmapped"]["attributes"] == {"reason": hostile, "z": "end"}
    assert Message.parse(framed.partition(b" ")[2]).data["id"] == f"{LOG}#7"
    event = cef(sent)
    assert all(letter == " " or letter.isprintable() for letter in event.decode())
    header, extension = cef_parsed(event)
    assert header == ["CEF:0", "Tallygate", "Tallygate", "1", "gateway.decision", "Access decided", "6"]
    assert extension["externalId"] == f"{LOG}#7"
    assert extension["outcome"] == "denied"
    assert extension["tgZ"] == "end"
    shown = "".join(
        letter if letter in "\n\r " or letter.isprintable() else f"\\u{ord(letter):04x}" for letter in hostile
    )
    assert extension["tgReason"] == extension["tgPersonalName"] == shown
    receiver = StreamReceiver(None, frames=True)
    assert receiver._take(framed * 3) == b""
    assert len(receiver.records) == 3
    assert receiver.faults == []
    receiver.close()
    assert len(json.loads(batch([sent, sent], first=7, last=8))["entries"]) == 2


def test_the_same_stretch_has_the_same_identifier() -> None:
    assert batch_id(LOG, 0, 255) == batch_id(LOG, 0, 255)
    assert len({batch_id(LOG, 0, 255), batch_id(LOG, 0, 254), batch_id(LOG + "2", 0, 255)}) == 3
    assert re.fullmatch(r"msg_[a-z2-7]{32}", batch_id(LOG, 0, 255))


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"kind": "syslog", "address": "tcp://h:1"}, "must begin with tls://"),
        ({"kind": "ocsf", "address": "h:1"}, "must begin with"),
        ({"kind": "webhook", "address": "http://h/", "secret": "s"}, "must begin with https://"),
        ({"kind": "webhook", "address": "https://h/"}, "needs a secret"),
        ({"kind": "syslog", "address": "tls://h:1", "secret": "s"}, "nothing else"),
        ({"kind": "syslog", "address": "tls://h:1", "key": "k"}, "come together"),
        ({"kind": "ocsf", "address": "file://relative"}, "absolute"),
        ({"kind": "ocsf", "address": "file:///x", "events": ["Sso.*"]}, "names no event types"),
        ({"kind": "ocsf", "address": "file:///x", "file_size": 0}, "at least 1"),
        ({"kind": "ocsf", "address": "file:///x", "color": 1}, "unknown key"),
        ({"kind": "fax", "address": "file:///x"}, "must be one of"),
    ],
)
def test_a_target_that_cannot_be_meant_stops_the_start(table: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(why)):
        decode(AuditSettings, {"exports": {"siem": table}}, where="audit", folder=Path("/"))


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"exports": {"SIEM 1": {"kind": "ocsf", "address": "file:///x"}}}, "no name of a target"),
        ({"signed_exports": 5}, "one minute"),
        ({"enterprise_number": 0}, "private enterprise number"),
        ({"retention": {"access": 179}}, "less than 180 days"),
        ({"retention": {"trust": 40_000}}, "100 years"),
    ],
)
def test_settings_outside_their_bounds_stop_the_start(table: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(why)):
        decode(AuditSettings, table, where="audit", folder=Path("/"))


def test_a_target_takes_the_types_it_names() -> None:
    table = {"kind": "ocsf", "address": "file:///x", "events": ["sso.*", "ca.certificate.issued"]}
    target = decode(ExportTarget, table, where="x", folder=Path("/"))
    assert target.wants("sso.login")
    assert target.wants("ca.certificate.issued")
    assert not target.wants("ca.certificate.issued.more")
    assert not target.wants("ssologin")
