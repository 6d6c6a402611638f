# SPDX-License-Identifier: Apache-2.0
"""Signed exports: everything new since the last one in a file that proves itself, and its continuation of that one.

A file is a ZIP with the same bytes for the same entries, named by log, first and last entry. It holds, in this order:

| name                | what                                                                                  |
| ------------------- | ------------------------------------------------------------------------------------- |
| ``manifest``        | a signed note of the log's key: the six lines below                                   |
| ``checkpoint``      | the log's signed checkpoint, of exactly the size that the last entry fills            |
| ``previous``        | the checkpoint that the export before ended with; absent in the first                 |
| ``consistency``     | RFC 6962 consistency proof from the one to the other, a hash a line                   |
| ``edge``            | hashes of the complete subtrees left of the first entry, the largest first            |
| ``entries.jsonl``   | the entries, each the very bytes that were hashed, and a line feed                    |

Manifest: ``tallygate/export/v1``, the log's origin, first entry, last entry, SHA-256 of ``entries.jsonl``, SHA-256 of
the manifest before (64 zeros in the first); so files cannot be left out, exchanged or made again without notice.
"""

import base64
import hashlib
import itertools
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core.clock import Clock

from ..errors import ProofRefused
from ..lineage import continues, is_closed_by
from ..merkle import Checkpoint, LogKey, Note, Signature, VerifierKey, leaf_hash, node_hash, verify_consistency
from ..merkle.hashing import EMPTY_ROOT, HASH_SIZE
from ..models import Entry, Event, Outcome, Recorder
from ..models_codec import MAX_ENTRY, decode_entry, new_key
from ..reader import LogReader
from .errors import ExportBroken
from .store import ExportStore, SignedExport

_KIND = "tallygate/export/v1"
_NONE = "0" * 64
_LINES = 6
_STEP = 4096
_PARTS = ("manifest", "checkpoint", "previous", "consistency", "edge", "entries.jsonl")
_EARLY = (1980, 1, 1, 0, 0, 0)
_SMALL = 1 << 20
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", flags=re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", flags=re.ASCII)


@dataclass(frozen=True)
class Manifest:
    """What a signed export says it is."""

    origin: str
    first: int
    last: int
    entries: str
    previous: str

    @property
    def text(self) -> str:
        """The signed lines."""
        return f"{_KIND}\n{self.origin}\n{self.first}\n{self.last}\n{self.entries}\n{self.previous}\n"

    @classmethod
    def read(cls, raw: bytes, key: VerifierKey) -> "Manifest":
        """From a note that the log signed.

        Raises:
            ExportBroken: it is none.
        """
        try:
            note = Note.parse(raw)
            note.verify([key])
        except ProofRefused as error:
            raise ExportBroken(why=f"the manifest: {error.parameters['why']}") from error
        lines = note.text.split("\n")[:-1]
        if len(lines) != _LINES or lines[0] != _KIND or lines[1] != key.name:
            raise ExportBroken(why="the manifest is not one of this log's exports")
        numbers = [_NUMBER.fullmatch(line) for line in lines[2:4]]
        digests = [_DIGEST.fullmatch(line) for line in lines[4:]]
        if not all(numbers) or not all(digests) or int(lines[2]) > int(lines[3]):
            raise ExportBroken(why="the manifest is malformed")
        return cls(lines[1], int(lines[2]), int(lines[3]), lines[4], lines[5])


