# SPDX-License-Identifier: Apache-2.0
"""A ZIP read with suspicion: bounded, no name twice or leading elsewhere, nothing beside what its directory lists."""

import io
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator

from .posing import poses

_MOST_FILES, _MOST_BYTES = 2000, 256 * 1024 * 1024
_HEAD, _LISTED, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_HEAD_SIZE, _LISTED_SIZE, _END_SIZE = 30, 46, 22
_ENCRYPTED, _DESCRIPTOR, _UTF8, _LARGE = 0x1, 0x8, 0x800, 0xFFFFFFFF
# Fields of a header in which a file has other sizes, or another name, for those programs that read them.
_SIZES, _NAMES = 0x0001, frozenset({0x7075, 0x6375})
_PIECE, _FIRST = 64 * 1024, 1024


class NotAContainer(ValueError):
    """It cannot be read; ``reason`` is a short word."""

    def __init__(self, reason: str = "malformed") -> None:
        super().__init__(reason)
        self.reason = reason


class Container:
    """One ZIP file."""

    def __init__(self, document: bytes) -> None:
        """Read the directory.

        Raises:
            NotAContainer: malformed, encrypted, or larger than anybody needs.
        """
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(document))
        except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, UnicodeDecodeError) as error:
            raise NotAContainer from error
        entries = self._zip.infolist()
        if len(entries) > _MOST_FILES or sum(entry.file_size for entry in entries) > _MOST_BYTES:
            raise NotAContainer("limits")
        if any(entry.flag_bits & _ENCRYPTED for entry in entries):
            raise NotAContainer("encrypted")
        if any(entry.filename != entry.orig_filename or _elsewhere(entry.filename) for entry in entries):
            # Nothing is unpacked here, but whoever unpacks it gets a file in another place, or by another name.
            raise NotAContainer
        self.names = [entry.filename for entry in entries if not entry.is_dir()]
        if len({unicodedata.normalize("NFC", name).casefold() for name in self.names}) != len(self.names):
            # Which of two a viewer takes is its own choice.
            raise NotAContainer
        # Bytes that no entry accounts for, or that a viewer takes for another document: another file may be found.
        self.stray = not _accounted_for(document, entries) or poses(document, _papers(document, entries))

    def begins(self, name: str) -> bytes:
        """The first bytes of one file, by which its kind is known.

        Raises:
            NotAContainer: it is not there, or damaged.
        """
        return self._read(name, _FIRST)

    def read(self, name: str) -> bytes:
        """One file.

        Raises:
            NotAContainer: it is not there, damaged, or not as long as the directory says.
        """
        content = self._read(name, _MOST_BYTES + 1)
        if len(content) != self._zip.getinfo(name).file_size:
            raise NotAContainer
        return content

    def _read(self, name: str, most: int) -> bytes:
        try:
            with self._zip.open(name) as file:
                return file.read(min(most, self._zip.getinfo(name).file_size + 1))
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, OSError) as error:
            raise NotAContainer from error


def _elsewhere(name: str) -> bool:
    return not name or "\\" in name or name.startswith("/") or name[1:2] == ":" or ".." in name.split("/")


def _papers(document: bytes, entries: list[zipfile.ZipInfo]) -> Iterator[tuple[int, int]]:
    """Where the documents stand that a PDF viewer may show; what nobody signs is never called so."""
    for entry in entries:
        if entry.filename.casefold().endswith(".pdf"):
            head = document[entry.header_offset : entry.header_offset + _HEAD_SIZE]
            start = entry.header_offset + _HEAD_SIZE + _number(head, 26) + _number(head, 28)
            yield start, start + entry.compress_size


