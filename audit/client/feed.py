# SPDX-License-Identifier: Apache-2.0
"""The news from the log over its socket. Heartbeats are signed, so silence cannot be filled by anybody else.

A heartbeat counts only if the pinned key signed it for this very session, it is later than the one before, it names
exactly the entries heard so far, and it was signed within ``patience`` of now. Entries that the follower did not ask
for count as heard when the log says that it passed them over. Where retention removed what a follower had not heard
the session begins behind that, and both sides say so: such entries are older than anything a follower still acts on.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.clock import Clock, SystemClock
from core.log import logger

from ..errors import BadEvent, ProofRefused
from ..merkle import VerifierKey
from ..merkle.tiles import unpack
from ..models import Entry
from ..models_codec import milliseconds
from ..press import SHAPES
from ..wire import Frame, WireBroken, heartbeat_message, parse, read_passed
from .channel import Channel

# Where to begin for a follower that keeps nothing: at the log's present end.
LATEST = -1
_INDEX_SIZE = 8
_log = logger(__name__)


class FeedClient:
    """Follows the log; one session per call of ``follow``.

    ``about`` names the beginnings of the event types to hear; without it everything is heard. Now and then an entry of
    another type comes too, so that the follower's place in the log moves.
    """

    def __init__(
        self,
        path: Path,
        *,
        caller: str,
        secret: bytes,
        log_key: str,
        clock: Clock | None = None,
        patience: float = 1.0,
        about: Sequence[str] = (),
    ) -> None:
        self._path = path
        self._caller = caller
        self._secret = secret
        self._key = VerifierKey.parse(log_key)
        self._clock = clock or SystemClock()
        self._patience = patience
        self._about = tuple(about)
        self._channel: Channel | None = None

    def follow(self, start: int, hear: Callable[[Sequence[Entry]], None]) -> None:
        """Deliver entries from ``start`` on; an empty sequence is a heartbeat. Returns when the line breaks.

        What ``hear`` raises goes through and ends the session.
        """
        try:
            channel, opened = Channel.open(
                self._path,
                caller=self._caller,
                secret=self._secret,
                key=self._key,
                timeout=5.0,
                feed=start,
                about=self._about,
            )
        except (OSError, WireBroken):
            return
        self._channel = channel
        try:
            begun = _begun(opened, start)
            # The log beats four times a second: a line that is silent for longer is dead.
            channel.settimeout(max(self._patience, 1.0))
            self._listen(channel, _Session(begun, channel.nonce, self._key), hear)
        except (_Broken, OSError, WireBroken):
            return
        finally:
            self._channel = None
            channel.close()

    def close(self) -> None:
        """End the running session, from another thread."""
        channel = self._channel
        if channel is not None:
            channel.close()

    def _listen(self, channel: Channel, session: "_Session", hear: Callable[[Sequence[Entry]], None]) -> None:
        while True:
            for kind, content in _received(channel):
                if kind is Frame.ENTRIES:
                    hear(session.entries(content))
                elif kind is Frame.PASSED and self._about:
                    session.passed(content)
                elif kind is Frame.HEARTBEAT:
                    at = session.heartbeat(parse(content))
                    if abs(milliseconds(self._clock.now()) - at) <= self._patience * 1000:
                        hear(())
                else:
                    raise WireBroken


def _begun(opened: dict[str, Any], asked: int) -> int:
    """Where the session begins: where it was asked for, or behind it where retention removed what was asked for.

    Raises:
        WireBroken: elsewhere.
    """
    start = opened.get("start")
    if type(start) is not int or start < max(0, asked):
        raise WireBroken
    if 0 <= asked < start:
        _log.error("feed_passed_over_pruned", asked=asked, start=start)
    return start


class _Broken(Exception):
    """The line broke, or carried what the log does not say."""


def _received(channel: Channel) -> list[tuple[Frame, bytes]]:
    """Only what the line itself raises means that it broke."""
    try:
        return list(channel.receive())
    except (OSError, WireBroken) as error:
        raise _Broken from error


class _Session:
    """Where one session stands: the next index, and the last heartbeat's time."""

    def __init__(self, start: int, nonce: bytes, key: VerifierKey) -> None:
        self._position = start
        self._last = 0
        self._nonce = nonce
        self._key = key

    def entries(self, content: bytes) -> list[Entry]:
        """The next entries, without a gap.

        Raises:
            WireBroken: not the ones that follow.
        """
        first = int.from_bytes(content[:_INDEX_SIZE], "big")
        # Nothing to hear would pass for a heartbeat.
        if first != self._position or len(content) <= _INDEX_SIZE:
            raise WireBroken
        try:
            entries = [SHAPES.entry(first + i, raw) for i, raw in enumerate(unpack(content[_INDEX_SIZE:]))]
        except (BadEvent, ProofRefused) as error:
            raise WireBroken from error
        self._position += len(entries)
        return entries

    def passed(self, content: bytes) -> None:
        """Move over a stretch without anything that was asked for.

        Raises:
            WireBroken: not the one that follows.
        """
        first, following = read_passed(content)
        if first != self._position or following <= first:
            raise WireBroken
        self._position = following

    def heartbeat(self, said: dict[str, Any]) -> int:
        """The time at which the log said that it has no more than we heard.

        Raises:
            WireBroken: forged, replayed, or about another size.
        """
        size, at = said.get("size"), said.get("time")
        if type(size) is not int or type(at) is not int or size != self._position or at <= self._last:
            raise WireBroken
        try:
            signature = base64.b64decode(said["signature"], validate=True)
            self._key.verify_bytes(signature, heartbeat_message(self._key.name, self._nonce, size, at))
        except (KeyError, TypeError, ValueError, binascii.Error, ProofRefused) as error:
            raise WireBroken from error
        self._last = at
        return at