class SignedExports:
    """Makes the files, one after the other, into one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        reader: LogReader,
        key: LogKey,
        store: ExportStore,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._reader = reader
        self._key = key
        self._store = store
        self._recorder = recorder
        self._clock = clock

    def make(self) -> SignedExport | None:
        """Write everything that is published since the last one; None if there is nothing.

        A process that dies on the way leaves a draft that the next round replaces, or a whole file that it takes up.

        Raises:
            LogDamaged: the log does not hold what it signed.
            ExportBroken: the last export does not fit this log.
        """
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        last = self._store.last_signed()
        first = last.last + 1 if last else 0
        made = self._left(first) or self._made(first, last)
        if made is None:
            return None
        self._recorder.record(
            Event(
                key=new_key(),
                type="audit.export.signed",
                outcome=Outcome.SUCCESS,
                at=self._clock.now(),
                source="audit",
                attributes={"first": made.first, "last": made.last, "manifest": _digest(made.note.encode())},
            )
        )
        self._store.add_signed(made)
        return made

    def _left(self, first: int) -> SignedExport | None:
        """A whole file that a process which died did not come to keep."""
        # A draft begins with a dot; though it may be whole, its name was never synced, and it is made again.
        for path in self._folder.glob(f"[!.]*-{first:012}-*.zip"):
            with suppress(ExportBroken):
                manifest, note, checkpoint = verify_export(path, self._key.vkey)
                return self._kept(path.name, manifest, note, checkpoint)
        return None

    def _made(self, first: int, last: SignedExport | None) -> SignedExport | None:
        note = self._reader.note()
        checkpoint = self._reader.opened(note)
        if checkpoint.size <= first:
            return None
        if self._reader.first() > first:
            raise ExportBroken(why="entries that were not exported yet are no longer kept")
        proof = self._reader.consistency_proof(first, checkpoint.size)
        name = f"{checkpoint.origin.replace('/', '_')}-{first:012}-{checkpoint.size - 1:012}.zip"
        draft = self._folder / f".new-{name}"
        # Twice over the entries: what stands before them in the file says their hash.
        digest = hashlib.sha256()
        for lines in self._entries(first, checkpoint.size):
            digest.update(lines)
        previous = _digest(last.note.encode()) if last else _NONE
        manifest = Manifest(checkpoint.origin, first, checkpoint.size - 1, digest.hexdigest(), previous)
        signature = Signature(self._key.origin, self._key.vkey.id, self._key.sign(manifest.text.encode()))
        signed = str(Note(manifest.text, (signature,)))
        with zipfile.ZipFile(draft, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            _add(archive, "manifest", signed.encode())
            _add(archive, "checkpoint", note.encode())
            if last:
                _add(archive, "previous", last.checkpoint.encode())
            _add(archive, "consistency", _hash_lines(proof))
            _add(archive, "edge", _hash_lines(self._reader.left_of(first)))
            with archive.open(_info("entries.jsonl"), "w", force_zip64=True) as file:
                for lines in self._entries(first, checkpoint.size):
                    file.write(lines)
        _settle(draft, self._folder / name)
        return self._kept(name, manifest, signed, note)

    def _entries(self, first: int, end: int) -> Iterator[bytes]:
        while first < end:
            found = self._reader.entries_bytes(first, min(_STEP, end - first))
            yield b"".join(raw + b"\n" for raw in found)
            first += len(found)

    def _kept(self, name: str, manifest: Manifest, note: str, checkpoint: str) -> SignedExport:
        return SignedExport(
            first=manifest.first,
            last=manifest.last,
            name=name,
            note=note,
            checkpoint=checkpoint,
            at=int(self._clock.now().timestamp()),
        )


def verify_export(path: Path, key: VerifierKey) -> tuple[Manifest, str, str]:
    """Check one file from end to end, trusting nothing but the log's key; its manifest, as a note, and checkpoint.

    Raises:
        ExportBroken: it is not what the log signed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _verified(archive, key)
    except (OSError, zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ExportBroken(why="it is not a whole file") from error


def verify_chain(paths: Sequence[Path], key: VerifierKey) -> list[Manifest]:
    """Check files, and that each continues the one before it without gap or overlap; in the order of the log.

    Raises:
        ExportBroken: names the first place where it does not hold.
    """
    found = sorted((verify_export(path, key) for path in paths), key=lambda each: each[0].first)
    for (before, note, _), (after, _, _) in itertools.pairwise(found):
        if after.first > before.last + 1:
            raise ExportBroken(why=f"entries {before.last + 1} to {after.first - 1} are missing")
        if after.first <= before.last:
            raise ExportBroken(why=f"entries {after.first} to {before.last} are there twice")
        if after.previous != _digest(note.encode()):
            raise ExportBroken(why=f"the export from entry {after.first} on continues another one")
    return [manifest for manifest, _note, _checkpoint in found]


def verify_series(paths: Sequence[Path], keys: Sequence[VerifierKey]) -> list[Manifest]:
    """Check the files of several logs, oldest log first: the chain of each, and that each log's chain goes to its end.

    A closed log ends with the entry that names its successor, and the successor's entry 0 names that end; so a chain
    that stops before, or goes on from another end, is noticed.

    Raises:
        ExportBroken: names the first place where it does not hold.
    """
    found: list[Manifest] = []
    left = dict.fromkeys(paths)
    ended: Checkpoint | None = None
    for number, key in enumerate(keys, 1):
        own = [path for path in left if _is_of(path, key)]
        chain = verify_chain(own, key)
        if not chain:
            continue
        ends = sorted(own, key=lambda path: _manifest(path, key).first)
        first, _checkpoint, _last = _ends(ends[0], key)
        if ended is not None and not chain[0].first and not continues(first, ended):
            raise ExportBroken(why=f"{key.name} continues another log than {ended.origin} as it is here")
        _first, ended, last = _ends(ends[-1], key)
        if number < len(keys) and not is_closed_by(last, keys[number]):
            raise ExportBroken(why=f"what {key.name} holds behind entry {last.index} is missing")
        found += chain
        for path in own:
            del left[path]
    if left:
        raise ExportBroken(why=f"{next(iter(left)).name} is of none of these logs")
    return found


def _is_of(path: Path, key: VerifierKey) -> bool:
    try:
        return _manifest(path, key).origin == key.name
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError, ExportBroken):
        # Whose it is, is not known: it is none of these logs', and told so.
        return False


def _manifest(path: Path, key: VerifierKey) -> Manifest:
    with zipfile.ZipFile(path) as archive:
        return Manifest.read(_small(archive, "manifest"), key)


