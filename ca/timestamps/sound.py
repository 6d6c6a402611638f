# SPDX-License-Identifier: Apache-2.0
"""Whether our clock may be believed. Unlike the log, which must go on, a stamp may wait: in doubt there is none.

Three things make it unsound: it jumped while the machine's steady clock did not; it stands before a time that was
stamped already, by whichever process and before whatever restart; or the kernel says that nothing keeps it right, or
that it may be wrong by more than our stamps say. A jump is forgiven after five quiet minutes.
"""

import ctypes
import errno
import fcntl
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.clock import Clock

from ..errors import ClockUnsound

SETTLING = 300.0
"""Seconds for which no jump may be seen after one."""
DRIFT = 0.001
"""What a clock that is being corrected may gain or lose, twice what Linux does at most (500 ppm)."""

_STA_UNSYNC = 0x40
_TIME_ERROR = 5


@dataclass(frozen=True)
class Kernel:
    """What the kernel says of its clock."""

    synchronised: bool
    # How far it may be from UTC at most.
    error: timedelta


class ClockWatch:
    """Looks at the clock; ``kernel`` is asked unless the site does without, ``mark`` keeps what was stamped."""

    def __init__(
        self, clock: Clock, *, accuracy: timedelta, mark: Path, kernel: Callable[[], Kernel] | None = None
    ) -> None:
        self._clock = clock
        self._accuracy = accuracy
        self._mark = mark
        self._kernel = kernel
        self._lock = threading.Lock()
        self._last = clock.now(), clock.monotonic()
        self._jumped: float | None = None

    def moment(self) -> datetime:
        """The time, in milliseconds.

        Raises:
            ClockUnsound: it may be wrong; ``why`` says how we know.
        """
        with self._lock:
            now, steady = self._clock.now(), self._clock.monotonic()
            passed = steady - self._last[1]
            jump = abs((now - self._last[0]).total_seconds() - passed)
            self._last = now, steady
            if jump > self._accuracy.total_seconds() / 2 + passed * DRIFT:
                self._jumped = steady
            if self._jumped is not None:
                if steady - self._jumped < SETTLING:
                    raise ClockUnsound(why="jumped")
                self._jumped = None
        if self._kernel is not None:
            said = self._kernel()
            if not said.synchronised:
                raise ClockUnsound(why="unsynchronised")
            if said.error > self._accuracy:
                raise ClockUnsound(why="inaccurate")
        if now + self._accuracy < self._stamped():
            raise ClockUnsound(why="behind")
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def keep(self, at: datetime) -> None:
        """Remember a time before it is stamped; written once a second, for good.

        Raises:
            ClockUnsound: it cannot be kept.
        """
        try:
            self._keep(int(at.timestamp()))
        except OSError as error:
            raise ClockUnsound(why="forgetful") from error

    def _keep(self, second: int) -> None:
        descriptor = os.open(self._mark.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if second <= self._read():
                return
            draft = self._mark.with_suffix(".new")
            with draft.open("w", encoding="ascii") as file:
                file.write(str(second))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._mark)
        finally:
            os.close(descriptor)

    def _stamped(self) -> datetime:
        try:
            return datetime.fromtimestamp(self._read(), UTC)
        except (OSError, OverflowError) as error:
            raise ClockUnsound(why="forgetful") from error

    def _read(self) -> int:
        try:
            return int(self._mark.read_text("ascii"))
        except FileNotFoundError:
            return 0
        except ValueError as error:
            raise ClockUnsound(why="forgetful") from error


class _Timex(ctypes.Structure):
    """``struct timex`` as far as we read it; the rest is room for what the kernel writes."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def read_kernel() -> Kernel:
    """Ask the kernel (adjtimex(2)); nothing is changed."""
    found = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(found))
    if state < 0:
        raise ClockUnsound(why=errno.errorcode.get(ctypes.get_errno(), "unsynchronised"))
    wrong = state == _TIME_ERROR or bool(found.status & _STA_UNSYNC)
    return Kernel(synchronised=not wrong, error=timedelta(microseconds=found.maxerror))
