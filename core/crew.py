# SPDX-License-Identifier: Apache-2.0
"""A role's helping processes: each takes one piece of work at a time over a socket that only the two of them hold.

A helper has no state, no files and no name; it ends when the role does. One that dies is replaced, and nothing can be
lost with it: it only computes, so whoever asked does the work. On the socket goes a ready byte first, and from then on
questions and answers, each after its length.
"""

import queue
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import TypeVar

_READY = b"\x00"
_LENGTH = struct.Struct(">I")
_A = TypeVar("_A")


class Crew:
    """Helpers of one kind; any thread may ask."""

    def __init__(self, module: str, size: int, *, died: Callable[[Exception], None]) -> None:
        """Start so many processes of a module that calls `serve`; ``died`` is told of each that is replaced."""
        self._module = module
        self._died = died
        self.helpers = [Helper(module) for _ in range(size)]
        # By place in the list, where a dead one is replaced.
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(size):
            self._free.put(number)

    def ask(self, question: bytes, read: Callable[[bytes], _A], *, wait: bool = False) -> _A | None:
        """What a helper answers, as read; None where the work is left to whoever asks.

        That is while all are busy (unless waited for), still starting, or when the one that was asked died or talked
        nonsense, which ``read`` tells by a `ValueError`.
        """
        try:
            number = self._free.get(block=wait and bool(self.helpers))
        except queue.Empty:
            return None
        helper = self.helpers[number]
        try:
            # One that is still starting would be waited for; nobody has to.
            return read(helper.ask(question)) if helper.ready() else None
        except (OSError, ValueError) as error:
            self._died(error)
            helper.close()
            self.helpers[number] = Helper(self._module)
            return None
        finally:
            self._free.put(number)

    def close(self) -> None:
        """End the helpers."""
        for helper in self.helpers:
            helper.close()


class Helper:
    """One process, seen from the role."""

    def __init__(self, module: str) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", module, str(theirs.fileno())]
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
            _received(self._line, len(_READY))
            self._ready = True
        return self._ready

    def ask(self, question: bytes) -> bytes:
        """Have one piece of work done.

        Raises:
            OSError: the process died.
        """
        _send(self._line, question)
        return _receive(self._line)

    def close(self) -> None:
        """Cut the line, upon which the process ends."""
        self._line.close()
        self._process.wait()


def serve(descriptor: int, answer: Callable[[bytes], bytes], *, rest: Callable[[], object] = lambda: None) -> None:
    """Be a helper: answer on the socket of this descriptor until the other end is closed; ``rest`` after each."""
    # Whoever stops the role tells the role, which finishes what it took.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as line:
        line.sendall(_READY)
        while True:
            try:
                _send(line, answer(_receive(line)))
            except ConnectionError:
                return
            rest()


def _send(line: socket.socket, content: bytes) -> None:
    line.sendall(_LENGTH.pack(len(content)) + content)


def _receive(line: socket.socket) -> bytes:
    (length,) = _LENGTH.unpack(_received(line, _LENGTH.size))
    return _received(line, length)


def _received(line: socket.socket, size: int) -> bytes:
    content = bytearray(size)
    rest = memoryview(content)
    while rest:
        count = line.recv_into(rest)
        if not count:
            raise ConnectionResetError
        rest = rest[count:]
    return bytes(content)
