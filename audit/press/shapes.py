# SPDX-License-Identifier: Apache-2.0
"""Events of one shape are read, and made entries, by one pattern; it is learned from the first that was checked.

A shape is everything of an event but its free values: which parts it has, its type, source and outcome. It is learned
by encoding, with the codec itself, an event whose free values are tokens that stand nowhere else: what lies between
the tokens is the shape. What may stand in a token's place is limited to values on which no rule and no place in the
document depends; so bytes that match are the one spelling of an event that keeps every rule, and the codec would have
said the same of them, only later. Whatever matches no shape is left to the codec.

What is kept holds no free value of any event. How much is kept is bounded, and learning comes ever more seldom for a
type whose events all differ.
"""

import re
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ..events import KINDS
from ..models import Entry, Event
from ..models_codec import (
    MAX_ENTRY,
    SURELY,
    Draft,
    decode_entry,
    decode_event,
    draft_of,
    encode_entry,
    encode_event,
    milliseconds,
    plain,
)
from ..models_rules import EARLIEST, LATEST
from .sealing import bound_to

_MOST_OF_TYPE = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST, _END = milliseconds(EARLIEST), milliseconds(LATEST)
_TYPE = b'"event_code":"'
# What a free value may be. All of them stand in JSON as they are: no quotes, no backslashes, no control characters.
_KEY = b"[0-9a-f]{32}"
_TIME = b"[1-9][0-9]{11,12}"
_WORD = rb"[ !#-\[\]-~]{1,256}"
_SOMEBODY = b"[A-Za-z0-9._:/~+=-]{1,256}"
# An actor with a colon could be a role, which stands elsewhere in the document.
_PERSON = b"[A-Za-z0-9._/~+=-]{1,256}"
# Of UTF-8, which is looked at beside.
_TEXT = rb'[^"\\\x00-\x1f]*'
_GIVEN = rb'[^"\\\x00-\x1f]+'
_NUMBER = b"-?[1-9][0-9]{0,14}|0"
_SEQUENCE = b"[1-9][0-9]{0,14}|0"
_BASE64 = b"[A-Za-z0-9+/]+={0,2}"
_FORMS = {"subject": _SOMEBODY, "actor": _PERSON, "session": _SOMEBODY} | dict.fromkeys(
    ("object", "organisation", "zone", "decision", "policy"), _WORD
)
# Where it stands depends on its value.
_METHOD = "method"
_ATTRIBUTE, _SEALED = "attribute.", "sealed."

Free = dict[str, tuple[bytes, bytes]]
"""Free values by name: the token as it stands in the bytes, and the form of what may stand there."""


class EventShape:
    """What the encoded events of one shape have in common, and how one becomes an entry."""

    def __init__(self, event: Event) -> None:
        """Learn it from an event that was checked."""
        probe, free = _probed(event)
        self._type, self._source, self._sealed = event.type, event.source, bool(event.sealed)
        self._pattern, self._pick = _pattern(encode_event(probe), free)
        self._between = f"\n{event.type}\n{event.source}\n".encode()
        names = list(free)
        self._key, self._time = names.index("key"), names.index("time")
        self._subject = names.index("subject") if event.subject else -1
        sequence, ciphertext = _number(), _token() if self._sealed else ""
        entry = encode_entry(replace(probe, sealed={}), sequence=sequence, ciphertext=ciphertext)
        made = {**free, "sequence": (b"%d" % sequence, b""), "ciphertext": (ciphertext.encode(), b"")}
        self._entry = _Template(entry, {name: each for name, each in made.items() if each[0]}, list(made))
        self._facts = _Template(plain(dict(probe.sealed)), free, list(made))

    def holds(self, event: Event) -> bool:
        """Whether it says of the event it was learned from what the codec says."""
        encoded = encode_event(event)
        return (
            (draft := self.read(encoded)) is not None
            and draft._replace(shaped=None) == draft_of(event)
            and (values := self.values(encoded)) is not None
            and self.facts(values) == (plain(dict(event.sealed)) if event.sealed else b"")
            and self.bound(values) == bound_to(event.key, event.type, event.source, event.subject)
            and self.entry(values, 7, b"QUFB")
            == encode_entry(replace(event, sealed={}), sequence=7, ciphertext="QUFB" if event.sealed else "")
        )

    def read(self, encoded: bytes) -> Draft | None:
        """The event as the log must know it; None if it is of another shape."""
        values = self.values(encoded)
        if values is None or not _FIRST <= (at := int(values[self._time])) < _END:
            return None
        subject = values[self._subject].decode() if self._subject >= 0 else ""
        key = values[self._key].decode()
        return Draft(encoded, key, self._type, self._source, subject, at, self._sealed, (self, values))

    def values(self, encoded: bytes) -> tuple[bytes, ...] | None:
        """The free values of an event; None if it is of another shape."""
        return _values(self._pattern, self._pick, encoded, SURELY)

    def facts(self, values: tuple[bytes, ...]) -> bytes:
        """The sealed part in clear, in canonical JSON; empty if there is none."""
        return self._facts.made(values) if self._sealed else b""

    def bound(self, values: tuple[bytes, ...]) -> bytes:
        """What the sealed part is bound to (``bound_to``)."""
        return values[self._key] + self._between + (values[self._subject] if self._subject >= 0 else b"")

    def entry(self, values: tuple[bytes, ...], sequence: int, ciphertext: bytes) -> bytes:
        """The entry of an event's values."""
        return self._entry.made((*values, b"%d" % sequence, ciphertext))


