# SPDX-License-Identifier: Apache-2.0
"""The register kept outside the site while it runs, and brought back as it was at a moment.

A dump is one moment of the tree, whatever is written meanwhile. The server's notes lead from there to any later moment,
passwords and what nobody recorded included. Each part is done by the user whose folder it is about.
"""

import io
import json
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from audit import Event, Outcome, Recorder
from core.clock import Clock
from core.site import SiteSettings

from .. import slapd
from ..backups import Difference, Register, Vault, instant, ldif
from ..config import DirectorySettings
from ..errors import BeyondBackup, BrokenBackup
from .events import event

TREE, CHANGES, TABLES = "tree", "changes", "tables"
_MOST_TOLD = 1_000
_TABLES = ("directory.db", "numbers.key", "ldap.secret", "lookup.secret")
"""In the role's folder; what is not there is in a server's database, or not yet made."""
_PIECE = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What was found in a backup when it was read again."""

    entries: int
    changes: int
    # The number of the newest change in the tree.
    newest: str


@dataclass(frozen=True, kw_only=True)
class Return:
    """What a restore would do, or has done."""

    entries: int
    # Changes made after the dump.
    changes: int
    added: int = 0
    removed: int = 0
    changed: int = 0
    # Who is switched off now and would not be.
    lets_in: int = 0
    # The first of them.
    told: tuple[Difference, ...] = ()


def keep_tree(settings: DirectorySettings, site: SiteSettings, vault: Vault) -> None:
    """Seal the tree, then the server's notes, which so lead on from it; by the server's user.

    Raises:
        ConfigurationError: slapcat fails.
    """
    vault.put(TREE, slapd.dump(settings, site, database=1))
    vault.put(CHANGES, slapd.dump(settings, site, database=2))


def keep_tables(site: SiteSettings, vault: Vault) -> None:
    """Seal the writer's own tables, as of one moment, and the keys without which sealed numbers open no more."""
    folder = site.folder("directory")
    with TemporaryDirectory(dir=folder, prefix="backup-") as beside:
        copy = Path(beside) / _TABLES[0]
        if (folder / _TABLES[0]).exists():
            with closing(sqlite3.connect(folder / _TABLES[0])) as now, closing(sqlite3.connect(copy)) as then:
                now.backup(then)
        packed = Path(beside) / "packed"
        with tarfile.open(packed, "w") as archive:
            for name in _TABLES:
                path = copy if name == _TABLES[0] else folder / name
                if path.exists():
                    archive.add(path, name)
        vault.put(TABLES, _pieces(packed))


def proven(vault: Vault) -> Proof:
    """Read every part again, from the disk.

    Raises:
        BrokenBackup: it does not hold what it must.
    """
    entries, newest = 0, ""
    for entry in ldif.entries(vault.read(TREE)):
        entries, newest = entries + 1, max(newest, entry.text("entryCSN"))
    changes = sum(1 for note in ldif.entries(vault.read(CHANGES)) if note.text("reqType"))
    with _packed(vault) as archive:
        if "numbers.key" not in archive.getnames():
            raise BrokenBackup(part=TABLES)
    if not newest:
        raise BrokenBackup(part=TREE)
    return Proof(entries=entries, changes=changes, newest=newest)


def bring_back(
    settings: DirectorySettings, site: SiteSettings, vault: Vault, *, at: datetime | None, execute: bool
) -> Return:
    """Work out the tree of a moment and, with ``execute``, put it in the place of the present one, slapd stopped.

    The server's own notes lead there where they are whole, else those in the backup; later ones are dropped, and stand
    in a folder beside until the next time. By the server's user.

    Raises:
        BeyondBackup: the moment cannot be reached.
        BrokenBackup: the backup is not whole; nothing was changed.
        ConfigurationError: slapd does not take it; nothing was changed.
    """
    where = slapd.places(site)
    where.data.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    has_notes = (where.changes / "data.mdb").exists() and where.configuration.exists()
    with (
        TemporaryDirectory(dir=where.data.parent, prefix="restore-") as folder,
        Register(Path(folder) / "then.db") as then,
        Register(Path(folder) / "now.db") as now,
    ):
        then.load(vault.read(TREE))
        _within(then, vault, at, has_notes=has_notes)
        notes = slapd.dump(settings, site, database=2) if has_notes else vault.read(CHANGES)
        made = then.advance(_joined(ldif.entries(notes), then.newest), to=at)
        then.settle()
        if (where.data / "data.mdb").exists() and where.configuration.exists():
            now.load(slapd.dump(settings, site, database=1))
            now.settle()
        found = _compared(now, then, made)
        if execute:
            slapd.configure(settings, site)
            # First the notes: cut off in between, the same command ends it.
            notes = slapd.dump(settings, site, database=2) if has_notes else vault.read(CHANGES)
            slapd.load(settings, site, _until(ldif.entries(notes), at), database=2)
            slapd.load(settings, site, then.ldif(), database=1)
    return found


