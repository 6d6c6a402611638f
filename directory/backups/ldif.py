# SPDX-License-Identifier: Apache-2.0
"""LDIF as slapcat writes it with lines of any length (RFC 2849), entry by entry, and the notes of its change log."""

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

Values = list[tuple[str, bytes]]
_SAFE = re.compile(rb"(?![ :<])[\x01-\x09\x0b\x0c\x0e-\x7f]*(?<! )\Z")
_CSN = re.compile(r"(\d{14}\.\d{6})Z#")
_MOD = re.compile(rb"([^:]+):([-+=#])(?: (.*))?", re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """One entry: its name, and attributes with one value each in the order in which they stand there."""

    dn: str
    values: Values

    def all(self, attribute: str) -> list[bytes]:
        """Every value of an attribute."""
        return [value for name, value in self.values if name.lower() == attribute.lower()]

    def text(self, attribute: str) -> str:
        """The first value, empty if there is none."""
        return next(iter(self.all(attribute)), b"").decode("utf-8", "backslashreplace")

    def lines(self) -> bytes:
        """As LDIF, with the empty line that ends it."""
        told = [_line("dn", self.dn.encode("utf-8")), *(_line(name, value) for name, value in self.values)]
        return b"\n".join(told) + b"\n\n"


@dataclass(frozen=True)
class Mod:
    """One line of a change, as the server noted it; a name alone is the border between two changes of one attribute."""

    attribute: str
    act: str
    # None stands for all values.
    value: bytes | None


def entries(pieces: Iterable[bytes]) -> Iterator[Entry]:
    """Every entry in order; of the text only one is held at a time."""
    told: list[bytes] = []
    for line in _lines(pieces):
        if line:
            told.append(line)
        elif told:
            yield _entry(told)
            told = []
    if told:
        yield _entry(told)


def mods(note: Entry) -> Iterator[Mod]:
    """What a note of the server's log says was done."""
    for line in note.all("reqMod"):
        found = _MOD.fullmatch(line)
        if found:
            yield Mod(found[1].decode("ascii"), found[2].decode("ascii"), found[3])
        else:
            yield Mod("", "", None)


def instant(csn: str) -> datetime | None:
    """When a change was made, from its number."""
    found = _CSN.match(csn)
    return datetime.strptime(found[1], "%Y%m%d%H%M%S.%f").replace(tzinfo=UTC) if found else None


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    yield rest


def _entry(told: list[bytes]) -> Entry:
    pairs = [_pair(line) for line in told if not line.startswith(b"#")]
    return Entry(pairs[0][1].decode("utf-8"), pairs[1:])


def _pair(line: bytes) -> tuple[str, bytes]:
    name, _, value = line.partition(b":")
    if value.startswith(b":"):
        return name.decode("ascii"), base64.b64decode(value[1:].strip())
    return name.decode("ascii"), value.removeprefix(b" ")


def _line(name: str, value: bytes) -> bytes:
    if _SAFE.match(value):
        return f"{name}: ".encode() + value
    return f"{name}:: ".encode() + base64.b64encode(value)
