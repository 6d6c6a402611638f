# SPDX-License-Identifier: Apache-2.0
"""What the index keeps of an entry to find it by, and what a question asks the index for.

A *mark* is one token of the full-text index. The kinds are told apart by their first letter, so that nobody
can ask for one kind with words of another:

- marks of fields, by a letter each: a field's whole value, hashed; what a filter asks for;
- words of the clear header, as they are: ``w`` and the word, or ``x`` and a hash for what is no plain word;
- words of the sealed part: ``s`` and a keyed HMAC. The stolen index alone says nothing about them.

Words of event types, outcomes, networks and reasons are not kept for each entry: a question for them becomes one for
the codes that they stand for (``Vocabulary``).
"""

import hashlib
import hmac
import ipaddress
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..models import Event

_FIELDS = {
    "type": "t",
    "outcome": "r",
    "zone": "z",
    "to_zone": "k",
    "source": "q",
    "reason": "y",
    "person": "p",
    "object": "o",
    "organisation": "g",
    "session": "n",
    "decision": "d",
    "policy": "v",
}
_IDENTIFYING = ("person", "object", "organisation", "session", "decision", "policy")
_SHARED = ("type", "outcome", "zone", "to_zone", "source", "reason", "object", "organisation", "policy")
_COMBINED = (
    ("type", "zone", "to_zone"),
    ("zone", "to_zone"),
    ("organisation", "type"),
    ("object", "outcome"),
    ("outcome", "zone"),
    ("outcome", "type"),
    ("type", "zone"),
)
"""Filters that officers use together and that each match a great part of all entries: one mark answers them all."""
NOWHERE = "nowhere"
_DECISION = "gateway.decision"
_HAN = "\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_PART = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+")
_LIKE_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?:/\d\d?)?|[0-9a-f:.]*:[0-9a-f:.]*(?:/\d{1,3})?", re.ASCII)
_NUMBER = re.compile(r"[0-9a-f]{32}")
_SHORTEST = 2
_LONGEST_WORD = 64
_MOST_WORDS = 200
"""Words of one value that are kept; the longest free text of a form has fewer."""
SHORTEST_BEGINNING = 3
TYPED = ("person", "words", "title")
"""What officers typed into a search, sealed in its record: no search finds it, or each would find the one before."""
_KEPT = 10_000
"""Values whose marks are kept in memory: most come again soon."""
_KEPT_WHOLE = 1_000
"""Combinations of values whose marks are kept together, about a kilobyte each: many entries differ by person alone."""


@dataclass(frozen=True)
class Phrase:
    """What was typed as one: a word, or several in quotes that stand beside each other."""

    text: str
    # The word only begins so.
    begins: bool = False


class Words:
    """Makes the marks of entries and of questions."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"words of sealed parts", hashlib.sha256)

    def marks(self, event: Event, reason: str, sealed: Mapping[str, str]) -> tuple[str, str]:
        """Everything an entry is found by: the clear marks, and those of its sealed part."""
        found = {mark("person", person): None for person in (event.subject, event.actor) if person}
        if event.session:
            found[mark("session", event.session)] = None
        if event.decision:
            # Each entry's own: what is kept in memory is for what comes again.
            found[_FIELDS["decision"] + _hash(event.decision)] = None
        fields = (
            event.type,
            event.outcome.value,
            event.zone,
            entered(event.type, str(event.attributes.get("to_zone", ""))),
            event.source,
            reason,
            event.object,
            event.organisation,
            event.policy,
        )
        texts = []
        for value in event.attributes.values():
            if not isinstance(value, str):
                continue
            if _NUMBER.fullmatch(value):
                # As the decision: a request's number comes once, and is the one word that it says.
                found[f"w{value}"] = None
            else:
                texts.append(value)
        shared = _shared(fields, tuple(texts))
        return " ".join((*found, shared)), self.sealed(sealed)

    def sealed(self, sealed: Mapping[str, str]) -> str:
        """The marks of a sealed part alone."""
        found: dict[str, None] = {}
        for name, value in sealed.items():
            if name not in TYPED:
                found.update(_sealed_marks(self._key, value))
        return " ".join(found)

    def asks(self, phrase: Phrase) -> str:
        """The question for one phrase in clear or sealed words, and as a whole identifier."""
        chunks = list(_chunks([phrase.text]))
        if phrase.begins:
            return f'"{_clear(chunks[-1])}" *' if chunks else ""
        either = [quoted(mark(name, phrase.text)) for name in _IDENTIFYING]
        if chunks:
            either.append(_all(_asked(chunk, _clear) for chunk in chunks))
            # Two that stand together are each there: the words themselves need no look of their own.
            pairs = [quoted(self._pair(one, other)) for one, other in itertools.pairwise(chunks)]
            either.append(_all(pairs or [_asked(chunk, self._sealed) for chunk in chunks]))
        return _any(either)

    def _sealed(self, word: str) -> str:
        return _keyed(self._key, f"word\0{word}")

    def _pair(self, one: str, other: str) -> str:
        return _keyed(self._key, f"pair\0{one}\0{other}")


class Vocabulary:
    """Codes of the record by the words that they have in every language."""

    def __init__(self, told: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        # Field to code to its texts, as chunks with one space around each.
        self._told = {
            field: {code: [_spaced(text) for text in (code, *texts)] for code, texts in codes.items()}
            for field, codes in told.items()
        }

    def asks(self, phrase: Phrase) -> list[str]:
        """The questions for codes whose texts hold the phrase."""
        wanted = _spaced(phrase.text)
        if not wanted.strip():
            return []
        if phrase.begins:
            wanted = wanted.rstrip()
        han = bool(re.search(f"[{_HAN}]", wanted))
        sought = wanted.strip() if han else wanted
        return [
            quoted(mark(field, code))
            for field, codes in self._told.items()
            for code, texts in codes.items()
            if any(sought in text for text in texts)
        ]


def entered(kind: str, to_zone: str) -> str:
    """The network that was to be entered; ``NOWHERE`` for a decision about what leads into none."""
    return to_zone or (NOWHERE if kind == _DECISION else "")


def filtered(filters: Mapping[str, str], persons: Iterable[str]) -> list[str]:
    """The questions for filters; ``persons`` are whom the filter ``person`` stands for, none if it is not set."""
    left = {name: value for name, value in filters.items() if value}
    asked = [
        quoted(combined({name: left.pop(name) for name in names})) for names in _COMBINED if left.keys() >= set(names)
    ]
    asked += [quoted(mark(name, value)) for name, value in left.items()]
    if anybody := [quoted(mark("person", person)) for person in sorted(persons)]:
        asked.append(_any(anybody))
    return asked


def mark(field: str, value: str) -> str:
    """The mark of a field's whole value."""
    return f"{_FIELDS[field]}{_hashed(value)}"