def _ends(path: Path, key: VerifierKey) -> tuple[Entry, Checkpoint, Entry]:
    """First entry, checkpoint and last entry of a file that was verified."""
    with zipfile.ZipFile(path) as archive:
        manifest = Manifest.read(_small(archive, "manifest"), key)
        checkpoint = _checkpoint(_small(archive, "checkpoint"), key)
        with archive.open("entries.jsonl") as file:
            first = last = file.readline(MAX_ENTRY + 2)
            while line := file.readline(MAX_ENTRY + 2):
                last = line
    return decode_entry(manifest.first, first[:-1]), checkpoint, decode_entry(manifest.last, last[:-1])


def _verified(archive: zipfile.ZipFile, key: VerifierKey) -> tuple[Manifest, str, str]:
    names = archive.namelist()
    if names not in (list(_PARTS), [name for name in _PARTS if name != "previous"]):
        raise ExportBroken(why="it holds other parts than an export")
    small = {name: _small(archive, name) for name in names if name != "entries.jsonl"}
    manifest = Manifest.read(small["manifest"], key)
    checkpoint = _checkpoint(small["checkpoint"], key)
    if checkpoint.size != manifest.last + 1:
        raise ExportBroken(why="its checkpoint is of another size")
    if ("previous" in small) != (manifest.previous != _NONE) or ("previous" in small) != (manifest.first > 0):
        raise ExportBroken(why="what came before it is missing")
    edge = _hashes(small["edge"])
    before = _folded(edge)
    if len(edge) != manifest.first.bit_count():
        raise ExportBroken(why="the hashes left of its first entry are not as many as there must be")
    if "previous" in small:
        previous = _checkpoint(small["previous"], key)
        if (previous.size, previous.root) != (manifest.first, before):
            raise ExportBroken(why="it does not begin where the export before it ended")
        _consistent(previous, checkpoint, _hashes(small["consistency"]))
    with archive.open("entries.jsonl") as file:
        root = _root(file, manifest, edge)
    if root != checkpoint.root:
        raise ExportBroken(why="its entries do not lead to the signed root")
    return manifest, small["manifest"].decode(), small["checkpoint"].decode()


def _root(file: IO[bytes], manifest: Manifest, edge: Sequence[bytes]) -> bytes:
    """Add the entries to the tree whose right edge is given."""
    perfect = list(zip(_sizes(manifest.first), edge, strict=True))
    digest = hashlib.sha256()
    count = manifest.first
    while line := file.readline(MAX_ENTRY + 2):
        if not line.endswith(b"\n"):
            raise ExportBroken(why=f"entry {count} is cut off")
        digest.update(line)
        size, running = 1, leaf_hash(line[:-1])
        while perfect and perfect[-1][0] == size:
            running, size = node_hash(perfect.pop()[1], running), size * 2
        perfect.append((size, running))
        count += 1
    if digest.hexdigest() != manifest.entries or count != manifest.last + 1:
        raise ExportBroken(why="its entries are not those that were signed")
    return _folded([found for _size, found in perfect])


def _folded(perfect: Sequence[bytes]) -> bytes:
    if not perfect:
        return EMPTY_ROOT
    running = perfect[-1]
    for left in reversed(perfect[:-1]):
        running = node_hash(left, running)
    return running


def _sizes(count: int) -> list[int]:
    return [1 << bit for bit in range(count.bit_length() - 1, -1, -1) if count >> bit & 1]


def _consistent(previous: Checkpoint, checkpoint: Checkpoint, proof: Sequence[bytes]) -> None:
    try:
        verify_consistency(
            old=previous.size, new=checkpoint.size, old_root=previous.root, new_root=checkpoint.root, proof=proof
        )
    except ProofRefused as error:
        raise ExportBroken(why=f"its consistency proof: {error.parameters['why']}") from error


def _checkpoint(raw: bytes, key: VerifierKey) -> Checkpoint:
    try:
        return Checkpoint.verified(raw, [key])
    except ProofRefused as error:
        raise ExportBroken(why=f"its checkpoint: {error.parameters['why']}") from error


def _small(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        content = file.read(_SMALL + 1)
    if len(content) > _SMALL:
        raise ExportBroken(why=f"its part {name} is too long")
    return content


def _hashes(raw: bytes) -> list[bytes]:
    found = [base64.b64decode(line, validate=True) for line in raw.decode("ascii").split("\n")[:-1]]
    if any(len(each) != HASH_SIZE for each in found):
        raise ExportBroken(why="a hash is malformed")
    return found


def _hash_lines(hashes: Sequence[bytes]) -> bytes:
    return b"".join(base64.b64encode(each) + b"\n" for each in hashes)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(_info(name), content)


def _info(name: str) -> zipfile.ZipInfo:
    """The same for every file: no time of its own, no system."""
    info = zipfile.ZipInfo(name, date_time=_EARLY)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def _settle(draft: Path, path: Path) -> None:
    """Whole and on disk, or not there."""
    _sync(draft)
    draft.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