class EntryShape:
    """What the entries of one shape have in common."""

    def __init__(self, entry: Entry) -> None:
        """Learn it from an entry that was read."""
        event = entry.event
        probe, free = _probed(event)
        sequence, ciphertext = _number(), _token() if entry.ciphertext else ""
        free["sequence"] = b"%d" % sequence, _SEQUENCE
        if ciphertext:
            free["ciphertext"] = ciphertext.encode(), _BASE64
        encoded = encode_entry(probe, sequence=sequence, ciphertext=ciphertext)
        self._pattern, self._pick = _pattern(encoded, free)
        names = {name: number for number, name in enumerate(free)}
        # What is not free is in the shape itself.
        self._like = {**vars(event), "sealed": {}}
        self._texts = [(name, names[name]) for name in ("key", *_FORMS) if name in names]
        self._time, self._sequence = names["time"], names["sequence"]
        self._ciphertext = names.get("ciphertext", -1)
        free_ones = [name for name in event.attributes if _ATTRIBUTE + name in names]
        self._fixed = {name: value for name, value in event.attributes.items() if name not in free_ones}
        self._free = [(name, type(event.attributes[name]), names[_ATTRIBUTE + name]) for name in free_ones]

    def holds(self, entry: Entry, encoded: bytes) -> bool:
        """Whether it says of the entry it was learned from what the codec says."""
        return self.read(entry.index, encoded) == entry

    def read(self, index: int, encoded: bytes) -> Entry | None:
        """The entry; None if it is of another shape."""
        values = _values(self._pattern, self._pick, encoded, MAX_ENTRY)
        if values is None or not _FIRST <= (at := int(values[self._time])) < _END:
            return None
        given = dict(self._fixed)
        for name, kind, number in self._free:
            given[name] = int(values[number]) if kind is int else values[number].decode()
        parts: dict[str, Any] = {name: values[number].decode() for name, number in self._texts}
        # A frozen dataclass makes a call of each field; whoever reads every entry feels it.
        event = object.__new__(Event)
        vars(event).update(self._like, at=_EPOCH + at * _MILLISECOND, attributes=given, **parts)
        ciphertext = values[self._ciphertext].decode() if self._ciphertext >= 0 else ""
        return Entry(index=index, event=event, ciphertext=ciphertext, sequence=int(values[self._sequence]))


class Shapes:
    """Reads with what was learned, else with the codec, and learns; any thread may ask."""

    def __init__(self) -> None:
        # By type as it stands in the bytes; those that matched last come first.
        self._events: dict[bytes, tuple[EventShape, ...]] = {}
        self._entries: dict[bytes, tuple[EntryShape, ...]] = {}
        # By type and kind: how many matched no shape since one was learned.
        self._missed: Counter[tuple[bytes, type]] = Counter()

    def read(self, encoded: bytes) -> Draft:
        """An event on its way into the log.

        Raises:
            BadEvent: not the one spelling of an event that the log takes.
        """
        kind = _kind(encoded)
        shapes = self._events.get(kind, ())
        for number, shape in enumerate(shapes):
            if (draft := shape.read(encoded)) is not None:
                if number:
                    self._events[kind] = _first(shapes, number)
                return draft
        event = decode_event(encoded)
        if self._learns(kind, shapes):
            learned = EventShape(event)
            if learned.holds(event):
                self._events[kind] = (learned, *shapes[: _MOST_OF_TYPE - 1])
        return draft_of(event)

    def entry(self, index: int, encoded: bytes) -> Entry:
        """One entry from its bytes.

        Raises:
            BadEvent: not the one spelling of an entry.
        """
        kind = _kind(encoded)
        shapes = self._entries.get(kind, ())
        for number, shape in enumerate(shapes):
            if (found := shape.read(index, encoded)) is not None:
                if number:
                    self._entries[kind] = _first(shapes, number)
                return found
        entry = decode_entry(index, encoded)
        if self._learns(kind, shapes):
            learned = EntryShape(entry)
            if learned.holds(entry, encoded):
                self._entries[kind] = (learned, *shapes[: _MOST_OF_TYPE - 1])
        return entry

    def taken(self, encoded: bytes) -> tuple[EventShape, tuple[bytes, ...]] | None:
        """The shape of an event that was read, and its values; None if none was learned."""
        for shape in self._events.get(_kind(encoded), ()):
            if (values := shape.values(encoded)) is not None:
                return shape, values
        return None

    def _learns(self, kind: bytes, shapes: Sequence[EventShape] | Sequence[EntryShape]) -> bool:
        """Whether it is time: each further shape of a type takes twice as many events that match none."""
        about = (kind, type(shapes[0]) if shapes else Shapes)
        self._missed[about] += 1
        if self._missed[about] < 1 << min(len(shapes), _MOST_OF_TYPE):
            return False
        del self._missed[about]
        return True


