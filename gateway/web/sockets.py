# SPDX-License-Identifier: Apache-2.0
"""The keeper of WebSockets: stands between nginx and the hosts, so that what was allowed can be ended.

nginx asked for the decision and tells the keeper by a sealed header what the connection hangs on. The keeper records
it, opens the host's side, sees that the host really changed the protocol (a proxy that takes any answer for a change
lets a client send the host requests that nobody decided on), and carries bytes until one side or the record ends it.
"""

import asyncio
import base64
import binascii
import hashlib
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from core.calls import CALLER_HEADER, SECRET_HEADER, PairSecrets, listening
from core.clock import Clock
from core.errors import TallygateError, Unauthenticated
from core.log import logger

from ..errors import TokenRefused
from ..models import TIES
from ..service.sockets import Held, Sockets
from ..tokens import Sealing, Ties
from .frames import CLOSED_BY_POLICY, Frames
from .streams import LONGEST_HEAD, PATIENCE, Carried, Head, NotOne, pump, read_head, say

_EVERY = 0.2
_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 section 1.3."""
_NOT_PASSED = frozenset({CALLER_HEADER.lower(), SECRET_HEADER.lower(), TIES.lower(), "connection", "upgrade"})
_PROTOCOLS = re.compile(r"[A-Za-z0-9._~!#$%&'*+^`|-]+(, ?[A-Za-z0-9._~!#$%&'*+^`|-]+)*\Z")
_log = logger(__name__)


class Keeper:
    """Serves one Unix socket until its process ends."""

    def __init__(
        self, sockets: Sockets, *, pairs: PairSecrets, sealing: Sealing, clock: Clock, where: Callable[[str, str], Path]
    ) -> None:
        """``where`` is the socket of a role by its name."""
        self._sockets = sockets
        self._pairs = pairs
        self._sealing = sealing
        self._clock = clock
        self._where = where

    def start(self, path: Path) -> threading.Thread:
        """In a thread of its own; ends with the process."""
        ready = threading.Event()
        thread = threading.Thread(
            target=lambda: asyncio.run(self.serve(path, ready.set)), name="gateway-sockets", daemon=True
        )
        thread.start()
        ready.wait(PATIENCE)
        return thread

    async def serve(self, path: Path, ready: Callable[[], None] = lambda: None) -> None:
        """Listen."""
        # Bound before the loop begins to serve, in a folder that is the role's own.
        server = await asyncio.start_unix_server(self._asked, sock=listening(path, mode=0o660), limit=LONGEST_HEAD)
        ready()
        async with server:
            while True:
                await asyncio.sleep(_EVERY)
                self._sockets.watch()

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._kept(reader, writer)
        except (NotOne, TokenRefused, Unauthenticated):
            await say(writer, "400 Bad Request")
        except TallygateError as error:
            _log.info("socket_not_opened", code=error.code)
            await say(writer, "503 Service Unavailable")
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            await say(writer, "502 Bad Gateway")
        finally:
            writer.close()

    async def _kept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        if self._pairs.caller(head.one(CALLER_HEADER.lower()), head.one(SECRET_HEADER.lower())) != "nginx":
            raise NotOne
        accept = _accept(head)
        ties = self._sealing.opened(head.one(TIES.lower()), at=self._clock.now())
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def end(_reason: str) -> None:
            with suppress(RuntimeError):  # the loop ended with the process
                loop.call_soon_threadsafe(ended.set)

        held = await asyncio.to_thread(self._sockets.open, ties, end=end)
        carried = Carried(client=(reader, writer), ended=ended, passing=self._sockets.passing)
        reason = "refused"
        try:
            reason = await self._carry(head, accept, ties, carried)
        finally:
            await asyncio.shield(asyncio.to_thread(self._close, held, reason, carried))

    def _close(self, held: Held, reason: str, carried: Carried) -> None:
        self._sockets.close(held, reason, sent=carried.sent, received=carried.received)

    async def _carry(self, head: Head, accept: str, ties: Ties, carried: Carried) -> str:
        (reader, writer), ended = carried.client, carried.ended
        above, below = await asyncio.wait_for(
            asyncio.open_unix_connection(self._where(ties.role, ties.live), limit=LONGEST_HEAD), PATIENCE
        )
        try:
            below.write(_passed_on(head))
            await below.drain()
            answer = await asyncio.wait_for(read_head(above), PATIENCE)
            chosen = answer.one("sec-websocket-protocol")
            offered = [one.strip() for one in head.one("sec-websocket-protocol").split(",")]
            changed = answer.first.split(" ", 2)[:2] == ["HTTP/1.1", "101"]
            if not changed or answer.one("sec-websocket-accept") != accept or (chosen and chosen not in offered):
                raise OSError
            lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
            lines += [f"Sec-WebSocket-Accept: {accept}", *([f"Sec-WebSocket-Protocol: {chosen}"] if chosen else [])]
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
            frames = Frames()
            tasks = {
                asyncio.create_task(pump(reader, below, carried.count_received, passing=carried.passing)): "client",
                asyncio.create_task(
                    pump(above, writer, carried.count_sent, frames.feed, passing=carried.passing)
                ): "host",
                asyncio.create_task(ended.wait()): "ended",
            }
            done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if ended.is_set():
                if frames.between:
                    with suppress(OSError):
                        writer.write(CLOSED_BY_POLICY)
                return "ended"
            return tasks[done.pop()]
        finally:
            below.close()


def _accept(head: Head) -> str:
    """What the host has to answer (RFC 6455 section 4.2.2).

    Raises:
        NotOne: it is no request of section 4.1, or brings a body.
    """
    parts = head.first.split(" ")
    key = head.one("sec-websocket-key")
    try:
        decoded = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotOne from error
    offered = head.one("sec-websocket-protocol")
    if (
        len(parts) != 3  # noqa: PLR2004 - method, target, version
        or (parts[0], parts[2]) != ("GET", "HTTP/1.1")
        or len(decoded) != 16  # noqa: PLR2004 - as the section says
        or head.one("sec-websocket-version") != "13"
        or head.one("upgrade").lower() != "websocket"
        or head.one("transfer-encoding")
        or head.one("content-length") not in ("", "0")
        or (offered and not _PROTOCOLS.match(offered))
    ):
        raise NotOne
    return base64.b64encode(hashlib.sha1(key.encode() + _ACCEPT, usedforsecurity=False).digest()).decode()


def _passed_on(head: Head) -> bytes:
    # No extension is offered on, so that none can be agreed on that the client did not hear of.
    lines = [head.first, "Upgrade: websocket", "Connection: Upgrade"]
    lines += [
        f"{name}: {value}"
        for name, value in head.headers
        if name not in _NOT_PASSED and name not in ("content-length", "sec-websocket-extensions") and value
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