def bring_tables_back(site: SiteSettings, vault: Vault) -> tuple[str, ...]:
    """Put those of the writer's own files back that are gone; what is there stays. Returns their names.

    Raises:
        BrokenBackup: the backup is not whole.
    """
    folder, made = site.folder("directory"), []
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _packed(vault) as archive:
        for name in _TABLES:
            path = folder / name
            if name in archive.getnames() and not path.exists():
                content = archive.extractfile(name)
                fresh = path.with_name(f"{name}.new")
                fresh.touch(0o600)
                fresh.write_bytes(content.read() if content else b"")
                fresh.rename(path)
                made.append(name)
    return tuple(made)


class Preservation:
    """What goes on record about it: that a copy of everything leaves the site, and that the tree is another one."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock

    def kept(self, outcome: Outcome, key: str, *, to: str, proof: Proof | None = None) -> None:
        """A backup; the intent before anything is read.

        Raises:
            RecordUnavailable: no receipt; it is not made.
        """
        counts = asdict(proof) if proof else {}
        self._recorder.record(self._event("directory.backup.made", outcome, key, {"recipient": to, **counts}))

    def brought_back(self, outcome: Outcome, key: str, *, at: datetime | None, what: Return) -> None:
        """A restore; the intent before the tree is replaced.

        Raises:
            RecordUnavailable: no receipt; the tree stays.
        """
        counts = {name: value for name, value in asdict(what).items() if name != "told"}
        moment = {"moment": at.isoformat()} if at else {}
        self._recorder.record(self._event("directory.tree.restored", outcome, key, {**moment, **counts}))

    def _event(self, kind: str, outcome: Outcome, key: str, attributes: dict[str, str | int]) -> Event:
        return event(kind, outcome, self._clock.now(), operation=key, attributes=attributes)


def dump_return(of: Return) -> bytes:
    """As bytes, to be handed between processes."""
    return json.dumps(asdict(of)).encode()


def parse_return(body: bytes) -> Return:
    """From those bytes."""
    kept = json.loads(body)
    told = tuple(Difference(**{**each, "attributes": tuple(each["attributes"])}) for each in kept.pop("told"))
    return Return(told=told, **kept)


def _within(then: Register, vault: Vault, at: datetime | None, *, has_notes: bool) -> None:
    begins = instant(then.newest)
    if at is None:
        return
    if begins is None or at < begins:
        raise BeyondBackup(why=f"it begins at {begins.isoformat() if begins else 'no moment'}; take an earlier one.")
    if not has_notes and at > datetime.fromisoformat(vault.kept.at):
        raise BeyondBackup(why=f"it was made at {vault.kept.at}, and the site's own notes of changes are gone.")


def _joined(notes: Iterator[ldif.Entry], newest: str) -> Iterator[ldif.Entry]:
    """The notes, if none is missing between the dump and them."""
    for note in notes:
        cleared = note.text("minCSN").partition(";")[0]
        if cleared and cleared > newest:
            raise BeyondBackup(why="the server has cleared notes of changes that came after it; take a later one.")
        yield note


def _until(notes: Iterator[ldif.Entry], at: datetime | None) -> Iterator[bytes]:
    """The notes without those of changes that never were: from a later backup nobody must be led to them again."""
    for note in notes:
        made = instant(note.text("entryCSN")) if note.text("reqType") else None
        if at is None or made is None or made <= at:
            yield note.lines()


def _compared(now: Register, then: Register, made: int) -> Return:
    counts, lets_in = {"added": 0, "removed": 0, "changed": 0}, 0
    told: list[Difference] = []
    for each in now.differences(then):
        counts[each.verb] += 1
        lets_in += each.lets_in
        if len(told) < _MOST_TOLD:
            told.append(each)
    entries = sum(1 for _ in then.rows())
    return Return(entries=entries, changes=made, **counts, lets_in=lets_in, told=tuple(told))


def _packed(vault: Vault) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=io.BytesIO(b"".join(vault.read(TABLES))))
    except tarfile.TarError as error:
        raise BrokenBackup(part=TABLES) from error


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
