# SPDX-License-Identifier: Apache-2.0
"""Entries in the languages of other systems: RFC 5424, CEF, OCSF lines, JSON batches. Pure; no I/O.

Whatever an entry holds, it stays one record. Texts of entries may hold anything that Unicode has, and receivers split
at more than a line feed: JSON leaves as printable ASCII, and CEF without a character that does not show.

Each record carries the entry's identifier, ``origin#index``: what is sent twice is known by it.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..events import KINDS
from ..models import Attribute, Entry, Outcome
from ..models_codec import milliseconds

_LOG_AUDIT = 13
"""Facility of syslog: log audit (RFC 5424 section 6.2.1)."""
_INFORMATIONAL, _NOTICE, _WARNING, _ERROR, _ALERT = 6, 5, 4, 3, 1
_SYSLOG_SEVERITY = {
    Outcome.INTENDED: _INFORMATIONAL,
    Outcome.SUCCESS: _NOTICE,
    Outcome.DENIED: _WARNING,
    Outcome.FAILURE: _ERROR,
}
_CEF_SEVERITY = {Outcome.INTENDED: 1, Outcome.SUCCESS: 2, Outcome.DENIED: 6, Outcome.FAILURE: 5}
_CEF_FINDING = 9
_FINDINGS = 2
_CEF_FIELDS = {"subject": "duid", "actor": "suid", "policy": "tgPolicy", "decision": "tgDecision"}
_CEF_STRINGS = ("session", "zone", "object", "organisation")
_HOST, _APP, _PROCESS, _MESSAGE = 255, 48, 128, 32
_VERSION = "1"


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """One entry on its way out."""

    # Origin of the log.
    log: str
    entry: Entry
    # The bytes that were hashed.
    raw: bytes
    # The personal part in clear; empty where it does not leave the house.
    personal: Mapping[str, str]

    @property
    def id(self) -> str:
        """By which a receiver knows what it was sent before."""
        return f"{self.log}#{self.entry.index}"


def syslog(sent: Outgoing, *, enterprise: int, message: bytes | None = None) -> bytes:
    """One message of RFC 5424; its text is the entry's JSON, or ``message``."""
    event = sent.entry.event
    severity = _ALERT if _is_finding(event.type) else _SYSLOG_SEVERITY[event.outcome]
    at = event.at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{event.at.microsecond // 1000:03}Z"
    header = " ".join(
        (
            f"<{_LOG_AUDIT * 8 + severity}>1",
            at,
            _printable(sent.log.partition("/")[0], _HOST),
            _printable("tallygate", _APP),
            _printable(event.source, _PROCESS),
            _printable(event.type, _MESSAGE),
        )
    )
    data = {"id": sent.id, "log": sent.log, "index": str(sent.entry.index), "outcome": event.outcome.value}
    values = " ".join(f'{name}="{_parameter(value)}"' for name, value in data.items())
    text = message if message is not None else ocsf(sent)
    return f"{header} [entry@{enterprise} {values}] ".encode() + text


def octet_counted(message: bytes) -> bytes:
    """A frame of RFC 5425: where it ends is said before it begins."""
    return b"%d %s" % (len(message), message)


def cef(sent: Outgoing) -> bytes:
    """One line of the Common Event Format, version 0, without its line end."""
    event = sent.entry.event
    kind = KINDS[event.type]
    severity = _CEF_FINDING if _is_finding(event.type) else _CEF_SEVERITY[event.outcome]
    header = ("CEF:0", "Tallygate", "Tallygate", _VERSION, event.type, kind.says, str(severity))
    return f"{'|'.join(_cef_header(part) for part in header)}|{_cef_extension(sent)}".encode()


def ocsf(sent: Outgoing) -> bytes:
    """The entry itself as one line of JSON, without its line end.

    Added to it are ``metadata.log_name``, ``metadata.original_event_uid`` and, where it may leave,
    ``unmapped.personal``. Without these three, in canonical form, it is what was hashed.
    """
    return _json(_document(sent))


def batch(sent: Sequence[Outgoing], *, first: int, last: int) -> bytes:
    """What a webhook posts: all entries of one stretch of the log that go there."""
    body = {"type": "tallygate.entries", "log": sent[0].log, "first": first, "last": last}
    entries = [{"id": each.id, "index": each.entry.index, "entry": _document(each)} for each in sent]
    return _json(body | {"entries": entries})


def batch_id(log: str, first: int, last: int) -> str:
    """The same stretch has the same identifier, however often it is sent; without full stops, which separate."""
    digest = hashlib.sha256(f"{log}\n{first}\n{last}".encode()).digest()[:20]
    return f"msg_{base64.b32encode(digest).decode().lower()}"


def _document(sent: Outgoing) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(sent.raw)
    document["metadata"] |= {"log_name": sent.log, "original_event_uid": sent.id}
    if sent.personal:
        document.setdefault("unmapped", {})["personal"] = dict(sent.personal)
    return document


def _json(document: Mapping[str, Any]) -> bytes:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    # The one character of ASCII that is neither printable nor escaped by JSON.
    return text.replace("\x7f", "\\u007f").encode("ascii")


def _is_finding(kind: str) -> bool:
    return KINDS[kind].ocsf_class // 1000 == _FINDINGS


def _printable(text: str, longest: int) -> str:
    """A header field of syslog: printable ASCII without blanks, or the sign for none."""
    kept = "".join(letter if "!" <= letter <= "~" else "?" for letter in text)
    return kept[:longest] or "-"


def _parameter(text: str) -> str:
    """The value of a parameter of structured data (RFC 5424 section 6.3.3)."""
    return "".join(f"\\{letter}" if letter in '"\\]' else _shown(letter, "?") for letter in text)


def _cef_extension(sent: Outgoing) -> str:
    event = sent.entry.event
    fields: dict[str, str] = {
        "rt": str(milliseconds(event.at)),
        "externalId": sent.id,
        "dvchost": sent.log.partition("/")[0],
        "outcome": event.outcome.value,
        "sproc": event.source,
    }
    fields |= {to: value for name, to in _CEF_FIELDS.items() if (value := getattr(event, name))}
    for number, name in enumerate(_CEF_STRINGS, 1):
        if value := getattr(event, name):
            fields |= {f"cs{number}Label": name, f"cs{number}": value}
    fields |= {_cef_key("tg", name): _cef_value(value) for name, value in sorted(event.attributes.items())}
    fields |= {_cef_key("tgPersonal", name): value for name, value in sorted(sent.personal.items())}
    return " ".join(f"{name}={_cef_escaped(value)}" for name, value in fields.items())


def _cef_key(prefix: str, name: str) -> str:
    """A key of our own: letters and digits."""
    return prefix + "".join(part[:1].upper() + part[1:] for part in name.replace(".", "_").replace("-", "_").split("_"))


def _cef_value(value: Attribute) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cef_header(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\|" else _shown(letter, " ") for letter in text)


def _cef_escaped(text: str) -> str:
    """A value of the extension: what would end it, or begin another one, is escaped as the format says."""
    known = {"\\": "\\\\", "=": "\\=", "\n": "\\n", "\r": "\\r"}
    return "".join(known.get(letter) or _shown(letter) for letter in text)


def _shown(letter: str, otherwise: str | None = None) -> str:
    """A character that shows and ends nothing; another one by its number, behind an escaped backslash."""
    if letter == " " or letter.isprintable():
        return letter
    return otherwise if otherwise is not None else f"\\\\u{ord(letter):04x}"
