# SPDX-License-Identifier: Apache-2.0
"""The list of what a reading process may still ask of the kernel, as a seccomp filter (seccomp(2), classic BPF).

Everything that is not on the list fails with EPERM: opening a file, making a socket, starting a program or a thread,
looking into another process, making memory executable, and whatever system call comes after this was written.
"""

import errno
import platform
import struct
from collections.abc import Mapping
from dataclasses import dataclass

# linux/audit.h; the filter kills a call that claims another architecture, whose numbers mean something else.
_X86_64, _AARCH64 = 0xC000003E, 0xC00000B7
_X32_BIT = 0x40000000
_PROT_EXEC = 4

# linux/seccomp.h
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
# linux/bpf_common.h: load a word; jump if equal, if greater or equal, if a bit is set; return.
_LOAD, _EQUAL, _GREATER, _SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# struct seccomp_data: number, architecture, instruction pointer, six arguments of eight bytes (low half first).
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

_INSTRUCTION = struct.Struct("=HBBI")


@dataclass(frozen=True)
class Numbers:
    """The numbers of one architecture (asm/unistd.h)."""

    architecture: int
    # Allowed whatever the arguments.
    allowed: Mapping[str, int]
    # Allowed unless the third argument asks for executable memory.
    memory: Mapping[str, int]


_BY_MACHINE = {
    "x86_64": Numbers(
        architecture=_X86_64,
        allowed={
            "read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "munmap": 11, "brk": 12, "rt_sigaction": 13,
            "rt_sigprocmask": 14, "rt_sigreturn": 15, "sched_yield": 24, "mremap": 25, "madvise": 28, "getpid": 39,
            "sendto": 44, "recvfrom": 45, "exit": 60, "gettimeofday": 96, "gettid": 186, "futex": 202,
            "restart_syscall": 219, "clock_gettime": 228, "exit_group": 231, "epoll_wait": 232,
            "epoll_ctl": 233, "epoll_pwait": 281, "getrandom": 318,
        },
        memory={"mmap": 9, "mprotect": 10},
    ),
    "aarch64": Numbers(
        architecture=_AARCH64,
        allowed={
            "epoll_ctl": 21, "epoll_pwait": 22, "close": 57, "lseek": 62, "read": 63, "write": 64, "fstat": 80,
            "exit": 93, "exit_group": 94, "futex": 98, "clock_gettime": 113, "sched_yield": 124,
            "restart_syscall": 128, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139,
            "gettimeofday": 169, "getpid": 172, "gettid": 178, "sendto": 206, "recvfrom": 207, "brk": 214,
            "munmap": 215, "mremap": 216, "madvise": 233, "getrandom": 278,
        },
        memory={"mmap": 222, "mprotect": 226},
    ),
}  # fmt: skip


def numbers(machine: str | None = None) -> Numbers | None:
    """The numbers of this machine, or of the named one; None if nobody has written them down."""
    return _BY_MACHINE.get(machine or platform.machine())


def program(known: Numbers) -> bytes:
    """The filter: an array of ``struct sock_filter``."""
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, known.architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    if known.architecture == _X86_64:
        # The same processor takes a second set of numbers, told apart by one bit.
        steps += [(_GREATER, 0, 1, _X32_BIT), (_RETURN, 0, 0, _KILL)]
    for number in known.allowed.values():
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    for number in known.memory.values():
        steps += [
            (_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _ARGUMENTS_AT + 2 * 8),
            (_SET, 0, 1, _PROT_EXEC),
            (_RETURN, 0, 0, _REFUSE),
            (_RETURN, 0, 0, _ALLOW),
        ]
    steps.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(_INSTRUCTION.pack(*step) for step in steps)
