# SPDX-License-Identifier: Apache-2.0
"""What each role took: peak memory (VmHWM) and processor time of every process below the supervisor, by role."""

import os
import re
import time
from collections import defaultdict
from pathlib import Path

_PROC = Path("/proc")


def peaks(supervisor: int) -> dict[str, list[int]]:
    """Peak resident memory in mebibytes of each process, largest first, by role."""
    found = {role: sorted(map(_peak, all_), reverse=True) for role, all_ in _roles(supervisor).items()}
    return {role: [peak for peak in all_ if peak] for role, all_ in sorted(found.items())}


def proportional(supervisor: int) -> dict[str, list[int]]:
    """Mebibytes of each process now, shared pages counted once (Pss), largest first, by role."""
    return {role: sorted(map(_proportional, all_), reverse=True) for role, all_ in _roles(supervisor).items()}


def spent(supervisor: int) -> dict[str, float]:
    """Seconds of processor time so far, by role, with what their children took that have ended."""
    return {role: sum(map(_spent, all_)) for role, all_ in _roles(supervisor).items() if role != "supervisor"} | {
        "supervisor": _spent(supervisor, ended=False)
    }


def idle(supervisor: int, seconds: float) -> dict[str, float]:
    """Seconds of processor time for each second in which nobody asks anything, by role: heartbeats, watches, probes."""
    before, begun = spent(supervisor), time.monotonic()
    time.sleep(seconds)
    took, after = time.monotonic() - begun, spent(supervisor)
    found = {role: (after[role] - before.get(role, 0.0)) / took for role in after}
    print(f"idle city: {sum(found.values()):.2f} seconds of processor time for each second", flush=True)
    return found


def largest(leader: int) -> int:
    """Peak resident memory in mebibytes of the largest process below one (VmHWM)."""
    children = _children()
    below, waiting = [], [*children[leader]]
    while waiting:
        one = waiting.pop()
        below.append(one)
        waiting += children[one]
    return max(map(_peak, below), default=0)


def cost(leader: int) -> tuple[float, int, int]:
    """Seconds of processor time of one process and its children, their peaks together, and what they share now.

    The second counts shared pages in each process (VmHWM), the third once (Pss); both in mebibytes.
    """
    everybody, waiting = [], [leader]
    children = _children()
    while waiting:
        one = waiting.pop()
        everybody.append(one)
        waiting += children[one]
    return sum(map(_spent, everybody)), sum(map(_peak, everybody)), sum(map(_proportional, everybody))


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for status in _PROC.glob("[0-9]*/stat"):
        try:
            text = status.read_text("ascii", "replace")
        except OSError:
            continue
        found[int(text.rpartition(")")[2].split()[1])].append(int(status.parent.name))
    return found


def _proportional(process: int) -> int:
    try:
        said = (_PROC / str(process) / "smaps_rollup").read_text("ascii", "replace")
    except OSError:
        return 0
    known = re.search(r"^Pss:\s+(\d+) kB", said, re.MULTILINE)
    return round(int(known.group(1)) / 1024) if known else 0


def _roles(supervisor: int) -> dict[str, list[int]]:
    children = _children()
    found: dict[str, list[int]] = {"supervisor": [supervisor]}
    for leader in children[supervisor]:
        everybody, waiting = [], [leader]
        while waiting:
            one = waiting.pop()
            everybody.append(one)
            waiting += children[one]
        found[_role(leader)] = everybody
    return found


def _spent(process: int, *, ended: bool = True) -> float:
    """Its own time, and unless told otherwise that of its children that have ended: reading processes are replaced."""
    try:
        text = (_PROC / str(process) / "stat").read_text("ascii", "replace")
    except OSError:
        return 0.0
    ticks = text.rpartition(")")[2].split()[11 : 15 if ended else 13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def _role(process: int) -> str:
    words = (_PROC / str(process) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    if "serve" in words:
        return words[words.index("serve") + 1]
    if "app.warden" in words:
        return "warden"
    return Path(words[0].split()[0].rstrip(":")).name


def _peak(process: int) -> int:
    try:
        status = (_PROC / str(process) / "status").read_text("ascii", "replace")
    except OSError:
        return 0
    known = re.search(r"VmHWM:\s+(\d+) kB", status)
    return round(int(known.group(1)) / 1024) if known else 0