def combined(values: Mapping[str, str]) -> str:
    """The mark of several fields' values together, in the order in which they are listed here."""
    return f"c{''.join(_FIELDS[name] for name in values)}" + _hashed("\0".join(values.values()))


def quoted(token: str) -> str:
    """As the full-text index wants a token that is not plain ASCII; no mark holds a quotation mark."""
    return f'"{token}"'


def normalised(text: str) -> str:
    """One spelling for what people type alike: width and case do not count."""
    return unicodedata.normalize("NFKC", text).casefold()


def _all(asked: Iterable[str]) -> str:
    return "(" + " AND ".join(asked) + ")"


def _any(asked: Sequence[str]) -> str:
    return "(" + " OR ".join(asked) + ")"


def _chunks(values: Iterable[str]) -> Iterator[str]:
    """What stands between spaces, without the punctuation around it."""
    for value in values:
        for _count, chunk in zip(range(_MOST_WORDS), normalised(value).split(), strict=False):
            parts = list(_PART.finditer(chunk))
            if parts:
                yield chunk[parts[0].start() : parts[-1].end()]


def _spread(chunk: str) -> Iterator[str]:
    """A chunk, and the words in it that somebody may ask for alone."""
    yield chunk
    if not _is_address(chunk):
        yield from _parts(chunk)


def _parts(chunk: str) -> Iterator[str]:
    """Words of a chunk; of Chinese, which has no spaces, every two characters that stand together."""
    for found in _PART.findall(chunk):
        if re.match(f"[{_HAN}]", found):
            yield from (found[i : i + 2] for i in range(max(1, len(found) - 1)))
        elif len(found) >= _SHORTEST:
            yield found


def _asked(chunk: str, made: Callable[[str], str]) -> str:
    """The chunk as it stands somewhere, or all of its words."""
    parts = [] if _is_address(chunk) else [part for part in dict.fromkeys(_parts(chunk)) if part != chunk]
    whole = quoted(made(chunk))
    return _any([whole, _all(quoted(made(part)) for part in parts)]) if parts else whole


def _spaced(text: str) -> str:
    return " " + " ".join(part for chunk in _chunks([text]) for part in _PART.findall(chunk)) + " "


def _is_address(chunk: str) -> bool:
    if not _LIKE_ADDRESS.fullmatch(chunk):
        return False
    try:
        ipaddress.ip_network(chunk, strict=False)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=_KEPT_WHOLE)
def _shared(values: tuple[str, ...], texts: tuple[str, ...]) -> str:
    """The marks of what many entries have in common: the values of ``_SHARED``, and the texts among attributes."""
    fields = dict(zip(_SHARED, values, strict=True))
    found = {mark(name, value): None for name, value in fields.items() if value}
    for names in _COMBINED:
        if all(fields[name] for name in names):
            found[combined({name: fields[name] for name in names})] = None
    for value in (*texts, fields["object"], fields["organisation"]):
        if value:
            found.update(clear_marks(value))
    return " ".join(found)


@lru_cache(maxsize=_KEPT)
def clear_marks(value: str) -> dict[str, None]:
    """The words of one value of the clear header."""
    return dict.fromkeys(_clear(word) for chunk in _chunks([value]) for word in _spread(chunk))


@lru_cache(maxsize=_KEPT)
def _sealed_marks(key: bytes, value: str) -> dict[str, None]:
    chunks = list(_chunks([value]))
    found = dict.fromkeys(_keyed(key, f"word\0{word}") for chunk in chunks for word in _spread(chunk))
    found.update(dict.fromkeys(_keyed(key, f"pair\0{one}\0{other}") for one, other in itertools.pairwise(chunks)))
    return found


@lru_cache(maxsize=_KEPT)
def _hashed(value: str) -> str:
    return _hash(value)


def _hash(value: str) -> str:
    return hashlib.blake2b(value.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _clear(word: str) -> str:
    return f"w{word}" if word.isalnum() and len(word) <= _LONGEST_WORD else f"x{_hashed(word)}"


def _keyed(key: bytes, text: str) -> str:
    # Forty bits: a question for one word finds an entry without it once in many thousand million.
    return "s" + hmac.digest(key, text.encode("utf-8", "replace"), hashlib.sha256)[:5].hex()
