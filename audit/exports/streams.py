# SPDX-License-Identifier: Apache-2.0
"""One connection on which records flow one way, over TLS or plain, and what can be known about their arrival.

Neither syslog nor lines have an answer. What the kernel knows is how much the other side's kernel has acknowledged;
so nothing more is sent before everything sent so far has arrived there, and a slow reader holds up its own target
only. What its process had not yet read when it died is sent again, see ``Exporter``.
"""

import errno
import fcntl
import socket
import ssl
import struct
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from .errors import PeerSilent, PeerUntrusted

_CONNECT = 10.0
_POLL = 0.005
_LONGEST_POLL = 0.1
_NOISE = 4096
# One record of TLS.
_PIECE = 16 * 1024


class Stream:
    """Open, until anything fails; then it is thrown away."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    @classmethod
    def open(cls, host: str, port: int, *, context: ssl.SSLContext | None) -> Self:
        """Connect, and over TLS know whom.

        Raises:
            PeerSilent: nobody answers there.
            PeerUntrusted: not by a certificate the settings trust, or it does not trust ours.
        """
        try:
            line = socket.create_connection((host, port), timeout=_CONNECT)
        except OSError as error:
            raise PeerSilent(why=_words(error)) from error
        try:
            if context is not None:
                line = context.wrap_socket(line, server_hostname=host)
            line.settimeout(_CONNECT)
        except ssl.SSLError as error:
            line.close()
            raise PeerUntrusted(why=_words(error)) from error
        except OSError as error:
            line.close()
            raise PeerSilent(why=_words(error)) from error
        return cls(line)

    def send(self, content: bytes, *, patience: float, stopped: Callable[[], bool]) -> None:
        """Hand over, and wait until the other side's kernel has all of it.

        Raises:
            PeerSilent: the line broke, or it was not taken within ``patience`` seconds, or the process ends.
            PeerUntrusted: the receiver does not trust our certificate.
        """
        self.check()
        self._write(content, patience)
        # A reader that takes some now and then is slow and not dead: patience is for a stretch without any.
        left, since, pause = self._unacknowledged(), time.monotonic(), _POLL
        while left:
            if stopped():
                raise PeerSilent(why="the process ends")
            if time.monotonic() - since > patience:
                raise PeerSilent(why="it reads nothing")
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_POLL)
            self.check()
            now = self._unacknowledged()
            if now < left:
                left, since = now, time.monotonic()
        self.check()

    def check(self) -> None:
        """Hear whether the other side has hung up; what it says otherwise is ignored.

        Raises:
            PeerSilent: it has.
            PeerUntrusted: it says that it does not trust our certificate.
        """
        self._line.settimeout(0)
        try:
            while self._line.recv(_NOISE):
                pass
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except ssl.SSLError as error:
            raise PeerUntrusted(why=_words(error)) from error
        except OSError as error:
            raise PeerSilent(why=_words(error)) from error
        raise PeerSilent(why="it hung up")

    def close(self) -> None:
        """Say good-bye as TLS asks for, as far as that can be done without waiting."""
        with suppress(OSError, ValueError):
            if isinstance(self._line, ssl.SSLSocket):
                self._line.settimeout(0)
                self._line.unwrap()
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)
        self._line.close()

    def _write(self, content: bytes, patience: float) -> None:
        self._line.settimeout(patience)
        view = memoryview(content)
        try:
            while view:
                view = view[self._line.send(view[:_PIECE]) :]
        except ssl.SSLError as error:
            raise PeerUntrusted(why=_words(error)) from error
        except OSError as error:
            raise PeerSilent(why=_words(error)) from error

    def _unacknowledged(self) -> int:
        # SIOCOUTQ of tcp(7): bytes in the send queue that the other side has not acknowledged.
        [count] = struct.unpack("i", fcntl.ioctl(self._line.fileno(), termios.TIOCOUTQ, struct.pack("i", 0)))
        return int(count)


def trust(*, roots: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """By whom receivers are known, and how we show ourselves.

    Raises:
        OSError: a file cannot be read.
        ssl.SSLError: a file holds something else.
    """
    context = ssl.create_default_context(cafile=str(roots) if roots else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def _words(error: OSError) -> str:
    """What went wrong, in a few words without addresses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return error.reason or "the TLS handshake failed"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "its name is unknown"
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