def _accounted_for(document: bytes, entries: list[zipfile.ZipInfo]) -> bool:
    at = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        head = document[entry.header_offset : entry.header_offset + _HEAD_SIZE]
        if entry.header_offset != at or head[:4] != _HEAD or not _as_listed(document, entry, head):
            return False
        at += _HEAD_SIZE + _number(head, 26) + _number(head, 28)
        if entry.flag_bits & _DESCRIPTOR and not _ends_itself(document[at : at + entry.compress_size], entry):
            return False
        at += entry.compress_size
        # A data descriptor may follow, with or without its own mark.
        if entry.flag_bits & _DESCRIPTOR:
            at += 16 if document[at : at + 4] == b"PK\x07\x08" else 12
    return _directory_alone(document, at, entries)


def _directory_alone(document: bytes, at: int, entries: list[zipfile.ZipInfo]) -> bool:
    """Whether nothing follows but the directory that was read: a second one, of large files, counts for some alone."""
    start = at
    for entry in entries:
        row = document[at : at + _LISTED_SIZE]
        name, extra, comment = (_number(row, place) for place in (28, 30, 32))
        fields = document[at + _LISTED_SIZE + name : at + _LISTED_SIZE + name + extra]
        if (
            row[:4] != _LISTED
            or document[at + _LISTED_SIZE : at + _LISTED_SIZE + name] != _encoded(entry)
            or _number(row, 42, 4) != entry.header_offset
            or comment
            or not _NAMES.isdisjoint(_fields(fields))
        ):
            return False
        at += _LISTED_SIZE + name + extra
    end = document[at:]
    return (
        len(end) == _END_SIZE
        and end[:4] == _END
        and _number(end, 8) == _number(end, 10) == len(entries)
        and (_number(end, 12, 4), _number(end, 16, 4)) == (at - start, start)
    )


def _as_listed(document: bytes, entry: zipfile.ZipInfo, head: bytes) -> bool:
    """Whether a file's own header says what the directory says; a program that reads from the front believes it."""
    start = entry.header_offset + _HEAD_SIZE
    middle = start + _number(head, 26)
    fields = _fields(document[middle : middle + _number(head, 28)])
    sizes = packed, size = _number(head, 18, 4), _number(head, 22, 4)
    if _LARGE in sizes:
        # Whoever writes much says the sizes in a field of their own.
        large = fields.get(_SIZES, b"")
        size, packed = _number(large, 0, 8), _number(large, 8, 8)
    # Whoever writes without knowing the sizes says them behind.
    later = bool(entry.flag_bits & _DESCRIPTOR) and packed == size == 0
    return (
        document[start:middle] == _encoded(entry)
        and not (_number(head, 6) ^ entry.flag_bits) & (_ENCRYPTED | _DESCRIPTOR | _UTF8)
        and _number(head, 8) == entry.compress_type
        and (later or (packed, size) == (entry.compress_size, entry.file_size))
        and _NAMES.isdisjoint(fields)
        and not (entry.is_dir() and entry.compress_size)
    )


def _ends_itself(packed: bytes, entry: zipfile.ZipInfo) -> bool:
    """Whether a file whose size is said behind it ends where the directory says, for whoever reads from the front."""
    if entry.compress_type != zipfile.ZIP_DEFLATED:
        return False
    unfolding, left = zlib.decompressobj(-zlib.MAX_WBITS), packed
    unfolded = 0
    try:
        while left and not unfolding.eof and unfolded <= entry.file_size:
            unfolded += len(unfolding.decompress(left, _PIECE))
            left = unfolding.unconsumed_tail
    except zlib.error:
        return False
    return unfolding.eof and not unfolding.unused_data and unfolded == entry.file_size


def _encoded(entry: zipfile.ZipInfo) -> bytes:
    return entry.orig_filename.encode("utf-8" if entry.flag_bits & _UTF8 else "cp437")


def _fields(extra: bytes) -> dict[int, bytes]:
    """The fields of a header, by their kind."""
    found, at = {}, 0
    while at + 4 <= len(extra):
        size = _number(extra, at + 2)
        found[_number(extra, at)] = extra[at + 4 : at + 4 + size]
        at += 4 + size
    return found


def _number(of: bytes, at: int, size: int = 2) -> int:
    return int.from_bytes(of[at : at + size], "little")
