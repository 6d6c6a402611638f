# SPDX-License-Identifier: Apache-2.0
"""What is made of files, made again once they are others: keys, roots and lists are replaced while roles run.

Owns nothing. Two processes hear of a replaced file each by itself, at its next question.
"""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Fresh(Generic[Made]):
    """The thing that ``make`` makes of ``files``; both may raise, and then nothing old is given."""

    def __init__(self, make: Callable[[], Made], files: Callable[[], Iterable[Path]]) -> None:
        self._make = make
        self._files = files
        self._lock = threading.Lock()
        self._known: tuple[tuple[object, ...], Made] | None = None

    def __call__(self) -> Made:
        """As the files say now.

        Raises:
            OSError: one of the files is not there.
        """
        # Before it is made: a file that is replaced meanwhile is made once more, never overlooked.
        marks = tuple(_mark(path) for path in self._files())
        with self._lock:
            if self._known is None or self._known[0] != marks:
                self._known = None
                self._known = (marks, self._make())
            return self._known[1]


def _mark(path: Path) -> tuple[str, int, int, int]:
    """Another file under the same name has another number, and one that was written over another time."""
    found = path.stat()
    return (str(path), found.st_ino, found.st_mtime_ns, found.st_size)
