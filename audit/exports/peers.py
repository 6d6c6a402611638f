# SPDX-License-Identifier: Apache-2.0
"""What stands at the other end: a stream, a file or a webhook, each made of its settings."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from core.clock import Clock
from core.config import secret

from ..config import ExportKind, ExportTarget
from .files import LineFile
from .formats import Outgoing, batch, batch_id, cef, ocsf, octet_counted, syslog
from .streams import Stream, trust
from .webhook import Webhook

Render = Callable[[Outgoing], bytes]
_PATIENCE = 60.0
SETTLES = 2.0
"""Seconds that a stream must stay whole after the last byte arrived, before what it carried counts as taken."""
_TLS, _MEGABYTE = 6514, 1024 * 1024


class Peer(Protocol):
    """One receiver; any error of it means that it is closed and nothing since the last confirmation counts."""

    # Seconds after which what was delivered counts as taken, if nothing broke meanwhile.
    settles: float

    def deliver(self, sent: Sequence[Outgoing], *, first: int, last: int, stopped: Callable[[], bool]) -> None:
        """Hand over what goes there of one stretch of the log.

        Raises:
            PeerSilent: it did not take all of it.
            PeerUntrusted: it is not the one that is meant.
            PeerForbidden: nothing is sent to such an address.
        """
        ...

    def check(self) -> None:
        """Raises as ``deliver`` if it is known to have gone."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def peer_of(target: ExportTarget, *, clock: Clock, enterprise: int, private: bool) -> Peer:
    """The receiver that the settings mean; connects when something is sent.

    Raises:
        ConfigurationError: the secret cannot be used.
        OSError: a certificate or key cannot be read.
    """
    if target.scheme == "file":
        path = Path(unquote(urlsplit(target.address).path))
        file = LineFile(path, size=target.file_size * _MEGABYTE, kept=target.files_kept)
        return FilePeer(file, _lines(target.kind))
    if target.scheme == "tcp":
        return StreamPeer(target, _lines(target.kind), secure=False)
    if target.kind is ExportKind.WEBHOOK and target.secret is not None:
        context = trust(roots=target.roots, certificate=target.certificate, key=target.key)
        webhook = Webhook(
            target.address,
            secret=secret(target.secret),
            signing=target.signature,
            context=context,
            private=private,
        )
        return WebhookPeer(webhook, clock)
    if target.kind is ExportKind.SYSLOG:
        return StreamPeer(target, lambda sent: octet_counted(syslog(sent, enterprise=enterprise)), secure=True)
    if target.scheme == "syslog":
        return StreamPeer(
            target,
            lambda sent: octet_counted(syslog(sent, enterprise=enterprise, message=cef(sent))),
            secure=True,
        )
    return StreamPeer(target, _lines(target.kind), secure=True)


class StreamPeer:
    """Records on a connection."""

    settles = SETTLES

    def __init__(self, target: ExportTarget, render: Render, *, secure: bool) -> None:
        parts = urlsplit(target.address)
        self._host, self._port = parts.hostname or "", parts.port or _TLS
        self._target = target
        self._secure = secure
        self._render = render
        self._stream: Stream | None = None

    def deliver(self, sent: Sequence[Outgoing], *, first: int, last: int, stopped: Callable[[], bool]) -> None:  # noqa: ARG002 - records carry their own places
        """Send, and wait until the other side's kernel has it."""
        if self._stream is None:
            given = self._target
            context = trust(roots=given.roots, certificate=given.certificate, key=given.key) if self._secure else None
            self._stream = Stream.open(self._host, self._port, context=context)
        self._stream.send(b"".join(map(self._render, sent)), patience=_PATIENCE, stopped=stopped)

    def check(self) -> None:
        """Hear whether it hung up."""
        if self._stream is not None:
            self._stream.check()

    def close(self) -> None:
        """Hang up."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


class FilePeer:
    """Lines in a file."""

    settles = 0.0

    def __init__(self, file: LineFile, render: Render) -> None:
        self._file = file
        self._render = render

    def deliver(self, sent: Sequence[Outgoing], *, first: int, last: int, stopped: Callable[[], bool]) -> None:  # noqa: ARG002 - a file is never slow
        """Write and sync."""
        self._file.append(b"".join(map(self._render, sent)))

    def check(self) -> None:
        """A file does not hang up."""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class WebhookPeer:
    """Signed batches."""

    settles = 0.0

    def __init__(self, webhook: Webhook, clock: Clock) -> None:
        self._webhook = webhook
        self._clock = clock

    def deliver(self, sent: Sequence[Outgoing], *, first: int, last: int, stopped: Callable[[], bool]) -> None:  # noqa: ARG002 - an answer comes in time or not at all
        """Post one batch."""
        body = batch(sent, first=first, last=last)
        self._webhook.post(body, identifier=batch_id(sent[0].log, first, last), at=self._clock.now())

    def check(self) -> None:
        """Nothing is kept open."""

    def close(self) -> None:
        """Nothing is kept open."""


def _lines(kind: ExportKind) -> Render:
    render = cef if kind is ExportKind.CEF else ocsf
    return lambda sent: render(sent) + b"\n"
