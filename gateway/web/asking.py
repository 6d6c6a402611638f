# SPDX-License-Identifier: Apache-2.0
"""A proxy's questions over kept lines, answered in the event loop itself (HTTP/1.1, RFC 9112, as nginx writes it).

Every request of the site passes here, so nothing stands between: the loop reads the question, decides what waits for
nothing but its record, and writes the answer when the record has it. Who is not in memory is read by one of a few
threads before; what may have to wait for more is decided by one of them. Each worker has a socket of its own, which it
holds by a lock, so that a worker that died is followed by another at the same place. Whatever is no question of the
form that our proxies write ends the line.
"""

import asyncio
import fcntl
import os
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from core.calls import PairSecrets, listening
from core.errors import TallygateError
from core.log import logger

from ..models import Answer
from ..service.decision import Begun, Decider
from .decide import PREFIX, STATUS_LINES, answered, headers_of, question_of

_LONGEST = 64 * 1024
"""Bytes of a question; nginx takes 32 KiB of headers, and what it adds is short."""
_RETRY = 1.0
"""Seconds between two looks for a place, where every one is taken by a worker that is about to end."""
_PATIENCE = 5.0
"""Seconds that questions under way are given when a worker is told to end."""
_LOOK = 0.01
_END = b"\r\n\r\n"
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}\Z", re.ASCII)
_MOST_NAMES = 500
_UNTAKEN = frozenset({"HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"})
"""A question has no body; what says that it has one is none of ours."""
_NAMES: dict[str, str] = {}
_log = logger(__name__)


class Recording(Protocol):
    """The way into the log from a loop (``audit.client.Together``)."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Be ready."""
        ...

    def stop(self) -> None:
        """Let go."""
        ...

    def submit(self, event: bytes, told: Callable[[TallygateError | None], None]) -> None:
        """Append one encoded event; tells nothing once it is in the log, or why it is not known to be."""
        ...


