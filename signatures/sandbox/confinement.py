# SPDX-License-Identifier: Apache-2.0
"""Locks a reading process in, for good: from here on it has its memory, its processor time and one line to its parent.

| layer       | what it refuses                                                  | where it is missing                |
| ----------- | ---------------------------------------------------------------- | ---------------------------------- |
| limits      | memory, open files, files to write, processes, core dumps        | nowhere                            |
| descriptors | whatever was open but the line                                   | nowhere                            |
| privileges  | gaining any (no_new_privs), keeping any (capabilities)           | nowhere                            |
| seccomp     | every system call that reading does not need (``syscalls``)      | nowhere: without it none starts    |
| namespaces  | the machine's networks, names and shared memory                  | containers without user namespaces |
| landlock    | every file, every port, every abstract socket, signals to others | kernels without it                 |

Each holds by itself: a file stays closed by seccomp where landlock is missing, and by landlock if the list of system
calls had a hole. By ctypes, since Debian's Python has no binding and a library would be one more thing in the process
that must be trusted (docs/decisions/0009).
"""

import ctypes
import os
import resource
import signal

from . import syscalls

_LIBC = ctypes.CDLL(None, use_errno=True)
# linux/prctl.h
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, _PR_SET_NO_NEW_PRIVS = 22, 2, 38
# linux/sched.h: network, System V and POSIX shared memory, host name.
_NEW_USER, _NEW_NAMESPACES = 0x10000000, 0x40000000 | 0x08000000 | 0x04000000
# linux/capability.h
_CAPABILITIES_3 = 0x20080522
# asm-generic/unistd.h; the same on all architectures.
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
_LANDLOCK_VERSION = 1
# linux/landlock.h: how many rights over files each version of the interface knows, oldest first.
_FILE_RIGHTS = (13, 14, 15, 15, 16)
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6


class LayerMissing(Exception):
    """A layer that must hold does not; this process may not open a document."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def close_all_but(descriptor: int) -> None:
    """Forget whatever was open when this process started; what it opens itself comes later."""
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def confine(*, memory: int) -> dict[str, int]:
    """Lock this process in; says of the layers that may be missing which hold, and landlock by its version.

    Raises:
        LayerMissing: one that must hold does not.
    """
    apart = _leave_networks()
    _drop_privileges()
    version = _forbid_files()
    # The rule set was the last descriptor this process needed, and the filter forbids all of the above.
    _limit(memory)
    _filter_calls()
    return {"seccomp": 1, "namespaces": int(apart), "landlock": version}


def _limit(memory: int) -> None:
    for limit, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(limit, (most, most))
    # Ctrl-C in the operator's terminal is the service's business; it closes the line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _leave_networks() -> bool:
    # Whoever may make a namespace of users needs no other privilege; root in a container may have it the other way.
    return any(_LIBC.unshare(flags) == 0 for flags in (_NEW_USER | _NEW_NAMESPACES, _NEW_NAMESPACES))


def _drop_privileges() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0)
    none = (ctypes.c_uint32 * 6)()
    if _LIBC.capset(header, none) != 0 or _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise LayerMissing(f"privileges: {os.strerror(ctypes.get_errno())}")


def _forbid_files() -> int:
    version: int = _LIBC.syscall(_LANDLOCK_CREATE, None, 0, _LANDLOCK_VERSION)
    if version < 1:
        return 0
    rights = [(1 << _FILE_RIGHTS[min(version, len(_FILE_RIGHTS)) - 1]) - 1]
    if version >= _NETWORK_SINCE:
        rights.append(0b11)
    if version >= _SCOPES_SINCE:
        rights.append(0b11)
    # Everything the kernel can refuse is named here, and no rule gives any of it back.
    handled = (ctypes.c_uint64 * len(rights))(*rights)
    ruleset = _LIBC.syscall(_LANDLOCK_CREATE, handled, ctypes.sizeof(handled), 0)
    if ruleset < 0 or _LIBC.syscall(_LANDLOCK_RESTRICT, ruleset, 0) != 0:
        raise LayerMissing(f"landlock: {os.strerror(ctypes.get_errno())}")
    os.close(ruleset)
    return version


def _filter_calls() -> None:
    known = syscalls.numbers()
    if known is None:
        raise LayerMissing("seccomp: the system calls of this processor are not written down")
    steps = syscalls.program(known)
    held = ctypes.create_string_buffer(steps, len(steps))
    filled = _Program(len(steps) // 8, ctypes.cast(held, ctypes.c_void_p))
    if _LIBC.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filled), 0, 0) != 0:
        raise LayerMissing(f"seccomp: {os.strerror(ctypes.get_errno())}")
