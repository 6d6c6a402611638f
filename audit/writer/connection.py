# SPDX-License-Identifier: Apache-2.0
"""One caller's connection: proves the log, checks the caller, then appends or feeds.

Answers are collected and written once per batch; a caller that is leaving is not written to, and one that does not
read is cut.
"""

import asyncio
import base64
import contextlib
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from core.errors import TallygateError, Unauthenticated
from core.log import logger

from ..errors import BadEvent
from ..lineage import CLOSED, CREATED
from ..merkle.tiles import pack
from ..models import Receipt, Wait
from ..models_codec import Draft, milliseconds
from ..models_settings import CHANGED, Stated
from ..press import SHAPES
from ..wire import (
    MAX_MANY,
    NONCE_SIZE,
    Frame,
    Frames,
    WireBroken,
    document,
    frame,
    heartbeat_message,
    hello_message,
    parse,
    passed_frame,
    read_append,
    read_append_many,
    receipt_frame,
    receipts_frame,
    refusal_frame,
)

if TYPE_CHECKING:
    from .log import Place
    from .server import Server

Answer = Callable[[Receipt | TallygateError], None]
Answers = Callable[[Sequence["Place | TallygateError"], str], None]
"""Takes the places of many events, and the checkpoint that covers them if somebody waited for one."""
HEARTBEAT = 0.25
_PATIENCE = 5.0
_UNREAD = 4 * 1024 * 1024
# Seconds after which a follower that does not read what is waiting for it is cut.
_STALLED = 30.0
_CHUNK = 128
# A follower that asked for few types hears at least one entry in so many, whatever it is about: its place moves.
_CODE = b'"event_code":"'
_STRIDE = 512
_MOST_TYPES = 64
# Roles that may write events in another's name: the operator's own command line, as at the birth of the site.
_ANY_SOURCE = "app"
# An end that only passes requests on has nothing to say to the record but by which settings it does.
_STRANGERS = frozenset({"nginx"})
# Whoever could write these could end the log, forge its lineage, or say for others by which settings they work.
_OWN = frozenset({CREATED, CLOSED, CHANGED})
_TYPE = re.compile(r"[a-z][a-z._]{0,63}", flags=re.ASCII)


