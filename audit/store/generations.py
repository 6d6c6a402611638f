# SPDX-License-Identifier: Apache-2.0
"""The folder of the index: generations, of which a small file names the one that is asked.

- ``current`` holds the name of a generation, and is replaced by renaming: whoever reads it sees the old or the new;
- ``generation-N/`` holds the parts of one generation, each a file named after its first place;
- ``lock`` is held shared while entries are opened and put in, and alone while a person is forgotten: so nobody's words
  come in after they were taken out;
- ``rebuilding`` is held while a generation is built. A builder that was killed leaves a folder nobody names, which
  the next one removes.
"""

import fcntl
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import IndexInUse
from .part import Part

_CURRENT = "current"
_PREFIX = "generation-"
_BEGIN = "begin"


class Generation:
    """The parts of one generation, oldest first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, tuple[int, Part]] = {}
        self._guard = threading.Lock()

    def parts(self) -> list[Part]:
        """All parts as they lie there now."""
        found: dict[str, tuple[int, Part]] = {}
        try:
            files = [(file.name, file.inode()) for file in os.scandir(self.folder) if file.name.endswith(".db")]
        except FileNotFoundError:
            files = []
        with self._guard:
            for name, inode in files:
                known = self._known.get(name)
                found[name] = known if known and known[0] == inode else (inode, Part(self.folder / name))
            for name, (inode, part) in self._known.items():
                if name not in found or found[name][0] != inode:
                    part.close()
            self._known = found
        newest = {part.first: part for part in sorted((part for _inode, part in found.values()), key=_edition)}
        return [newest[first] for first in sorted(newest)]

    def replace(self, first: int, new: Sequence[Part]) -> None:
        """Put other parts in the place of one; searches that run see the old one to its end.

        The new ones have names of their own: nobody who still has the old file open shares its journal with them.
        """
        old = next(part for part in self.parts() if part.first == first)
        edition = _edition(old)[1] + 1
        for part in reversed(new):
            part.move(self.folder / f"{part.first:016d}-{edition}.db")
        old.remove()

    def tidy(self) -> None:
        """Remove parts that were replaced, where whoever replaced them was killed before they were gone."""
        kept = {part.path for part in self.parts()}
        for path in self.folder.glob("*.db"):
            if path not in kept:
                Part(path).remove()

    def begin(self) -> int:
        """Place of the first entry that it shall hold."""
        try:
            return int((self.folder / _BEGIN).read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def begin_at(self, place: int) -> None:
        """From now on it need not hold what lies before ``place``."""
        draft = self.folder / f".{_BEGIN}"
        draft.write_text(str(place), "ascii")
        draft.replace(self.folder / _BEGIN)

    def close(self) -> None:
        """Give the connections back."""
        with self._guard:
            for _inode, part in self._known.values():
                part.close()
            self._known = {}


def _edition(part: Part) -> tuple[int, int]:
    """How often a part was replaced: the number behind its first place, none for never."""
    return part.first, int(part.path.stem.partition("-")[2] or 0)


class Generations:
    """One index folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._now = Generation(folder / "none")

    def prepare(self) -> None:
        """Make the folder and a first, empty generation, where there is none."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with self._locked("lock", fcntl.LOCK_EX):
            if not self._pointed():
                self._point(self._make(0))
            self.current().tidy()

    def current(self) -> Generation:
        """The generation that is asked; another one as soon as the pointer was replaced."""
        name = self._pointed()
        with self._guard:
            if self._now.folder.name != name:
                self._now.close()
                self._now = Generation(self._folder / (name or "none"))
            return self._now

    @contextmanager
    def mending(self, first: int) -> Iterator[Generation]:
        """A generation that holds one stretch, whose parts take the place of the damaged one at the end.

        Raises:
            IndexInUse: somebody else is building one.
        """
        with self._made(first) as (_made, new):
            yield new
            with self.alone():
                self.current().replace(first, new.parts())

    def all(self) -> list[Generation]:
        """Every generation that lies there, one that is being built among them."""
        return [Generation(folder) for folder in self._folders()]

    @contextmanager
    def adding(self) -> Iterator[None]:
        """While entries are opened and put in."""
        with self._locked("lock", fcntl.LOCK_SH):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While nobody opens entries and puts them in."""
        with self._locked("lock", fcntl.LOCK_EX):
            yield

    @contextmanager
    def building(self, begin: int) -> Iterator[Generation]:
        """A new generation, which takes the place of the old one at the end; after an exception the old one stays.

        Raises:
            IndexInUse: somebody else is building one.
        """
        with self._made(begin) as (made, new):
            yield new
            new.close()
            with self.alone():
                self._point(made)

    @contextmanager
    def _made(self, begin: int) -> Iterator[tuple[str, Generation]]:
        """A generation that nobody asks yet, for as long as it is built; swept away if it does not become the one."""
        with self._locked("rebuilding", fcntl.LOCK_EX | fcntl.LOCK_NB):
            self._sweep()
            made = self._make(begin)
            new = Generation(self._folder / made)
            try:
                yield made, new
            finally:
                new.close()
                self._sweep()

    def _make(self, begin: int) -> str:
        highest = max((int(folder.name.removeprefix(_PREFIX)) for folder in self._folders()), default=0)
        name = f"{_PREFIX}{highest + 1}"
        (self._folder / name).mkdir(mode=0o700)
        (self._folder / name / _BEGIN).write_text(str(begin), "ascii")
        return name

    def _point(self, name: str) -> None:
        draft = self._folder / f".{_CURRENT}"
        with draft.open("w", encoding="ascii") as file:
            file.write(name)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._folder / _CURRENT)

    def _pointed(self) -> str:
        try:
            return (self._folder / _CURRENT).read_text("ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return ""

    def _sweep(self) -> None:
        """Remove what no pointer names; a reader that still has a file open keeps it until it closes it."""
        named = self._pointed()
        for folder in self._folders():
            if folder.name != named:
                shutil.rmtree(folder, ignore_errors=True)

    def _folders(self) -> list[Path]:
        with suppress(FileNotFoundError):
            found = [file for file in self._folder.iterdir() if file.name.startswith(_PREFIX)]
            return sorted((f for f in found if f.name.removeprefix(_PREFIX).isdecimal()), key=lambda f: f.name)
        return []

    @contextmanager
    def _locked(self, name: str, how: int) -> Iterator[None]:
        descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, how)
            except BlockingIOError as error:
                raise IndexInUse from error
            yield
        finally:
            os.close(descriptor)
