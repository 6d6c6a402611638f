# SPDX-License-Identifier: Apache-2.0
"""What an attacker does who runs code inside a reading process. Runs there, so it imports early and keeps to ctypes.

Every attack is named, and answers with what stopped it or with "got in".
"""

import asyncio
import ctypes
import mmap
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from signatures.sandbox import frames

_LIBC = ctypes.CDLL(None, use_errno=True)
_PTRACE_ATTACH, _PTRACE_DETACH = 16, 17
# The same on all architectures.
_PIDFD_OPEN, _PIDFD_GETFD, _IO_URING_SETUP, _CLONE3 = 434, 438, 425, 435
_BY_MACHINE = {"x86_64": {"memfd": 319, "bpf": 321, "readv": 310}, "aarch64": {"memfd": 279, "bpf": 280, "readv": 270}}
_NUMBERS = _BY_MACHINE[os.uname().machine]


def serve(line: socket.socket, _: asyncio.Runner) -> None:
    """In the place of the real loop: take the targets, attack them all, say what happened."""
    targets = frames.receive(line)[0]
    frames.send(line, {name: _attempt(attack) for name, attack in _attacks(targets).items()})
    frames.receive(line)
    # Replaces this process if it can, and then the line stays silent.
    _attempt(lambda: os.execv("/bin/true", ["true"]))  # noqa: S606 - the attack itself
    frames.send(line, {"exec": "refused"})


def _attempt(attack: Callable[[], object]) -> str:
    try:
        attack()
    except PermissionError:
        return "refused"
    except (OSError, RuntimeError, ValueError) as error:
        return f"refused: {error}"
    return "got in"


def _attacks(targets: Mapping[str, str]) -> dict[str, Callable[[], object]]:
    key, folder, parent = Path(targets["key"]), Path(targets["folder"]), int(targets["parent"])
    return {
        "read the key": key.read_bytes,
        "read the key from the root": lambda: Path(f"/proc/self/root{key}").read_bytes(),
        "learn that the key exists": key.stat,
        "list the folder": lambda: list(folder.iterdir()),
        "follow a link": Path("/proc/self/exe").readlink,
        "write a file": lambda: (folder / "left").write_bytes(b"x"),
        "empty a file": lambda: os.truncate(key, 0),
        "remove a file": (folder / "spare").unlink,
        "go elsewhere": lambda: os.chdir("/"),
        "read the parent's memory": lambda: Path(f"/proc/{parent}/mem").open("rb").close(),
        "read the parent's environment": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
        "copy the parent's memory": lambda: _copy(parent),
        "trace the parent": lambda: _trace(parent),
        "take the parent's descriptor": lambda: _steal(parent),
        "signal the parent": lambda: os.kill(parent, signal.SIGCONT),
        "limit the parent": lambda: resource.prlimit(parent, resource.RLIMIT_CORE),
        "connect over the network": lambda: socket.create_connection(("127.0.0.1", int(targets["port"]))).close(),
        "connect to a role": lambda: _connect(targets["socket"]),
        "connect to an abstract name": lambda: _connect(f"\0{targets['abstract']}"),
        "send a datagram": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
        "make a pair of sockets": _pair,
        "fork": _fork,
        "spawn": lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
        "clone": lambda: _call(_LIBC.syscall, _CLONE3, None, 0),
        "start a thread": lambda: threading.Thread(target=int).start(),
        "run made-up code": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC).close(),
        "make memory executable": _executable,
        "make a file in memory": lambda: _call(_LIBC.syscall, _NUMBERS["memfd"], b"x", 0),
        "load a kernel program": lambda: _call(_LIBC.syscall, _NUMBERS["bpf"], 0, None, 0),
        "queue calls to the kernel": lambda: _call(_LIBC.syscall, _IO_URING_SETUP, 1, None),
        "take more processor time": lambda: resource.setrlimit(resource.RLIMIT_CPU, (10**6, resource.RLIM_INFINITY)),
        "take more files": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
        "enter a namespace": lambda: _call(_LIBC.unshare, 0x10000000),
        "mount": lambda: _call(_LIBC.mount, b"none", str(folder).encode(), b"nofs", 0, None),
        "become root": lambda: os.setresuid(0, 0, 0),
    }


def _call(function: Callable[..., int], *arguments: object) -> None:
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _copy(pid: int) -> None:
    held = ctypes.create_string_buffer(8)
    pair = (ctypes.c_void_p * 2)(ctypes.addressof(held), 8)
    _call(_LIBC.syscall, _NUMBERS["readv"], pid, pair, 1, pair, 1, 0)


def _trace(pid: int) -> None:
    _call(_LIBC.ptrace, _PTRACE_ATTACH, pid, None, None)
    # It worked, and the test that is being traced wants to go on.
    os.waitpid(pid, 0)
    _call(_LIBC.ptrace, _PTRACE_DETACH, pid, None, None)


def _steal(pid: int) -> None:
    parent = _LIBC.syscall(_PIDFD_OPEN, pid, 0)
    _call(_LIBC.syscall, _PIDFD_GETFD, parent, 0, 0)


def _connect(name: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(name)


def _pair() -> None:
    for line in socket.socketpair():
        line.close()


def _fork() -> None:
    if (child := os.fork()) == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _executable() -> None:
    page = mmap.mmap(-1, 4096)
    start = ctypes.addressof(ctypes.c_char.from_buffer(page))
    _call(_LIBC.mprotect, ctypes.c_void_p(start), 4096, mmap.PROT_READ | mmap.PROT_EXEC)
