# SPDX-License-Identifier: Apache-2.0
"""A connection to the log's socket, made by a caller that checked the log's signature before it showed its secret."""

import base64
import binascii
import contextlib
import secrets
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ProofRefused
from ..merkle import VerifierKey
from ..wire import NONCE_SIZE, Frame, Frames, WireBroken, document, frame, hello_message, parse

# Entries come in chunks of up to 128.
_LARGEST = 16 * 1024 * 1024
_READ = 256 * 1024


class Channel:
    """One open line; one thread reads, any thread may write under its owner's lock."""

    def __init__(self, connection: socket.socket, nonce: bytes) -> None:
        self._connection = connection
        self._frames = Frames(_LARGEST)
        # What came together with an expected frame, for the reader that follows.
        self._early: list[tuple[Frame, bytes]] = []
        self.nonce = nonce

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        caller: str,
        secret: bytes,
        key: VerifierKey,
        timeout: float,
        feed: int | None = None,
        about: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> tuple["Channel", dict[str, Any]]:
        """Connect, verify the log, show the secret, and say what for; ``about`` are the feed's event types.

        A line on which ``settings`` are told, by which the caller works, carries nothing else.

        ``timeout`` is for all of it together.

        Raises:
            OSError, WireBroken: no line.
        """
        deadline = time.monotonic() + timeout
        nonce = secrets.token_bytes(NONCE_SIZE)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        channel = cls(connection, nonce)
        try:
            connection.settimeout(timeout)
            connection.connect(str(path))
            channel.send(frame(Frame.HELLO, nonce))
            _check_proof(channel.expect(Frame.PROOF, deadline), key, nonce)
            shown = base64.b64encode(secret).decode()
            said: dict[str, Any] = {"caller": caller, "secret": shown, "feed": feed}
            if about:
                said["about"] = list(about)
            if settings is not None:
                said["settings"] = dict(settings)
            channel.send(document(Frame.OPEN, said))
            return channel, parse(channel.expect(Frame.OPENED, deadline))
        except BaseException:
            connection.close()
            raise

    def send(self, content: bytes) -> None:
        """Write whole frames."""
        self._connection.sendall(content)

    def expect(self, wanted: Frame, deadline: float | None = None) -> bytes:
        """The next frame, which must be of this kind and come before ``deadline``."""
        while not self._early:
            if deadline is not None:
                self._connection.settimeout(_left(deadline))
            self._early = list(self.receive())
        kind, content = self._early.pop(0)
        if kind is not wanted:
            raise WireBroken
        return content

    def receive(self) -> Iterator[tuple[Frame, bytes]]:
        """Frames from the next piece of the stream, perhaps none.

        Raises:
            OSError: the line broke, or nothing came in time.
            WireBroken: what came is not of the protocol.
        """
        if self._early:
            early, self._early = self._early, []
            yield from early
            return
        data = self._connection.recv(_READ)
        if not data:
            raise ConnectionResetError
        yield from self._frames.feed(data)

    def settimeout(self, timeout: float | None) -> None:
        """How long a read or write may take."""
        self._connection.settimeout(timeout)

    def read_for_ever(self, *, write: float) -> None:
        """From now on a read waits as long as it takes, and a write for at most so many seconds."""
        self._connection.settimeout(None)
        seconds, rest = divmod(write, 1)
        limit = struct.pack("@ll", int(seconds), int(rest * 1_000_000))
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def given_away(self) -> socket.socket:
        """The line itself, for an event loop that reads it from now on.

        Raises:
            WireBroken: the log said something before it was asked anything.
        """
        if self._early or self._frames.begun:
            self.close()
            raise WireBroken
        self._connection.setblocking(False)  # noqa: FBT003 - the signature of the library
        return self._connection

    def close(self) -> None:
        """Cut the line; a blocked reader returns."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _check_proof(content: bytes, key: VerifierKey, nonce: bytes) -> None:
    said = parse(content)
    try:
        signature = base64.b64decode(said["signature"], validate=True)
        key.verify_bytes(signature, hello_message(key.name, nonce))
    except (KeyError, TypeError, ValueError, binascii.Error, ProofRefused) as error:
        raise WireBroken from error
    if said.get("origin") != key.name:
        raise WireBroken
