# SPDX-License-Identifier: Apache-2.0
"""The published log as the console sees it: the reader for what is clear, the seals for what is personal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from core.config import secret

from .blobs import BlobStore
from .errors import Erased
from .indexer import Indexer
from .merkle.tiles import bundle_path, tile_path
from .models import Entry
from .reader import LogReader
from .seals import Seals, SealStore
from .search import Inclusion, NameTokens
from .store import IndexStore

INDEX = "index"
"""Folder of the search index, in the audit role's folder."""
INDEX_KEY = "index.key"
"""File of the key that makes tokens of names and words, in the audit role's folder."""
_ONE_FILE = "index.db*"
"""What earlier versions had in place of the folder; nothing in it was not in the log."""


class PublishedLog:
    """A ``LogView`` of one log folder."""

    def __init__(self, *, reader: LogReader, seals: Seals) -> None:
        self._reader = reader
        self._seals = seals

    def size(self) -> int:
        """How many entries the newest published checkpoint covers."""
        return self._reader.size()

    def read(self, start: int, limit: int) -> Sequence[Entry]:
        """Entries from ``start`` on, in order, none beyond the checkpoint."""
        return self._reader.entries(start, limit)

    def unseal(self, entry: Entry) -> Mapping[str, str] | None:
        """The personal part; None if its key was destroyed.

        Raises:
            LogDamaged: the part is not what was sealed, or its key was lost rather than destroyed.
        """
        try:
            return self._seals.open(entry)
        except Erased:
            return None

    def erased(self, entry: Entry) -> bool:
        """Whether the key of the personal part was destroyed.

        Raises:
            LogDamaged: as ``unseal``.
        """
        return self._seals.erased(entry)

    def raw(self, index: int) -> bytes:
        """The very bytes that were hashed."""
        return self._reader.entry_bytes(index)

    def prove(self, index: int) -> Inclusion:
        """A proof against the newest checkpoint; where the entry is witnessed, against the one that is cosigned."""
        note = self._reader.witnessed()
        if note is None or self._reader.opened(note).size <= index:
            note = self._reader.note()
        path = self._reader.inclusion_proof(index, self._reader.opened(note).size)
        return Inclusion(index=index, path=tuple(path), checkpoint=note)

    def opened_checkpoint(self, text: str) -> tuple[int, bytes]:
        """Size and root of a checkpoint whose signature was verified."""
        found = self._reader.opened(text)
        return found.size, found.root

    def checkpoint(self) -> bytes:
        """The newest published checkpoint, a signed note."""
        return self._reader.note().encode()

    def witnessed(self) -> bytes | None:
        """The largest checkpoint that enough witnesses cosigned."""
        note = self._reader.witnessed()
        return None if note is None else note.encode()

    def tile(self, level: int, index: int, width: int) -> bytes | None:
        """The stored bytes of one hash tile."""
        return self._reader.raw_file(tile_path(level, index, width))

    def bundle(self, index: int, width: int) -> bytes | None:
        """The stored bytes of one entry bundle."""
        return self._reader.raw_file(bundle_path(index, width))


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Everything that reads one log, over the audit role's folder; nothing here can write an entry."""

    log: PublishedLog
    names: NameTokens
    index: IndexStore
    indexer: Indexer
    seals: SealStore

    @classmethod
    def open(cls, folder: Path, *, log_key: str, blobs: BlobStore | None = None) -> Self:
        """Open log, seals and index; an index of another version is thrown away. ``blobs`` holds the log's public part.

        Raises:
            ConfigurationError: the key of the index is missing or readable by others.
        """
        names = NameTokens(secret(folder / INDEX_KEY))
        seals = SealStore.open(folder / "seals.db")
        log = PublishedLog(reader=LogReader(blobs or folder / "log", log_key), seals=Seals(seals))
        for old in folder.glob(_ONE_FILE):
            old.unlink(missing_ok=True)
        index = IndexStore.open(folder / INDEX)
        index.prepare()
        indexer = Indexer(log=log, store=index, names=names)
        return cls(log=log, names=names, index=index, indexer=indexer, seals=seals)