class Connection(asyncio.Protocol):
    """States: hello, open, then appending, feeding, or nothing more, until the line breaks."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._frames = Frames()
        self._caller = ""
        self._admitted = ""
        self._nonce = b""
        self._out: list[bytes] = []
        self._writable = asyncio.Event()
        self._writable.set()
        # What goes on for as long as the line does.
        self._feeding: asyncio.Task[None] | None = None
        # Beginnings of the event types that its feed is about; every type begins with the empty one.
        self._about: tuple[str, ...] = ("",)
        self._news = asyncio.Event()
        self._appends = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the caller a few seconds to say who it is."""
        self._transport = transport  # type: ignore[assignment]  # a stream server makes asyncio.Transport
        self._server.join(self)
        self._deadline = asyncio.get_running_loop().call_later(_PATIENCE, self._demand_opened)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature of asyncio
        """Forget the caller; its requests go on, unanswered."""
        self._deadline.cancel()
        self._transport = None
        self._server.leave(self, self._admitted)
        if self._feeding is not None:
            self._feeding.cancel()

    def pause_writing(self) -> None:
        """The caller reads slowly."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The caller reads again."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Take frames; anything that is not of the protocol ends the connection."""
        try:
            for kind, content in self._frames.feed(data):
                self._take(kind, content)
        except WireBroken:
            self.abort()
        self.flush()

    def send(self, content: bytes) -> None:
        """Collect; ``flush`` writes."""
        if not self._out:
            self._server.sends(self)
        self._out.append(content)

    def flush(self) -> None:
        """Write what was collected, unless nobody is there to read it."""
        if not self._out:
            return
        out, self._out = b"".join(self._out), []
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(out)
        if self._transport.get_write_buffer_size() > _UNREAD:
            self.abort()

    def abort(self) -> None:
        """Cut the line."""
        if self._transport is not None:
            self._transport.abort()

    def _take(self, kind: Frame, content: bytes) -> None:
        if kind is Frame.APPEND and self._appends:
            self._append(content)
        elif kind is Frame.APPEND_MANY and self._appends:
            self._append_many(content)
        elif kind is Frame.HELLO and not self._nonce:
            self._hello(content)
        elif kind is Frame.OPEN and self._nonce and not self._caller:
            self._open(parse(content))
        else:
            raise WireBroken

    def _hello(self, nonce: bytes) -> None:
        if len(nonce) != NONCE_SIZE:
            raise WireBroken
        self._nonce = nonce
        key = self._server.log.key
        proof = base64.b64encode(key.sign(hello_message(key.origin, nonce))).decode()
        self.send(document(Frame.PROOF, {"origin": key.origin, "signature": proof}))

    def _open(self, said: dict[str, Any]) -> None:
        caller, secret, start = said.get("caller"), said.get("secret"), said.get("feed")
        settings = said.get("settings")
        if not isinstance(caller, str) or not isinstance(secret, str):
            raise WireBroken
        try:
            self._caller = self._server.pairs.caller(caller, secret)
        except Unauthenticated as error:
            raise WireBroken from error
        stranger = self._caller in _STRANGERS and settings is None
        if stranger or not self._server.admit(self, self._caller):
            raise WireBroken
        self._admitted = self._caller
        self._deadline.cancel()
        if settings is not None:
            self._feeding = asyncio.get_running_loop().create_task(self._take_settings(_stated(settings)))
        elif start is None:
            self._appends = True
            self._frames.allow(MAX_MANY)
            self.send(document(Frame.OPENED, {"size": self._server.size}))
        elif type(start) is int and start <= self._server.place:
            self._about = _types(said.get("about"))
            begin = self._server.place if start < 0 else start
            self._feeding = asyncio.get_running_loop().create_task(self._begin_feed(begin))
        else:
            raise WireBroken

    async def _take_settings(self, stated: Stated) -> None:
        """Say that it is open when the record holds them; a line that is cut says that it does not."""
        with self._cutting("settings_not_recorded"):
            await self._server.take_settings(stated, self._caller)
            self.send(document(Frame.OPENED, {}))
            self.flush()

    def _append(self, content: bytes) -> None:
        request, wait, encoded = read_append(content)

        def answer(result: Receipt | TallygateError) -> None:
            made = receipt_frame(request, result) if isinstance(result, Receipt) else refusal_frame(request, result)
            self.send(made)

        try:
            draft = SHAPES.read(encoded)
        except BadEvent as error:
            answer(error)
            return
        if (refused := self._refused(draft)) is not None:
            answer(refused)
        else:
            self._server.submit(draft, wait, answer, caller=self._caller, size=len(encoded), line=self)

    def _append_many(self, content: bytes) -> None:
        request, wait, events = read_append_many(content)

        def answer(places: Sequence["Place | TallygateError"], checkpoint: str) -> None:
            told = [each if isinstance(each, TallygateError) else (each.index, each.leaf) for each in places]
            self.send(receipts_frame(request, wait, told, checkpoint))
            self.flush()

        self._server.submit_many(
            events,
            wait,
            answer,
            refused=self._refused,
            caller=self._caller,
            size=sum(map(len, events)),
            line=self,
        )

    def _refused(self, draft: Draft) -> BadEvent | None:
        """Why this caller may not write it."""
        if draft.type in _OWN:
            return BadEvent(why="only the log itself says so")
        if self._caller not in (draft.source, _ANY_SOURCE):
            return BadEvent(why="its source is not the caller")
        return None

    async def _begin_feed(self, asked: int) -> None:
        """Record that somebody follows, then feed; without the record there is no feed.

        What retention removed cannot be told: a feed begins at the first entry that is kept, and says so.
        """
        start = asked
        with self._cutting():
            if asked < self._server.place and not self._server.recent(asked, 1):
                start = await asyncio.get_running_loop().run_in_executor(None, self._server.kept_from, asked)
            self._record_feed(start, asked)

    def _record_feed(self, start: int, asked: int) -> None:

        def recorded(result: Receipt | TallygateError) -> None:
            if isinstance(result, TallygateError) or self._transport is None:
                self.abort()
                return
            self.send(document(Frame.OPENED, {"start": start}))
            self._server.feeds(self)
            self._feeding = asyncio.get_running_loop().create_task(self._feed(start))

        facts: dict[str, str | int | bool] = {"start": start}
        if asked < start:
            facts["asked"] = asked
        if any(self._about):
            facts["about"] = " ".join(self._about)
        event = self._server.own_event("audit.feed.opened", self._caller, facts)
        self._server.submit(event, Wait.SEQUENCED, recorded)

    async def _feed(self, position: int) -> None:
        """Entries as they are sequenced; a heartbeat every 250 ms, but only when everything was sent before it.

        Positions are places: a follower that has not heard a closed log to its end hears the rest of it first.
        """
        loop = asyncio.get_running_loop()
        beat = loop.time()
        with self._cutting():
            while self._transport is not None:
                self._news.clear()
                if position < self._server.place:
                    # The writer's thread may be ahead of what this loop knows; a place beyond it would never wait.
                    count = min(_CHUNK, self._server.place - position)
                    entries = self._server.recent(position, count)
                    if not entries:
                        entries = await loop.run_in_executor(None, self._server.read, position, count)
                    self._tell(position, entries)
                    position += len(entries)
                if position == self._server.place and loop.time() >= beat:
                    self._heartbeat(position)
                    beat = loop.time() + HEARTBEAT
                self.flush()
                async with asyncio.timeout(_STALLED):
                    await self._writable.wait()
                if position == self._server.place:
                    await self._wait(max(0.0, beat - loop.time()))

    def grown(self, types: Collection[str]) -> None:
        """Events of these types were sequenced."""
        if self._feeding is not None and any(kind.startswith(self._about) for kind in types):
            self._news.set()

    async def _wait(self, patience: float) -> None:
        """Until there is something to tell, or the next heartbeat is due."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._news.wait()

    def _tell(self, first: int, entries: list[bytes]) -> None:
        """Send what the follower asked for; of everything else only word that it was passed over."""
        for concerned, begin, end in _stretches(first, entries, self._about):
            if concerned:
                packed = pack(entries[begin - first : end - first])
                self.send(frame(Frame.ENTRIES, begin.to_bytes(8, "big") + packed))
            else:
                self.send(passed_frame(begin, end))

    @contextlib.contextmanager
    def _cutting(self, event: str = "feed_ended") -> Iterator[None]:
        """A feed that cannot go on ends its connection: the follower denies, and comes again."""
        try:
            yield
        except (TallygateError, OSError) as error:
            logger(__name__).error(event, caller=self._caller, error=str(error))
            self.abort()

    def _heartbeat(self, size: int) -> None:
        key, at = self._server.log.key, milliseconds(self._server.clock.now())
        signature = key.sign(heartbeat_message(key.origin, self._nonce, size, at))
        self.send(
            document(Frame.HEARTBEAT, {"size": size, "time": at, "signature": base64.b64encode(signature).decode()})
        )

    def _demand_opened(self) -> None:
        if not self._caller:
            self.abort()

    _deadline: asyncio.TimerHandle


def _types(said: Any) -> tuple[str, ...]:
    """What a feed is about, by its opening.

    Raises:
        WireBroken: malformed.
    """
    if said is None:
        return ("",)
    if not isinstance(said, list) or not 1 <= len(said) <= _MOST_TYPES:
        raise WireBroken
    if not all(isinstance(kind, str) and _TYPE.fullmatch(kind) for kind in said):
        raise WireBroken
    return tuple(said)


def _stated(said: Any) -> Stated:
    """The settings that a caller names.

    Raises:
        WireBroken: malformed.
    """
    try:
        return Stated.parse(said)
    except ValueError as error:
        raise WireBroken from error


def _stretches(first: int, entries: Sequence[bytes], about: Sequence[str]) -> Iterator[tuple[bool, int, int]]:
    """Whether it concerns the follower, first index and following index of each stretch."""
    begin, last = first, None
    kinds = tuple(kind.encode() for kind in about)
    for index, raw in enumerate(entries, first):
        concerned = index % _STRIDE == 0 or _is_about(raw, kinds)
        if last is not None and concerned is not last:
            yield last, begin, index
            begin = index
        last = concerned
    if last is not None:
        yield last, begin, first + len(entries)


def _is_about(raw: bytes, kinds: tuple[bytes, ...]) -> bool:
    """Whether an entry is of one of these types, without reading it whole.

    In canonical JSON no text can contain this sequence of quotes, and nothing else is called so.
    """
    place = raw.find(_CODE)
    return place >= 0 and raw.startswith(kinds, place + len(_CODE))
