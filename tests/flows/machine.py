# SPDX-License-Identifier: Apache-2.0
"""What the operating system tells about a city: its processes, whose they are, and which are still there."""

from pathlib import Path

from tests.flows.city import City

SERVING = (
    "audit", "directory", "ca", "sso", "signatures", "gateway", "portal:tax", "portal:social", "portal:documents",
)  # fmt: skip
"""Roles that answer HTTP."""
PROCESSES = ("slapd", "log", "watch", *SERVING, "nginx")
"""Everything the supervisor starts."""


def processes(city: City) -> dict[str, int]:
    """Main processes by role."""
    assert city._process is not None
    found = {}
    for pid in children(city._process.pid):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        for role in PROCESSES:
            if f" serve {role} " in command or f"/{role} " in command.partition(" -")[0] + " ":
                found[role] = pid
    return found


def children(parent: int) -> list[int]:
    """Processes that this one made."""
    try:
        tasks = [task.read_text("ascii") for task in Path(f"/proc/{parent}/task").glob("*/children")]
    except OSError:
        return []
    return [int(pid) for task in tasks for pid in task.split()]


def family(city: City) -> list[int]:
    """The supervisor and every process that descends from it."""
    assert city._process is not None
    found, waiting = [], [city._process.pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children(found[-1])
    return found


def alive(pid: int) -> bool:
    """Whether it runs."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def named_after(city: City) -> list[str]:
    """Command lines that name the city's folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if f"{city.folder}/" in command or command.rstrip().endswith(str(city.folder)):
            found.append(command)
    return found
