# SPDX-License-Identifier: Apache-2.0
"""What is left of a site whose supervisor was killed: nothing.

`python -m app.warden` reads which sessions its supervisor leads, one line each: ``+ ID BEGAN`` and ``- ID``. When the
lines end, the supervisor is gone, and every process of every session that was not taken back is killed.

Why it is needed: the kernel kills each process that the supervisor started (setpriv --pdeathsig KILL), the hanging and
the stopped ones too, but it does not kill their children; workers of nginx outlive their master and go on serving. The
kernel's SIGKILL needs nobody's cooperation, and every process of a site survives it by design, as the crash tests show;
so nobody is asked first with a SIGTERM that a hanging process would never hear.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

_PROC = Path("/proc")
_PAUSE = 0.02


@dataclass(frozen=True)
class _Seen:
    """One process in the kernel's list."""

    session: int
    # Clock ticks since the machine started; with the number it names one process for ever (proc(5), stat).
    began: str
    ended: bool


def main() -> None:
    """Wait for the supervisor's end; deaf to what a terminal tells the whole foreground."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    left = _told(sys.stdin)
    # All of them in every round, so that none waits for another one's end.
    while sum(_end(session, began) for session, began in left.items()):
        time.sleep(_PAUSE)


def beginning(pid: int) -> str:
    """When a process that is there began; ``0`` if it is not."""
    seen = _see(pid)
    return seen.began if seen else "0"


def _told(lines: TextIO) -> dict[int, str]:
    """The sessions that nobody took back, and when their leaders began."""
    left: dict[int, str] = {}
    for line in lines:
        match line.split():
            case ["+", session, began]:
                left[int(session)] = began
            case ["-", session]:
                left.pop(int(session), None)
    return left


def _end(session: int, began: str) -> bool:
    """Kill who is still in a session; whether there was anybody."""
    leader = _see(session)
    if leader is not None and leader.began != began:
        # The number was free and is somebody else's now, so nobody of ours was left (a session keeps its number).
        return False
    members = [int(path.name) for path in _PROC.glob("[0-9]*") if _is_in(session, int(path.name))]
    for pid in members:
        _kill(pid, session)
    return bool(members)


def _kill(pid: int, session: int) -> None:
    # Between looking and killing a number may change hands; a descriptor of the process does not.
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            if _is_in(session, pid):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


def _is_in(session: int, pid: int) -> bool:
    seen = _see(pid)
    return seen is not None and seen.session == session and not seen.ended


def _see(pid: int) -> _Seen | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return None
    # The name stands in parentheses and may hold anything; state is the third field, session the sixth, start the 22nd.
    fields = text.rpartition(")")[2].split()
    return _Seen(session=int(fields[3]), began=fields[19], ended=fields[0] in "ZX")


if __name__ == "__main__":
    main()
