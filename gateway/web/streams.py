# SPDX-License-Identifier: Apache-2.0
"""What those who keep connections share: the head of a message, bytes carried on and counted, a short answer."""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

LONGEST_HEAD = 32 * 1024
PATIENCE = 10.0
"""Seconds within which a head must come, and somebody must answer."""
_PART = 64 * 1024
_HELD = 0.05
"""Seconds between two looks whether what came may pass."""
_NAME = re.compile(r"[A-Za-z0-9-]+\Z")


class NotOne(Exception):
    """What came is not the request that is taken here, or was answered with something else."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """First line and headers of a message, names in lower case."""

    first: str
    headers: list[tuple[str, str]] = field(default_factory=list)

    def one(self, name: str) -> str:
        """The value; empty if there is none.

        Raises:
            NotOne: there are two.
        """
        found = [value for key, value in self.headers if key == name]
        if len(found) > 1:
            raise NotOne
        return found[0] if found else ""


@dataclass
class Carried:
    """One connection that is kept: its client's side, the sign that it is over, and what went each way."""

    client: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ended: asyncio.Event
    # Whether anything may pass at this moment.
    passing: Callable[[], bool]
    sent: int = 0
    received: int = 0
    # When the last byte went, by the monotonic clock.
    touched: float = field(default_factory=time.monotonic)

    def count_sent(self, count: int) -> None:
        """From the host to the client."""
        self.sent += count
        self.touched = time.monotonic()

    def count_received(self, count: int) -> None:
        """From the client to the host."""
        self.received += count
        self.touched = time.monotonic()


async def pump(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    count: Callable[[int], None],
    watch: Callable[[bytes], None] = lambda _: None,
    *,
    passing: Callable[[], bool],
) -> None:
    """Carry on what comes until one side ends, and nothing while it may not pass."""
    with suppress(OSError):
        while part := await reader.read(_PART):
            while not passing():  # noqa: ASYNC110 - who could tell is another thread, and this is seldom
                await asyncio.sleep(_HELD)
            count(len(part))
            watch(part)
            writer.write(part)
            await writer.drain()


async def read_head(reader: asyncio.StreamReader) -> Head:
    """What a message begins with.

    Raises:
        NotOne: a line of it is no header.
        OSError, EOFError, LimitOverrunError: it does not come, not in time, or is too long.
    """
    content = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    first, *lines = content.decode("latin-1")[:-4].split("\r\n")
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _NAME.match(name):
            raise NotOne
        headers.append((name.lower(), value.strip(" \t")))
    return Head(first=first, headers=headers)


async def say(writer: asyncio.StreamWriter, status: str, *headers: str, body: bytes = b"") -> None:
    """Answer, as the last thing of a connection."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "Connection: close"]
    with suppress(OSError):
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + body)
        await writer.drain()
