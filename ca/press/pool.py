# SPDX-License-Identifier: Apache-2.0
"""The authority's helping processes: each takes one piece of work at a time over a socket that only the two hold.

Nobody waits for one: while all are busy, or still starting, or dead, whoever asks lints by itself. A helper ends when
the authority does; one that dies is replaced, and nothing can be lost with it.
"""

import queue
import select
import socket
import subprocess
import sys
from collections.abc import Sequence

from core.log import logger

from ..x509.lint import Finding, findings
from .line import READY, asked, read_told, receive, received, send

_log = logger(__name__)


class Press:
    """Lints; any thread may ask."""

    def __init__(self, helpers: int = 0) -> None:
        """Start so many processes; with none, whoever asks computes."""
        self.helpers = [Helper() for _ in range(helpers)]
        # By place in the list, where a dead one is replaced.
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(helpers):
            self._free.put(number)

    def findings(self, drafts: Sequence[bytes]) -> list[list[Finding]]:
        """Of each draft, code and text of everything of NOTICE or worse."""
        try:
            number = self._free.get_nowait()
        except queue.Empty:
            return [findings(draft) for draft in drafts]
        helper = self.helpers[number]
        try:
            if helper.ready():
                return helper.ask(drafts)
        except (OSError, ValueError) as error:
            _log.warning("lint_helper_died", exc_info=error)
            helper.close()
            self.helpers[number] = Helper()
        finally:
            self._free.put(number)
        return [findings(draft) for draft in drafts]

    def close(self) -> None:
        """End the helpers."""
        for helper in self.helpers:
            helper.close()


class Helper:
    """One process."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "ca.press", str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        self._line = ours
        self._ready = False

    @property
    def process(self) -> int:
        """Its process's number."""
        return self._process.pid

    def ready(self) -> bool:
        """Whether it has begun to listen.

        Raises:
            OSError: the process died.
        """
        if not self._ready and select.select([self._line], [], [], 0)[0]:
            received(self._line, len(READY))
            self._ready = True
        return self._ready

    def ask(self, drafts: Sequence[bytes]) -> list[list[Finding]]:
        """Have drafts linted.

        Raises:
            OSError: the process died.
            ValueError: it says something else.
        """
        send(self._line, asked(drafts))
        found = read_told(receive(self._line))
        if len(found) != len(drafts):
            raise ValueError("the helper answered about other drafts")
        return found

    def close(self) -> None:
        """Cut the line, upon which the process ends."""
        self._line.close()
        self._process.wait()
