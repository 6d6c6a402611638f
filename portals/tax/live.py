# SPDX-License-Identifier: Apache-2.0
"""The number that is being served at the tax office, over a WebSocket (RFC 6455) for as long as somebody looks.

The portal checks the gateway's signed header once, when the socket opens. That the visitor may still look is not its
business: the gateway ends the socket when the session, the person or the policies say otherwise.
"""

import asyncio
import base64
import hashlib
import json
import socket
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from core.calls import listening
from core.clock import Clock
from core.identity import HEADER, IdentityRefused, IdentityVerifier

PATH = "/queue/live"
_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LONGEST = 32 * 1024
_EVERY, _PATIENCE = 1.0, 10.0
_TEXT, _CLOSE = 0x81, b"\x88\x02\x03\xe9"
_SERVED_IN = 60
"""Seconds that one visitor takes at the counter of this city."""


class LiveQueue:
    """Serves one Unix socket."""

    def __init__(self, verifier: IdentityVerifier, *, clock: Clock) -> None:
        self._verifier = verifier
        self._clock = clock

    def start(self, path: Path) -> None:
        """In a thread that ends with the process."""
        made = listening(path, mode=0o660)
        threading.Thread(target=lambda: asyncio.run(self._serve(made)), name="tax-live", daemon=True).start()

    async def _serve(self, listening: socket.socket) -> None:
        server = await asyncio.start_unix_server(self._asked, sock=listening, limit=_LONGEST)
        async with server:
            await server.serve_forever()

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            writer.write(self._answer(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE)))
            gone = asyncio.create_task(reader.read(1))
            # Whatever the visitor sends, there is nothing to say to the counter: it ends the socket.
            while not gone.done():
                writer.write(_frame(json.dumps({"serving": serving(self._clock.now())}).encode()))
                await writer.drain()
                await asyncio.wait([gone], timeout=_EVERY)
            writer.write(_CLOSE)
        writer.close()

    def _answer(self, head: bytes) -> bytes:
        first, *lines = head.decode("latin-1")[:-4].split("\r\n")
        told = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, target, _ = [*first.split(" "), "", ""][:3]
        try:
            self._verifier.verify(told.get(HEADER.lower()), method=method, path=target, at=self._clock.now())
        except IdentityRefused as error:
            raise ConnectionRefusedError from error
        digest = hashlib.sha1(told.get("sec-websocket-key", "").encode() + _ACCEPT, usedforsecurity=False).digest()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        lines.append(f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def serving(at: datetime) -> int:
    """The number at the counter."""
    return int(at.timestamp()) // _SERVED_IN % 1000


def _frame(content: bytes) -> bytes:
    return bytes((_TEXT, len(content))) + content