class _Template:
    """Bytes with places for values, which are given by number."""

    def __init__(self, encoded: bytes, free: Free, names: Sequence[str]) -> None:
        literals, places = _split(encoded, free)
        self._format = b"%b".join(each.replace(b"%", b"%%") for each in literals)
        self._numbers = [names.index(place) for place in places]

    def made(self, values: Sequence[bytes]) -> bytes:
        return self._format % tuple([values[number] for number in self._numbers])


def _probed(event: Event) -> tuple[Event, Free]:
    """The event with a token for each free value, and these."""
    at = _FIRST + secrets.randbelow(_END - _FIRST)
    parts: dict[str, Any] = {"key": _token()}
    free: Free = {"key": (parts["key"].encode(), _KEY), "time": (b"%d" % at, _TIME)}
    for name, form in _FORMS.items():
        value = getattr(event, name)
        # A role stays as it is.
        if value and not (name == "actor" and ":" in value):
            parts[name] = _token()
            free[name] = parts[name].encode(), form
    privilege = KINDS[event.type].privilege
    given = dict(event.attributes)
    for name, value in event.attributes.items():
        if isinstance(value, str) and name != _METHOD:
            given[name] = token = _token()
            free[_ATTRIBUTE + name] = token.encode(), _GIVEN if name == privilege else _TEXT
        elif type(value) is int:
            given[name] = number = _number()
            free[_ATTRIBUTE + name] = b"%d" % number, _NUMBER
    sealed = {name: _token() for name in event.sealed}
    free.update((_SEALED + name, (token.encode(), _TEXT)) for name, token in sealed.items())
    return replace(event, at=_EPOCH + at * _MILLISECOND, attributes=given, sealed=sealed, **parts), free


def _split(encoded: bytes, free: Free) -> tuple[list[bytes], list[str]]:
    """What lies around the tokens, and the names of these in their order."""
    names = {token: name for name, (token, _form) in free.items()}
    literals, places, position = [], [], 0
    for found in re.finditer(b"|".join(names), encoded) if names else ():
        literals.append(encoded[position : found.start()])
        places.append(names[found.group()])
        position = found.end()
    return [*literals, encoded[position:]], places


def _pattern(encoded: bytes, free: Free) -> tuple[re.Pattern[bytes], tuple[int, ...]]:
    """What matches this with other values, and for each of these its group."""
    literals, places = _split(encoded, free)
    groups: dict[str, int] = {}
    parts = []
    for literal, name in zip(literals, places, strict=False):
        parts.append(re.escape(literal))
        if name in groups:
            parts.append(b"(?:\\%d)" % groups[name])
        else:
            groups[name] = len(groups) + 1
            parts.append(b"(%b)" % free[name][1])
    return re.compile(b"".join([*parts, re.escape(literals[-1])])), tuple(groups[name] for name in free)


def _values(
    pattern: re.Pattern[bytes], pick: tuple[int, ...], encoded: bytes, longest: int
) -> tuple[bytes, ...] | None:
    if len(encoded) > longest or (found := pattern.fullmatch(encoded)) is None:
        return None
    if not encoded.isascii():
        try:
            encoded.decode()
        except UnicodeDecodeError:
            return None
    return found.group(*pick)


def _kind(encoded: bytes) -> bytes:
    start = encoded.find(_TYPE) + len(_TYPE)
    return encoded[start : encoded.find(b'"', start)]


def _first(shapes: tuple[Any, ...], number: int) -> tuple[Any, ...]:
    return (shapes[number], *shapes[:number], *shapes[number + 1 :])


def _token() -> str:
    return secrets.token_hex(16)


def _number() -> int:
    return 10**14 + secrets.randbelow(9 * 10**14)


SHAPES = Shapes()
"""What this process has learned so far."""
