# SPDX-License-Identifier: Apache-2.0
"""Who uses keys and who destroys them never do so at the same time, in whichever processes they are.

The log shares the lock while it looks for keys and seals; whoever destroys holds it alone. So no key seals once more
after its destruction. The kernel lets go of the lock when its holder dies.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.db import DatabaseUnavailable


class Alone:
    """One lock file; each use opens it anew, for a lock belongs to the opening and not to the thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def using(self) -> Iterator[None]:
        """Use keys, beside others who do.

        Raises:
            DatabaseUnavailable: the lock's file cannot be opened.
        """
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until nobody uses a key, and keep everybody from it."""
        with self._locked(fcntl.LOCK_EX):
            yield

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        try:
            # Never a link: root may write in a role's folder.
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            # The keys do not answer. Nothing was written, so the log goes on.
            raise DatabaseUnavailable from error
        try:
            fcntl.flock(file, how)
            yield
        finally:
            os.close(file)
