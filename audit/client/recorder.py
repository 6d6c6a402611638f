# SPDX-License-Identifier: Apache-2.0
"""The way into the log from another process: one line per process, many requests on it at once.

Whatever goes wrong with the line is ``RecordUnavailable``; a request that was on it when it broke is sent once more on
a new one, which is safe because of its key.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from core.errors import TallygateError

from ..errors import BadEvent, ProofRefused, RecordUnavailable
from ..merkle import Checkpoint, VerifierKey
from ..models import Event, Receipt, Wait
from ..models_codec import encode_event
from ..wire import LONGEST_EVENT, Frame, WireBroken, append_frame, read_receipt, read_refusal
from ..witness import Policy
from .channel import Channel

_Result = Receipt | TallygateError
_Answer = queue.SimpleQueue[_Result]
_ATTEMPTS = 2
# Seconds that witnesses are given beyond the log's own time.
_WITNESSES = 15.0
_NUMBERS = 2**32
# Requests of one caller that are on the way at once; the log lets a caller have sixteen times as many.
_AT_ONCE = 256


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
        for start in range(0, len(fitting), _AT_ONCE):
            deadline = time.monotonic() + self._timeout
            try:
                told = self._open_line(deadline).ask_all(fitting[start : start + _AT_ONCE], wait, deadline)
            except _LineBroken as error:
                raise RecordUnavailable from error
            answers += [self._checked(answer, wait) for answer in told]
        given = iter(answers)
        long = BadEvent(why="it is longer than 65,535 bytes")
        return [next(given) if len(event) <= LONGEST_EVENT else long for event in events]

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

    def _checked(self, answer: Receipt | TallygateError, wait: Wait) -> Receipt | TallygateError:
        if isinstance(answer, TallygateError):
            return answer
        try:
            return self._verified(answer, wait)
        except RecordUnavailable as error:
            return error

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
        return self._taken(number, answer, deadline)

    def ask_all(self, events: Sequence[bytes], wait: Wait, deadline: float) -> list[_Result]:
        """Send many requests with one write and wait for all answers, each at most until ``deadline``.

        Raises:
            _LineBroken: the line broke before all answers were there.
        """
        waiting: list[tuple[int, _Answer]] = []
        frames = []
        if not self._writing.acquire(timeout=_left(deadline)):
            return [RecordUnavailable() for _ in events]
        try:
            if self.broken:
                raise _LineBroken
            for encoded in events:
                self._number = number = (self._number + 1) % _NUMBERS
                answer: _Answer = queue.SimpleQueue()
                self._waiting[number] = answer
                waiting.append((number, answer))
                frames.append(append_frame(number, wait, encoded))
            try:
                self._channel.send(b"".join(frames))
            except OSError as error:
                self._break()
                raise _LineBroken from error
        finally:
            self._writing.release()
        return [self._taken(number, answer, deadline) for number, answer in waiting]

    def _taken(self, number: int, answer: _Answer, deadline: float) -> _Result:
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
        result: _Result
        if kind is Frame.RECEIPT:
            number, result = read_receipt(content, self._origin)
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
