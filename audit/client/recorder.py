# SPDX-License-Identifier: Apache-2.0
"""The way into the log from another process: one line per process, many requests on it at once.

Whatever goes wrong with the line is ``RecordUnavailable``; a request that was on it when it broke is sent once more on
a new one, which is safe because of its key.
"""

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from core.errors import TallygateError

from ..errors import BadEvent, ProofRefused, RecordUnavailable
from ..merkle import Checkpoint, VerifierKey
from ..models import Event, Receipt, Wait
from ..models_codec import encode_event
from ..wire import (
    LONGEST_EVENT,
    Frame,
    WireBroken,
    append_frame,
    append_many_frame,
    many,
    read_receipt,
    read_receipts,
    read_refusal,
)
from ..witness import Policy
from .channel import Channel

_Result = Receipt | TallygateError
# To one event, or to many that were sent as one.
_Told = Receipt | TallygateError | list[_Result]
_Answer = queue.SimpleQueue[_Told]
_ATTEMPTS = 2
# Seconds that witnesses are given beyond the log's own time.
_WITNESSES = 15.0
_NUMBERS = 2**32


class RecorderClient:
    """Thread-safe; connects at the first event.

    ``policy`` is by whom the caller wants to see an entry witnessed; without one it cannot tell, and asks for none.
    """

    def __init__(
        self,
        path: Path,
        *,
        caller: str,
        secret: bytes,
        log_key: str,
        timeout: float = 5.0,
        policy: Policy | None = None,
    ) -> None:
        self._path = path
        self._caller = caller
        self._secret = secret
        self._key = VerifierKey.parse(log_key)
        self._timeout = timeout
        self._policy = policy
        self._guard = threading.Lock()
        self._line: _Line | None = None

    def record(self, event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
        """Append one event and wait for its receipt.

        Raises:
            RecordUnavailable: no receipt; sending the event again is safe.
            BadEvent: the event breaks a rule.
            KeyReused: the key belongs to a different event.
        """
        encoded = encode_event(event)
        if wait is Wait.WITNESSED and self._policy is None:
            raise RecordUnavailable
        # Other sites are asked, and may be slow.
        deadline = time.monotonic() + self._timeout + (_WITNESSES if wait is Wait.WITNESSED else 0)
        for attempt in range(_ATTEMPTS):
            try:
                return self._verified(self._ask(encoded, wait, deadline), wait)
            except _LineBroken as error:
                if attempt == _ATTEMPTS - 1 or time.monotonic() >= deadline:
                    raise RecordUnavailable from error
        raise RecordUnavailable

    def record_all(self, events: Sequence[bytes], *, wait: Wait = Wait.SEQUENCED) -> list[Receipt | TallygateError]:
        """Append encoded events, many on the way at once; the answer to each in their order.

        An answer is a receipt, or why there is none, as ``record`` would raise it. Neither all nor nothing: each
        event stands for itself, and sending those without a receipt again is safe.

        Raises:
            RecordUnavailable: it cannot be said of any.
        """
        if wait is Wait.WITNESSED:
            raise RecordUnavailable
        fitting = [event for event in events if len(event) <= LONGEST_EVENT]
        answers: list[Receipt | TallygateError] = []
        if fitting:
            deadline = time.monotonic() + self._timeout
            try:
                told = self._open_line(deadline).ask_all(list(many(fitting)), wait, deadline)
            except _LineBroken as error:
                raise RecordUnavailable from error
            answers = self._all_checked(told, wait)
        given = iter(answers)
        long = BadEvent(why="it is longer than 65,535 bytes")
        return [next(given) if len(event) <= LONGEST_EVENT else long for event in events]

    def open_line(self) -> socket.socket:
        """Another line, whose reader and writer is the caller alone; the log has proved itself on it.

        Raises:
            RecordUnavailable: the log does not answer, or is another one.
        """
        try:
            channel, _ = Channel.open(
                self._path, caller=self._caller, secret=self._secret, key=self._key, timeout=self._timeout
            )
            return channel.given_away()
        except (OSError, WireBroken) as error:
            raise RecordUnavailable from error

    def close(self) -> None:
        """Cut the line; the next event opens another."""
        with self._guard:
            line, self._line = self._line, None
        if line is not None:
            line.close()

    def _ask(self, encoded: bytes, wait: Wait, deadline: float) -> Receipt:
        result = self._open_line(deadline).ask(encoded, wait, deadline)
        if isinstance(result, TallygateError):
            raise result
        return result

    def _open_line(self, deadline: float) -> "_Line":
        # Whoever holds it may be waiting for a log that does not answer; the others need not wait in turn.
        if not self._guard.acquire(timeout=_left(deadline)):
            raise RecordUnavailable
        try:
            if self._line is None or self._line.broken:
                self._line = self._connected(_left(deadline))
            return self._line
        finally:
            self._guard.release()

    def _connected(self, timeout: float) -> "_Line":
        try:
            channel, _ = Channel.open(
                self._path, caller=self._caller, secret=self._secret, key=self._key, timeout=timeout
            )
        except (OSError, WireBroken) as error:
            raise RecordUnavailable from error
        return _Line(channel, self._key.name, timeout=self._timeout)

    def _all_checked(self, answers: Sequence[_Result], wait: Wait) -> list[_Result]:
        """As ``_verified``; a checkpoint that covers many is looked at once."""
        sizes: dict[str, int] = {}
        checked: list[_Result] = []
        for answer in answers:
            if isinstance(answer, TallygateError):
                checked.append(answer)
                continue
            try:
                if wait is Wait.PUBLISHED and (size := sizes.get(answer.checkpoint)) is not None:
                    good = answer.level is wait and answer.index < size
                    checked.append(answer if good else RecordUnavailable())
                    continue
                checked.append(self._verified(answer, wait))
                if wait is Wait.PUBLISHED:
                    sizes[answer.checkpoint] = Checkpoint.verified(answer.checkpoint.encode(), [self._key]).size
            except RecordUnavailable as error:
                checked.append(error)
        return checked

    def _verified(self, receipt: Receipt, wait: Wait) -> Receipt:
        """Demand the level that was asked for, and the pinned key's signature on its checkpoint."""
        if receipt.level is not wait:
            raise RecordUnavailable
        if wait is Wait.SEQUENCED:
            return receipt
        try:
            note = receipt.checkpoint.encode()
            if wait is Wait.WITNESSED and self._policy is not None:
                checkpoint = self._policy.demand(note, [self._key])
            else:
                checkpoint = Checkpoint.verified(note, [self._key])
        except ProofRefused as error:
            raise RecordUnavailable from error
        if checkpoint.size <= receipt.index:
            raise RecordUnavailable
        return receipt


class _LineBroken(Exception):
    """The answer did not come because the line broke."""


class _Line:
    """One channel, the requests on it, and the thread that reads their answers."""

    def __init__(self, channel: Channel, origin: str, *, timeout: float) -> None:
        self._channel = channel
        self._origin = origin
        self._writing = threading.Lock()
        self._waiting: dict[int, _Answer] = {}
        self._number = 0
        self.broken = False
        channel.read_for_ever(write=timeout)
        threading.Thread(target=self._read, name="recorder", daemon=True).start()

    def ask(self, encoded: bytes, wait: Wait, deadline: float) -> _Result:
        """Send one request and wait for its answer, at most until ``deadline``."""
        answer: _Answer = queue.SimpleQueue()
        if not self._writing.acquire(timeout=_left(deadline)):
            return RecordUnavailable()
        try:
            if self.broken:
                raise _LineBroken
            self._number = number = (self._number + 1) % _NUMBERS
            self._waiting[number] = answer
            try:
                self._channel.send(append_frame(number, wait, encoded))
            except OSError as error:
                self._break()
                raise _LineBroken from error
        finally:
            self._writing.release()
        told = self._taken(number, answer, deadline)
        return RecordUnavailable() if isinstance(told, list) else told

    def ask_all(self, parts: Sequence[Sequence[bytes]], wait: Wait, deadline: float) -> list[_Result]:
        """Send many events in a few requests and wait for all answers, each at most until ``deadline``.

        Raises:
            _LineBroken: the line broke before all answers were there.
        """
        waiting: list[tuple[int, _Answer]] = []
        frames = []
        if not self._writing.acquire(timeout=_left(deadline)):
            return [RecordUnavailable() for part in parts for _ in part]
        try:
            if self.broken:
                raise _LineBroken
            for events in parts:
                self._number = number = (self._number + 1) % _NUMBERS
                answer: _Answer = queue.SimpleQueue()
                self._waiting[number] = answer
                waiting.append((number, answer))
                frames.append(append_many_frame(number, wait, events))
            try:
                self._channel.send(b"".join(frames))
            except OSError as error:
                self._break()
                raise _LineBroken from error
        finally:
            self._writing.release()
        results: list[_Result] = []
        for events, (number, answer) in zip(parts, waiting, strict=True):
            told = self._taken(number, answer, deadline)
            fits = isinstance(told, list) and len(told) == len(events)
            results += told if isinstance(told, list) and fits else [RecordUnavailable() for _ in events]
        return results

    def _taken(self, number: int, answer: _Answer, deadline: float) -> _Told:
        try:
            result = answer.get(timeout=_left(deadline))
        except queue.Empty:
            self._waiting.pop(number, None)
            return RecordUnavailable()
        if isinstance(result, _Cut):
            raise _LineBroken
        return result

    def close(self) -> None:
        """Cut the line; whoever waits on it is told."""
        self._channel.close()

    def _read(self) -> None:
        try:
            with contextlib.suppress(OSError, WireBroken):
                while True:
                    for kind, content in self._channel.receive():
                        self._deliver(kind, content)
        finally:
            # Whatever it was: a line that nobody reads must not look whole.
            with self._writing:
                self._break()

    def _deliver(self, kind: Frame, content: bytes) -> None:
        number: int
        result: _Told
        if kind is Frame.RECEIPT:
            number, result = read_receipt(content, self._origin)
        elif kind is Frame.RECEIPTS:
            number, result = read_receipts(content, self._origin)
        elif kind is Frame.REFUSAL:
            number, result = read_refusal(content)
        else:
            raise WireBroken
        answer = self._waiting.pop(number, None)
        if answer is not None:
            answer.put(result)

    def _break(self) -> None:
        self.broken = True
        self._channel.close()
        while self._waiting:
            _, answer = self._waiting.popitem()
            answer.put(_Cut())


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


class _Cut(TallygateError):
    """Tells a waiting thread that its line is gone."""