class Asking:
    """One per worker: its place, and everything its lines need."""

    def __init__(
        self,
        decider: Decider,
        pairs: PairSecrets,
        *,
        together: Recording,
        fresh: Callable[[], bool],
        threads: Executor,
        places: Sequence[tuple[Path, Path]] = (),
    ) -> None:
        """``places`` are sockets, each with the file whose lock says that it is taken."""
        self._decider = decider
        self._pairs = pairs
        self._together = together
        self._fresh = fresh
        self._threads = threads
        self._places = places
        # Held as long as the process lives: the kernel lets go of it.
        self._lock = -1
        # None while every one is taken.
        self.place: Path | None = None
        self._server: asyncio.AbstractServer | None = None
        self._lines: set[_Line] = set()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take a place and listen there as soon as the loop runs."""
        for path, lock in self._places:
            if (held := _held(lock)) >= 0:
                self._lock, self.place = held, path
                # Already here a question can come: it waits until the loop runs.
                self._serving = loop.create_task(self._serve(loop, listening(path, mode=0o660)))
                return
        if self._places:
            loop.call_later(_RETRY, self.start, loop)

    async def _serve(self, loop: asyncio.AbstractEventLoop, knocked: socket.socket) -> None:
        self._server = await loop.create_unix_server(lambda: _Line(self), sock=knocked)

    async def end(self) -> None:
        """Take no more questions, and answer those that came; for a worker that is told to end."""
        if self._server is not None:
            self._server.close()
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE
        while any(line.asked for line in self._lines) and loop.time() < until:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(_LOOK)
        for line in list(self._lines):
            line.cut()

    def joined(self, line: "_Line") -> None:
        """A proxy has come."""
        self._lines.add(line)

    def left(self, line: "_Line") -> None:
        """It has gone."""
        self._lines.discard(line)

    def ask(self, environ: Mapping[str, Any], answer: Callable[[Answer], None]) -> None:
        """Decide about one question, as WSGI would tell it; the answer comes in the loop, later or at once."""
        missing: list[str] = []
        begun = self._begun(environ, missing.append)
        if missing:
            # Only the directory is waited for in a thread; the record then goes with those of all others.
            work = asyncio.get_running_loop().run_in_executor(self._threads, self._decider.read, missing[0])
            work.add_done_callback(lambda _: self._go_on(self._begun(environ), environ, answer))
        else:
            self._go_on(begun, environ, answer)

    def _go_on(self, begun: Begun | None, environ: Mapping[str, Any], answer: Callable[[Answer], None]) -> None:
        """Record what was begun; what was not is asked for the long way."""
        if begun is not None:
            self._together.submit(begun.event, partial(self._recorded, begun, answer))
            return
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, answered, environ, self._decider, self._pairs)
        work.add_done_callback(lambda done: answer(done.result()))

    def _begun(self, environ: Mapping[str, Any], missing: Callable[[str], None] | None = None) -> Begun | None:
        """A decision that waits for nothing but its record; None where it is asked for the long way."""
        try:
            question = question_of(environ, self._pairs)
            return self._decider.begin(question, missing=missing) if question is not None and self._fresh() else None
        except Exception:  # noqa: BLE001 - nothing was told: the long way asks again, and refuses what it cannot read
            return None

    def _recorded(self, begun: Begun, answer: Callable[[Answer], None], error: TallygateError | None) -> None:
        if error is not None:
            answer(self._decider.unrecorded(begun.number, error))
        elif self._decider.late(begun):
            # The log stood still, and with it the news; they may have to be waited for.
            work = asyncio.get_running_loop().run_in_executor(self._threads, self._decider.told, begun)
            work.add_done_callback(lambda done: answer(done.result()))
        else:
            answer(self._decider.told(begun))


class _Line(asyncio.Protocol):
    """One kept line of a proxy's: one question after the other."""

    def __init__(self, owner: Asking) -> None:
        self._owner = owner
        self._buffer = b""
        # Whether a question is being decided.
        self.asked = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A proxy knocked; that it is one of ours every question shows by its secret."""
        self._transport = transport  # type: ignore[assignment]  # a stream's is asyncio.Transport
        self._owner.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature of asyncio
        """What is being decided is recorded all the same, and told to nobody."""
        self._transport = None
        self._owner.left(self)

    def data_received(self, data: bytes) -> None:
        """Take a question once it is whole."""
        self._buffer += data
        if self.asked or len(self._buffer) > _LONGEST:
            # Nobody asks again before the answer.
            self.cut()
            return
        head, end, rest = self._buffer.partition(_END)
        if not end:
            return
        self._buffer = b""
        if rest:
            self.cut()
            return
        self.asked = True
        try:
            self._owner.ask(environ_of_head(head), self._answer)
        except ValueError:
            self.cut()
        except Exception:  # noqa: BLE001 - a line that ends is a refusal, whatever it was
            _log.error("question_not_asked", exc_info=True)
            self.cut()

    def _answer(self, answer: Answer) -> None:
        self.asked = False
        if self._transport is None:
            return
        try:
            self._transport.write(_told(answer))
        except ValueError:
            _log.error("answer_not_told", status=answer.status)
            self.cut()

    def cut(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.abort()


def environ_of_head(head: bytes) -> dict[str, Any]:
    """A question's head as WSGI would tell it (PEP 3333); what was given twice is joined.

    Raises:
        ValueError: it is no question as our proxies write them.
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    path, _, version = rest.partition(" ")
    if version != "HTTP/1.1" or not path.startswith(PREFIX):
        raise ValueError("no question")
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path}
    for line in lines:
        name, colon, value = line.partition(": ")
        told = _NAMES.get(name) or _named(name)
        if not colon or told in _UNTAKEN:
            raise ValueError("no header of a question")
        if told in environ:
            environ[told] += (";" if told == "HTTP_COOKIE" else ",") + value
        else:
            environ[told] = value
    return environ


def _named(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError("no name of a header")
    told = "HTTP_" + name.replace("-", "_").upper()
    if len(_NAMES) < _MOST_NAMES:
        _NAMES[name] = told
    return told


def _told(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {STATUS_LINES[answer.status]}"]
    lines += [f"{name}: {value}" for name, value in headers_of(answer)]
    text = "\r\n".join(lines)
    if text.count("\r\n") != len(lines) - 1 or text.count("\n") != len(lines) - 1:
        # Nothing that an answer holds has a line's end in it.
        raise ValueError("an answer of more lines than it has headers")
    return text.encode("ascii") + _END


def _held(path: Path) -> int:
    """The lock of a place, or -1 where another worker has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return -1
    return descriptor
