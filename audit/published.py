# SPDX-License-Identifier: Apache-2.0
"""The published log as the console sees it: the reader for what is clear, the seals for what is personal."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from core.config import secret
from core.errors import TallygateError

from .blobs import BlobStore
from .errors import Erased
from .indexer import Indexer
from .lineage import Past
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


class _Newest:
    """The newest entries that were read and checked: of several who follow the log one reads, and the others find."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._guard = threading.Lock()
        self._first = 0
        self._entries: list[Entry] = []

    def get(self, start: int, limit: int) -> list[Entry]:
        """Those from a place on that are here, perhaps none."""
        with self._guard:
            at = start - self._first
            return self._entries[at : at + limit] if at >= 0 else []

    def keep(self, start: int, entries: Sequence[Entry]) -> None:
        """Keep them, unless newer ones are here."""
        with self._guard:
            end = self._first + len(self._entries)
            if not self._most or start + len(entries) <= end:
                return
            if start != end:
                self._entries = []
                self._first = start
            self._entries += entries
            gone = max(0, len(self._entries) - self._most)
            del self._entries[:gone]
            self._first += gone


class PublishedLog:
    """A ``LogView`` of a site's logs: the one that is written, and the closed ones before it."""

    def __init__(self, *, reader: LogReader, seals: Seals, past: Past | None = None, kept: int = 0) -> None:
        """``kept`` is how many of the newest entries that were read are kept for whoever reads them next."""
        self._reader = reader
        self._seals = seals
        self._past = past or Past()
        self._newest = _Newest(kept)

    def size(self) -> int:
        """How many places the newest published checkpoint and all before it cover."""
        return self._past.size + self._reader.size()

    def first(self) -> int:
        """The first place from which on everything is kept."""
        return self._past.first(self._reader)

    def kept_from(self, start: int) -> int:
        """The first place from this one on at which an entry is kept."""
        return self._past.kept_from(start, self._reader)

    def read(self, start: int, limit: int) -> Sequence[Entry]:
        """Entries from a place on, in order, none beyond the checkpoint; at the end of a closed log it ends."""
        if found := self._newest.get(start, limit):
            return found
        reader, index = self._at(start)
        entries = reader.entries(index, limit)
        if index != start:
            entries = [replace(entry, index=start + i) for i, entry in enumerate(entries)]
        self._newest.keep(start, entries)
        return entries

    def unseal(self, entry: Entry) -> Mapping[str, str] | None:
        """The personal part; None if its key was destroyed.

        Raises:
            LogDamaged: the part is not what was sealed, or its key was lost rather than destroyed.
        """
        try:
            return self._seals.open(entry)
        except Erased:
            return None

    def unseal_all(self, entries: Sequence[Entry]) -> Sequence[Mapping[str, str] | TallygateError]:
        """The personal parts of many, with one look for their keys; in place of a part why there is none."""
        return self._seals.open_all(entries)

    def erased(self, entry: Entry) -> bool:
        """Whether the key of the personal part was destroyed.

        Raises:
            LogDamaged: as ``unseal``.
        """
        return self._seals.erased(entry)

    def raw(self, index: int) -> bytes:
        """The very bytes that were hashed."""
        reader, own = self._at(index)
        return reader.entry_bytes(own)

    def prove(self, index: int) -> Inclusion:
        """A proof against the newest checkpoint of the entry's own log, and under its index there.

        Where the entry is witnessed, against the checkpoint that is cosigned.
        """
        found = self.prove_witnessed(index)
        if found is not None:
            return found
        reader, own = self._at(index)
        return _inclusion(reader, own, reader.note())

    def prove_witnessed(self, index: int) -> Inclusion | None:
        """A proof against the checkpoint that enough witnesses cosigned; None while that does not cover the entry."""
        reader, own = self._at(index)
        note = reader.witnessed()
        return None if note is None or reader.opened(note).size <= own else _inclusion(reader, own, note)

    def opened_checkpoint(self, text: str) -> tuple[int, bytes]:
        """Size and root of a checkpoint whose signature was verified."""
        signer = self._past.signer(text.partition("\n")[0]) or self._reader
        found = signer.opened(text)
        return found.size, found.root

    def base(self, log: str = "") -> int:
        """How many places lie before one log; without a name, before the present one."""
        return self._past.named(log).base if log else self._past.size

    def tree_size(self, log: str = "") -> int:
        """How many entries one log's checkpoint covers; without a name, the present one's."""
        return self._named(log).size()

    def checkpoint(self, log: str = "") -> bytes:
        """The newest published checkpoint, a signed note."""
        return self._named(log).note().encode()

    def pruned(self, log: str = "") -> bytes | None:
        """The note, signed by the log, of its first entry that is kept; None if nothing was pruned."""
        return self._named(log).pruned()

    def witnessed(self) -> bytes | None:
        """The largest checkpoint that enough witnesses cosigned."""
        note = self._reader.witnessed()
        return None if note is None else note.encode()

    def tile(self, level: int, index: int, width: int, log: str = "") -> bytes | None:
        """The stored bytes of one hash tile."""
        return self._named(log).raw_file(tile_path(level, index, width))

    def bundle(self, index: int, width: int, log: str = "") -> bytes | None:
        """The stored bytes of one entry bundle."""
        return self._named(log).raw_file(bundle_path(index, width))

    def _at(self, place: int) -> tuple[LogReader, int]:
        log = self._past.at(place)
        return (self._reader, place - self._past.size) if log is None else (log.reader, place - log.base)

    def _named(self, log: str) -> LogReader:
        return self._past.named(log).reader if log else self._reader


def _inclusion(reader: LogReader, index: int, note: str) -> Inclusion:
    return Inclusion(index=index, path=tuple(reader.inclusion_proof(index, reader.opened(note).size)), checkpoint=note)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Everything that reads one log, over the audit role's folder; nothing here can write an entry."""

    log: PublishedLog
    names: NameTokens
    index: IndexStore
    indexer: Indexer
    seals: SealStore

    @classmethod
    def open(
        cls, folder: Path, *, log_key: str, blobs: BlobStore | None = None, past: Past | None = None, kept: int = 0
    ) -> Self:
        """Open log, seals and index; an index of another version is thrown away.

        ``blobs`` holds the log's public part, ``past`` are the closed logs before it, ``kept`` as in `PublishedLog`.

        Raises:
            ConfigurationError: the key of the index is missing or readable by others.
        """
        names = NameTokens(secret(folder / INDEX_KEY))
        seals = SealStore.open(folder / "seals.db")
        reader = LogReader(blobs or folder / "log", log_key)
        log = PublishedLog(reader=reader, seals=Seals(seals), past=past, kept=kept)
        for old in folder.glob(_ONE_FILE):
            old.unlink(missing_ok=True)
        index = IndexStore.open(folder / INDEX)
        index.prepare()
        indexer = Indexer(log=log, store=index, names=names)
        return cls(log=log, names=names, index=index, indexer=indexer, seals=seals)
