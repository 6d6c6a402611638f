# SPDX-License-Identifier: Apache-2.0
"""Events and entries as bytes: canonical JSON, each a valid OCSF event of its class, one spelling for each event.

An encoded *event* carries its sealed part in clear and stays between its source and the log (outbox, socket). An
encoded *entry* is what is hashed: the same header, the source's sequence number, and the sealed part as ciphertext.
Canonical means: keys sorted, no blanks, UTF-8, nothing empty; whoever decodes encodes again and compares, so bytes
that say the same in another spelling (duplicate keys, floats, escapes) are refused.

What is checked holds text, whole numbers and truth values alone, and of these orjson makes the same bytes as the
library's encoder, which stays the measure (``canonical``) and writes whatever orjson will not.
"""

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson

from . import models_ocsf
from .errors import BadEvent
from .models import Entry, Event
from .models_rules import check

MAX_ENTRY = 65_535
# What an entry holds beyond its event: sequence number, and of a sealed part its version, key identifier, salt,
# commitment and tag.
_OVERHEAD = 192
# What is no longer than this fits, however much of it is sealed.
SURELY = (MAX_ENTRY - _OVERHEAD) * 2 // 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# Nothing here can contain itself; looking for that would cost a tenth of the time.
_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)


class Draft(NamedTuple):
    """An event that keeps every rule, in its one spelling, and what the log has to know of it beside."""

    encoded: bytes
    key: str
    type: str
    source: str
    subject: str
    # Epoch milliseconds.
    at: int
    # Whether it has a sealed part.
    sealed: bool
    # By what it was read, and its values, for whoever makes its entry in the same process; see ``press``.
    shaped: tuple[Any, tuple[bytes, ...]] | None = None


def new_key() -> str:
    """A fresh idempotency key."""
    return secrets.token_hex(16)


def encode_event(event: Event) -> bytes:
    """The one spelling of an event, with its sealed part in clear.

    Raises:
        BadEvent: the event breaks a rule of the log.
    """
    check(event)
    document = models_ocsf.document(event, milliseconds(event.at))
    if event.sealed:
        document.setdefault("unmapped", {})["sealed"] = dict(event.sealed)
    encoded = plain(document)
    # Ciphertext in base64 takes four bytes for three; bounded here so that the source learns it, not the log.
    if len(encoded) > SURELY and len(encoded) + len(plain(dict(event.sealed))) // 2 + _OVERHEAD > MAX_ENTRY:
        raise BadEvent(why="it is longer than 65,535 bytes")
    return encoded


def decode_event(encoded: bytes) -> Event:
    """The event behind ``encode_event``.

    Raises:
        BadEvent: not the one spelling of an event that the log takes.
    """
    document = _load(encoded)
    event = _event(document)
    if encode_event(event) != encoded:
        raise BadEvent(why="it is not in canonical form")
    return event


def draft_of(event: Event) -> Draft:
    """An event on its way into the log.

    Raises:
        BadEvent: the event breaks a rule of the log.
    """
    return _draft(event, encode_event(event))


def read_draft(encoded: bytes) -> Draft:
    """The same from its bytes.

    Raises:
        BadEvent: not the one spelling of an event that the log takes.
    """
    return _draft(decode_event(encoded), encoded)


def _draft(event: Event, encoded: bytes) -> Draft:
    at, sealed = milliseconds(event.at), bool(event.sealed)
    return Draft(encoded, event.key, event.type, event.source, event.subject, at, sealed)


def encode_entry(event: Event, *, sequence: int, ciphertext: str) -> bytes:
    """The bytes that the log hashes; ``event.sealed`` is left out, its ciphertext stands instead."""
    return entry_of(models_ocsf.document(event, milliseconds(event.at)), sequence=sequence, ciphertext=ciphertext)


def parted(encoded: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """The header and the sealed part of an event that was checked here, to be made an entry by ``entry_of``."""
    document = orjson.loads(encoded)
    left = document.get("unmapped", {})
    sealed = left.pop("sealed", {})
    if sealed and not left:
        del document["unmapped"]
    return document, sealed


def entry_of(document: dict[str, Any], *, sequence: int, ciphertext: str) -> bytes:
    """The entry of an event's header: the same as ``encode_entry`` of the event.

    Raises:
        BadEvent: the entry is too long.
    """
    document["metadata"]["sequence"] = sequence
    if ciphertext:
        document.setdefault("unmapped", {})["ciphertext"] = ciphertext
    encoded = plain(document)
    if len(encoded) > MAX_ENTRY:
        raise BadEvent(why="it is longer than 65,535 bytes")
    return encoded


def decode_entry(index: int, encoded: bytes) -> Entry:
    """One entry from its bytes.

    Raises:
        BadEvent: not the one spelling of an entry.
    """
    document = _load(encoded)
    try:
        sequence = document["metadata"]["sequence"]
        ciphertext = document.get("unmapped", {}).get("ciphertext", "")
    except (KeyError, TypeError, AttributeError) as error:
        raise BadEvent(why="it is not an entry") from error
    if type(sequence) is not int or sequence < 0 or not isinstance(ciphertext, str):
        raise BadEvent(why="it is not an entry")
    event = _event(document)
    check(event)
    if event.sealed or encode_entry(event, sequence=sequence, ciphertext=ciphertext) != encoded:
        raise BadEvent(why="it is not in canonical form")
    return Entry(index=index, event=event, ciphertext=ciphertext, sequence=sequence)


def claimed_type(encoded: bytes) -> str:
    """The type that bytes claim for themselves, whatever else is wrong with them; empty if they name none."""
    try:
        claimed = json.loads(encoded)["metadata"]["event_code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return claimed if isinstance(claimed, str) else ""


def canonical(document: Mapping[str, Any]) -> bytes:
    """JSON in its one spelling."""
    return _CANONICAL.encode(document).encode()


def plain(document: Mapping[str, Any]) -> bytes:
    """The same of a document that holds no floats: text, whole numbers, truth values, lists and objects of these."""
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return canonical(document)


def milliseconds(at: datetime) -> int:
    """Epoch milliseconds, as OCSF counts time; what is finer is cut off."""
    return (at - _EPOCH) // _MILLISECOND


def _event(document: dict[str, Any]) -> Event:
    try:
        return Event(at=_EPOCH + document["time"] * _MILLISECOND, **models_ocsf.header(document))
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadEvent(why="it does not have the shape of an event") from error


def _load(encoded: bytes) -> dict[str, Any]:
    if len(encoded) > MAX_ENTRY:
        raise BadEvent(why="it is longer than 65,535 bytes")
    try:
        document = orjson.loads(encoded)
    except orjson.JSONDecodeError as error:
        raise BadEvent(why="it is not JSON") from error
    if not isinstance(document, dict):
        raise BadEvent(why="it does not have the shape of an event")
    return document
