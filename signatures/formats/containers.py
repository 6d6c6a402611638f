# SPDX-License-Identifier: Apache-2.0
"""A ZIP read with suspicion: bounded, no name twice or leading elsewhere, nothing beside what its directory lists."""

import io
import zipfile
import zlib

_MOST_FILES, _MOST_BYTES = 2000, 256 * 1024 * 1024
_HEAD, _END = b"PK\x03\x04", b"PK\x05\x06"
_HEAD_SIZE, _END_SIZE = 30, 22
_ENCRYPTED, _DESCRIPTOR, _UTF8, _LARGE = 0x1, 0x8, 0x800, 0xFFFFFFFF


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
        if len({name.casefold() for name in self.names}) != len(self.names):
            # Which of two a viewer takes is its own choice.
            raise NotAContainer
        # Bytes that no entry accounts for: another program may find another file in them.
        self.stray = not _accounted_for(document, entries)

    def read(self, name: str) -> bytes:
        """One file.

        Raises:
            NotAContainer: it is not there, damaged, or not as long as the directory says.
        """
        try:
            with self._zip.open(name) as file:
                size = self._zip.getinfo(name).file_size
                content = file.read(size + 1)
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, OSError) as error:
            raise NotAContainer from error
        if len(content) != size:
            raise NotAContainer
        return content


def _elsewhere(name: str) -> bool:
    return "\\" in name or name.startswith("/") or name[1:2] == ":" or ".." in name.split("/")


def _accounted_for(document: bytes, entries: list[zipfile.ZipInfo]) -> bool:
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    at = 0
    for entry in ordered:
        head = document[entry.header_offset : entry.header_offset + _HEAD_SIZE]
        if entry.header_offset != at or head[:4] != _HEAD or not _as_listed(document, entry, head):
            return False
        names = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        at += _HEAD_SIZE + names + entry.compress_size
        # A data descriptor may follow, with or without its own mark.
        if entry.flag_bits & _DESCRIPTOR:
            at += 16 if document[at : at + 4] == b"PK\x07\x08" else 12
    end = document.rfind(_END)
    if end < 0 or len(document) - end < _END_SIZE:
        return False
    comment = int.from_bytes(document[end + 20 : end + 22], "little")
    directory = int.from_bytes(document[end + 16 : end + 20], "little")
    return directory == at and comment == 0 and end + _END_SIZE == len(document)


def _as_listed(document: bytes, entry: zipfile.ZipInfo, head: bytes) -> bool:
    """Whether a file's own header says what the directory says; a program that reads from the front believes it."""
    name = entry.orig_filename.encode("utf-8" if entry.flag_bits & _UTF8 else "cp437")
    start = entry.header_offset + _HEAD_SIZE
    packed, size = int.from_bytes(head[18:22], "little"), int.from_bytes(head[22:26], "little")
    # Whoever writes without knowing the sizes says them behind; whoever writes much, in a field of their own.
    later = bool(entry.flag_bits & _DESCRIPTOR) or _LARGE in {packed, size}
    return (
        document[start : start + int.from_bytes(head[26:28], "little")] == name
        and int.from_bytes(head[8:10], "little") == entry.compress_type
        and (later or (packed, size) == (entry.compress_size, entry.file_size))
    )
