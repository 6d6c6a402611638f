# SPDX-License-Identifier: Apache-2.0
"""Who uses keys and who destroys them never do so at the same time, in whichever processes they are.

The log shares the lock while it looks for keys and seals; whoever destroys holds it alone. So no key seals once more
after its destruction. The kernel lets go of the lock when its holder dies.
"""

import fcntl
import os
from contextlib import AbstractContextManager
from pathlib import Path

from core.db import DatabaseUnavailable


class Alone:
    """One lock file; each use opens it anew, for a lock belongs to the opening and not to the thread."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def using(self) -> AbstractContextManager[None]:
        """Use keys, beside others who do.

        Raises:
            DatabaseUnavailable: the lock's file cannot be opened.
        """
        return _Locked(self._path, fcntl.LOCK_SH)

    def alone(self) -> AbstractContextManager[None]:
        """Wait until nobody uses a key, and keep everybody from it."""
        return _Locked(self._path, fcntl.LOCK_EX)


class _Locked:
    """One use; written out, for every batch of the log is one."""

    __slots__ = ("_file", "_how", "_path")

    def __init__(self, path: str, how: int) -> None:
        self._path = path
        self._how = how

    def __enter__(self) -> None:
        try:
            # Never a link: root may write in a role's folder.
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            # The keys do not answer. Nothing was written, so the log goes on.
            raise DatabaseUnavailable from error
        try:
            fcntl.flock(file, self._how)
        except BaseException:
            os.close(file)
            raise
        self._file = file

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
