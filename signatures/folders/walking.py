# SPDX-License-Identifier: Apache-2.0
"""Which files a folder holds, and which of them are detached signatures over others."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_DETACHED = ".p7s"


@dataclass(frozen=True)
class Entry:
    """One file that gets a verdict."""

    # Relative to the folder.
    name: str
    path: Path
    # What its detached signature is over.
    over: Path | None = None


def walk(folder: Path) -> Iterator[Entry]:
    """Every file below, in the order of names; a file x beside x.p7s has no verdict of its own.

    Links are not followed into other folders, and what is no plain file is left out.
    """
    yield from _below(folder, "")


def _below(folder: Path, prefix: str) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        # Names only: of a folder of a million files nothing else is held.
        names = sorted((each.name, each.is_dir(follow_symlinks=False)) for each in found)
    beside = {name for name, inside in names if not inside}
    for name, inside in names:
        path = folder / name
        if inside:
            yield from _below(path, f"{prefix}{name}/")
        elif name + _DETACHED not in beside and path.is_file():
            over = name.removesuffix(_DETACHED)
            yield Entry(prefix + name, path, folder / over if over != name and over in beside else None)
