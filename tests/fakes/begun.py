# SPDX-License-Identifier: Apache-2.0
"""Processes that tests kill, begun at once: forked off a server that has loaded the product and opened nothing.

Such a process has a number, files and a death of its own like one that was started by name; it only does without the
second that loading takes, which a test with a dozen deaths pays a dozen times.
"""

import multiprocessing
from collections.abc import Callable

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.fakes.log_site"])


class Begun:
    """One process, spoken to as to one of ``subprocess``."""

    def __init__(self, run: Callable[..., None], *arguments: object) -> None:
        self._process = _context.Process(target=run, args=arguments)
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float = 60.0) -> int:
        self._process.join(timeout)
        ended = self._process.exitcode
        assert ended is not None, "it still runs"
        return ended
